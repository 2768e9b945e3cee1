"""What the client keeps, on a disk that takes nothing: said with the file, and the old content stays."""

import os
import subprocess
import sys

import pytest

from backend_client.private_files import create_private, update_private, write_private
from backend_client.whole_file import whole_file
from tests.support.disk import small_disk
from tests.tui.form.test_autosave import Autosave
from tui import crash_report

WORDS = "the disk is full (No space left on device)"


@pytest.fixture
def disk(tmp_path, monkeypatch):
    with small_disk(tmp_path / "home", 200) as made:
        monkeypatch.setenv("HOME", str(made.path))
        for name in ("CONFIG", "STATE", "CACHE", "DATA"):
            monkeypatch.delenv(f"XDG_{name}_HOME", raising=False)
        yield made


def run(*words):
    """The command line in a process of its own: (exit code, stdout, stderr)."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("TRAINDECK_")}
    done = subprocess.run(
        [sys.executable, "-m", "tui", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**env, "PYTHONPATH": os.getcwd(), "KUBECONFIG": ""},
    )
    return done.returncode, done.stdout, done.stderr


def test_the_verbs_say_which_file(disk):
    code, _, _ = run("submit", "--follow", "--name", "first", "--", "true")
    assert code == 0
    disk.fill()
    for words in (("use", "local"), ("config", "--init"), ("submit", "--name", "d2", "--", "true")):
        disk.fill()  # the job may have given room back
        code, _, error = run(*words)
        assert (code, WORDS in error, str(disk.path) in error) == (1, True, True), error
        assert "df -h" in error
        assert "defect" not in error
    code, out, _ = run("jobs", "-o", "name")
    assert (code, "first" in out, "d2" in out) == (0, True, False)
    assert run("logs", "first")[0] == 0
    assert run("delete", "first", "--yes")[0] == 0
    disk.make_room()
    assert run("config", "--init")[0] == 0
    assert run("config")[0] == 0


@pytest.mark.parametrize("write", [write_private, lambda path, new: update_private(path, lambda _: new)])
def test_a_file_that_is_kept_keeps_its_old_content(disk, write):
    path = disk.path / "kept" / "file"
    write(path, b"old")
    disk.fill()
    with pytest.raises(Exception, match=r"(?i)no space left") as caught:
        write(path, bytes(8192))
    assert str(path) in str(caught.value)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_a_new_file_is_whole_or_not_there(disk):
    disk.fill()
    with pytest.raises(OSError, match="No space left"):
        create_private(disk.path / "new", bytes(8192))
    with pytest.raises(OSError, match="No space left"), whole_file(disk.path / "other") as file:
        file.write(bytes(8192))
    assert [entry.name for entry in disk.path.iterdir()] == ["filler"]


def test_a_file_is_replaced_when_the_new_one_is_whole(disk):
    path, link = disk.path / "log.txt", disk.path / "link"
    with whole_file(path) as file:
        file.write(b"old")
    link.symlink_to(path)
    with pytest.raises(FileExistsError), whole_file(path):
        pass
    with whole_file(link, overwrite=True) as file:
        file.write(b"new")
    assert (link.is_symlink(), path.read_bytes()) == (True, b"new")
    disk.fill()
    with pytest.raises(OSError, match="No space left"), whole_file(path, overwrite=True) as file:
        file.write(bytes(8192))
    assert path.read_bytes() == b"new"
    with (
        whole_file(path.with_name("null"), overwrite=True),
        pytest.raises(FileExistsError),
        whole_file(path.with_name("null")),
    ):
        pass


async def test_a_form_that_is_not_saved_says_why(disk):
    form = Autosave("local")
    await form.save({"command": "old"})
    assert form.error == ""
    disk.fill()
    await form.save({"command": "x" * 8192})
    assert form.error == WORDS
    form.release()
    assert (await Autosave("local").take_over()).texts == {"command": "old"}


def test_a_defect_is_told_without_its_report(disk):
    (disk.path / ".local" / "state" / "traindeck" / "crash").mkdir(parents=True)
    disk.fill()
    assert crash_report.sentence(ValueError("x" * 8192)).endswith(f"traindeck/crash: {WORDS}")
    assert not list(disk.path.rglob("*.txt"))
