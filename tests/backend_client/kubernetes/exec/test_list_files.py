"""Files out of what sh, find and stat print, whatever their names are; run by this machine's own tools."""

import os
import shutil
import subprocess

import pytest

from backend_client.errors import Refused
from backend_client.kubernetes.exec.list_files import _NOT_THERE, _SCRIPT, only_in_a_pod, parse_files
from backend_client.models import JobSpec, JobState
from backend_client.models.outputs import Outputs
from backend_client.output_files import FileKind
from tests.support.scripted import make_job

MARK = "9f86d081884c7d65"
NAMES = [
    "a b", "line\nbreak", ".hidden", "-rf", "%n%f", "*", "x 81a4 5 1 x", "'\"$(touch y)`", "\udcff\udcfe",
]  # fmt: skip
SHELLS = ["sh", *(f"{name} sh" for name in ("busybox",) if shutil.which(name))]


def printed(path, shell="sh"):
    return subprocess.run(
        [*shell.split(), "-c", _SCRIPT, "sh", str(path), MARK], capture_output=True, check=False, timeout=60
    )


@pytest.mark.parametrize("shell", SHELLS)
def test_every_name_comes_back_as_it_is(tmp_path, shell):
    for name in NAMES:
        (tmp_path / name).write_bytes(b"12345")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "below").touch()
    (tmp_path / "link").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    os.utime(tmp_path / "a b", (1_800_000_000, 1_800_000_000))
    found = {file.name: file for file in parse_files(printed(tmp_path, shell).stdout, MARK)}
    assert set(found) == {*NAMES, "folder", "link", "pipe"}
    assert {found[name].size for name in NAMES} == {5}
    kinds = [found[name].kind for name in ("a b", "folder", "link", "pipe")]
    assert kinds == [FileKind.FILE, FileKind.FOLDER, FileKind.LINK, FileKind.OTHER]
    assert found["folder"].size is None
    assert found["a b"].modified.timestamp() == 1_800_000_000


@pytest.mark.parametrize("shell", SHELLS)
def test_a_file_an_empty_folder_and_nothing(tmp_path, shell):
    (tmp_path / "one").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    assert [file.name for file in parse_files(printed(tmp_path / "one", shell).stdout, MARK)] == ["one"]
    assert (printed(tmp_path / "empty", shell).returncode, printed(tmp_path / "empty", shell).stdout) == (
        0,
        b"",
    )
    assert printed(tmp_path / "absent", shell).returncode == _NOT_THERE


@pytest.mark.parametrize("text", [b"", b"noise", f"{MARK} zz 1 2 x".encode(), f"{MARK} 81a4 5".encode()])
def test_what_is_no_listing_is_no_file(text):
    assert list(parse_files(text, MARK)) == []


def test_outputs_that_no_pod_has_come_with_the_command_that_reads_them():
    outputs = Outputs(path="/out", claim="results", sub_path="me/bert-1a2b3c4d")
    job = make_job("bert", JobState.SUCCEEDED, spec=JobSpec(image="img:1"), namespace="team")
    error = only_in_a_pod(job, outputs)
    assert isinstance(error, Refused)
    assert "which only a pod can read" in error.title
    assert error.hint == (
        "This lists them: traindeck submit -n team --image img:1 --volume results/me/bert-1a2b3c4d:/out:ro"
        " --follow -- ls -lAR /out"
    )
