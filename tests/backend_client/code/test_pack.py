"""Folders as they are packed: what goes along, what does not, and that nothing of it gets out."""

import contextlib
import io
import os
import socket
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_client.code import folder as folders
from backend_client.code import pack as packing
from backend_client.code.folder import folder_of, list_folder
from backend_client.code.ignore import GitIgnoreFiles
from backend_client.code.pack import pack
from backend_client.code.unpack import unpack
from backend_client.code_bundle import Bundle
from backend_client.errors import Invalid, Refused
from backend_client.git import git_facts, without_login

MIB = 2**20


def write(folder: Path, **files: str) -> None:
    """Write files; __ in a name is a /, a name that begins with it gets a dot."""
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("DOT", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    done = subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


def names(bundle: Bundle) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(bundle.data)) as tar:
        return tar.getnames()


def words(text: object, limit: int = MIB) -> str:
    with pytest.raises(Invalid) as caught:
        pack(str(text), limit)
    return caught.value.fields["code"]


@pytest.fixture(params=[True, False], ids=["git", "no git"])
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path / "proj"
    folder.mkdir()
    if request.param:
        git(folder, "init", "-q")
    return folder


def test_what_is_ignored_stays_and_a_line_with_an_exclamation_mark_takes_it_along(tree: Path) -> None:
    write(tree, a="1", data__big="x" * 5000, data__tiny="t", sub__b="2", sub__DOTgitignore="*.log\n")
    write(tree, sub__xDOTlog="l", __pycache__c="p", notes="n", DOTgitignore="data/\n")
    write(tree, DOTtraindeckignore="notes\n!data/tiny\n")
    found = pack(str(tree), MIB)
    assert [name for name in names(found) if not name.startswith("/")] == [
        ".gitignore", ".traindeckignore", "a", "data/tiny", "sub/.gitignore", "sub/b",
    ]  # fmt: skip
    assert "6 files" in found.about
    assert "data/ (4.9Ki, .gitignore)" in found.about


def test_the_same_files_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(tmp_path / name, b="2", a="1", **{"x" * 150: "long"})
        (tmp_path / name / "link").symlink_to("a")
        (tmp_path / name / os.fsdecode(b"\xff")).write_text("")
    os.utime(tmp_path / "two" / "a", (0, 0))
    one, two = (pack(str(tmp_path / name), MIB) for name in ("one", "two"))
    assert one.data == two.data
    assert unpack(one.data, tmp_path / "back") == 5
    assert list_folder(tmp_path / "back").entries == list_folder(tmp_path / "one").entries
    with pytest.raises(Refused, match="is not empty"):
        unpack(one.data, tmp_path / "back")


def test_nothing_leads_out_and_nothing_waits(tree: Path, tmp_path: Path) -> None:
    write(tmp_path, secret="s")
    write(tree, a="1", sub__b="2")
    os.mkfifo(tree / "fifo")
    for name, target in {
        "out": "../secret", "whole": str(tree / "a"), "round": "../proj/a", "loop": "loop", "up": "/",
    }.items():  # fmt: skip
        (tree / name).symlink_to(target)
    found = list_folder(tree)
    assert {entry.path: entry.target for entry in found.entries if entry.target} == {
        "whole": "a", "round": "a", "loop": "loop",
    }  # fmt: skip
    assert {one.path for one in found.left_out if one.why == "a link out of the folder"} == {"out", "up"}
    assert "fifo" in {one.path for one in found.left_out}
    pack(str(tree), MIB)


def test_names_that_steer_lead_up_or_look_like_flags_are_names(tree: Path, tmp_path: Path) -> None:
    hostile = ["..\\up", "-rf", "--checkpoint-action=exec=sh", "new\nline", "\x1b[31mred", "a b*?[x]", "..."]
    for name in hostile:
        (tree / name).write_text(name)
        (tree / "deep").mkdir(exist_ok=True)
        (tree / "deep" / name).write_text(name)
    found = pack(str(tree), MIB)
    assert sorted(names(found)) == sorted(hostile + [f"deep/{name}" for name in hostile])
    assert unpack(found.data, tmp_path / "back") == 2 * len(hostile)
    assert {path.name for path in (tmp_path / "back" / "deep").iterdir()} == set(hostile)
    (tree / "\x1b[31mred").write_bytes(os.urandom(5000))
    assert "\x1b" not in words(tree, 1024)


def test_sockets_and_devices_stay(tree: Path) -> None:
    write(tree, a="1")
    with socket.socket(socket.AF_UNIX) as listening, contextlib.chdir(tree):
        listening.bind("sock")
        with contextlib.suppress(PermissionError):  # for who is not root
            os.mknod("null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
            os.mknod("disk", stat.S_IFBLK | 0o666, os.makedev(7, 200))
    found = list_folder(tree)
    assert [entry.path for entry in found.entries] == ["a"]
    assert "sock" in {one.path for one in found.left_out if one.why == "no plain file"}
    assert names(pack(str(tree), MIB)) == ["a"]


@pytest.mark.parametrize(
    ("name", "kind", "target"),
    [
        ("../out", tarfile.REGTYPE, ""),
        ("/tmp/traindeck-out", tarfile.REGTYPE, ""),
        ("a/../../out", tarfile.REGTYPE, ""),
        ("link", tarfile.SYMTYPE, "../out"),
        ("link", tarfile.SYMTYPE, "/etc/passwd"),
        ("hard", tarfile.LNKTYPE, "../out"),
        ("device", tarfile.CHRTYPE, ""),
        ("fifo", tarfile.FIFOTYPE, ""),
    ],
)
def test_what_is_given_back_stays_in_its_folder(name: str, kind: bytes, target: str, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, target
        tar.addfile(member)
    with contextlib.suppress(Refused):
        unpack(packed.getvalue(), tmp_path / "in")
    assert {path.name for path in tmp_path.iterdir()} == {"in"}
    assert not Path("/tmp/traindeck-out").exists()
    assert not any(path.is_symlink() for path in (tmp_path / "in").rglob("*"))


class WrittenTo(io.FileIO):
    """A file that somebody writes to in the middle of a reading, as often as is `left`."""

    path: Path
    left = 0

    def read(self, size: int | None = -1, /) -> bytes:
        half = super().read(3)
        if WrittenTo.left:
            WrittenTo.left -= 1
            self.path.write_text(f"{WrittenTo.left:03}-{WrittenTo.left:03}")
        return half + super().read(size)


@pytest.mark.parametrize("times", [1, 4, 1000])
def test_a_file_that_changes_while_it_is_read_is_that_of_one_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    write(tmp_path, a="999-999")
    monkeypatch.setattr(packing, "open", WrittenTo, raising=False)
    monkeypatch.setattr(WrittenTo, "path", tmp_path / "a", raising=False)
    monkeypatch.setattr(WrittenTo, "left", times)
    if times == 1000:
        assert words(tmp_path) == (
            "a changes while it is read; submit again, or leave it out in .traindeckignore"
        )
        return
    with tarfile.open(fileobj=io.BytesIO(pack(str(tmp_path), MIB).data)) as tar:
        (content,) = [tar.extractfile(member) for member in tar]
        assert content
        assert content.read() == b"000-000"


def test_what_looks_like_a_secret_stops_it_by_name(tree: Path) -> None:
    write(tree, a="1", DOTenv="TOKEN=1", deep__id_rsa="k", code="token = 'hf_" + "a" * 34 + "'")
    assert words(tree).startswith(".env, deep/id_rsa look like a login or a key")
    write(tree, DOTtraindeckignore=".env\n!deep/id_rsa\n")
    assert words(tree).startswith("code looks like")
    write(tree, DOTtraindeckignore=".env\n!deep/id_rsa\n!code\n")
    assert {"code", "deep/id_rsa"} <= set(names(pack(str(tree), MIB)))


def test_too_much_is_refused_with_the_largest_by_name(
    tree: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write(tree, a="1")
    (tree / "model.bin").write_bytes(os.urandom(3000))
    assert "1.0Ki (1,024 bytes)" in words(tree, 1024) or "1Ki (1,024 bytes)" in words(tree, 1024)
    assert "model.bin 2.9Ki, a 1B" in words(tree, 1024)
    assert "--volume" in words(tree, 100)
    monkeypatch.setattr(folders, "MOST_FILES", 1)
    assert words(tree).startswith("more than 1 files")
    monkeypatch.setenv("HOME", str(tmp_path / "proj"))
    for whole in ("~", "/", str(tmp_path)):
        assert "is a whole home or more" in words(whole)
    assert "there is no folder" in words(tree / "none")


def test_git_is_asked_for_commit_changes_and_remote(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    write(tmp_path, a="1")
    assert git_facts(tmp_path).commit == ""
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "m")
    git(tmp_path, "remote", "add", "origin", "https://ada:hf_x@git.example.org/p.git?token=1")
    clean = git_facts(tmp_path)
    assert (clean.commit, clean.dirty) == (git(tmp_path, "rev-parse", "HEAD").strip(), False)
    assert clean.remote == "https://git.example.org/p.git"
    write(tmp_path, b="2")
    assert git_facts(tmp_path).dirty
    (tmp_path / "a").unlink()
    assert names(pack(str(tmp_path), MIB)) == ["b"]


@pytest.mark.parametrize(
    ("remote", "shown"),
    [
        ("git@github.com:ada/p", "git@github.com:ada/p"),
        ("ssh://git:pw@host/p", "ssh://git@host/p"),
        ("https://token@host:8443/p", "https://host:8443/p"),
        ("http://[", ""),
    ],
)
def test_a_remote_is_recorded_without_a_login(remote: str, shown: str) -> None:
    assert without_login(remote) == shown


PART = st.sampled_from(["a", "b", "*", "**", "k.txt", "*.txt"])
LINE = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "!"]),
    st.sampled_from(["", "/"]),
    st.lists(PART, min_size=1, max_size=3).map("/".join),
    st.sampled_from(["", "/"]),
)
PATHS = ("a/k.txt", "a/b/k.txt", "b/a", "b/b/b", "k.txt", "a/b/a/k.txt")


@given(lines=st.lists(LINE, min_size=1, max_size=3))
@settings(max_examples=40, derandomize=True)
def test_patterns_mean_what_git_takes_them_for(
    lines: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    tree = tmp_path_factory.mktemp("tree")
    git(tree, "init", "-q")
    for path in PATHS:
        write(tree, **{path.replace("/", "__"): ""})
    (tree / ".gitignore").write_text("\n".join(lines))
    theirs = set(git(tree, "ls-files", "-co", "--exclude-standard").split("\n")) - {"", ".gitignore"}
    rules = GitIgnoreFiles(tree)

    def stays(path: str) -> bool:
        parts = path.split("/")
        inner = ["/".join(parts[: count + 1]) for count in range(len(parts) - 1)]
        return not any(rules.leaves_out(one, folder=True) for one in inner) and not rules.leaves_out(
            path, folder=False
        )

    assert {path for path in PATHS if stays(path)} == theirs


def test_a_relative_folder_is_relative_to_what_is_said(tmp_path: Path) -> None:
    write(tmp_path, x__a="1")
    assert folder_of("x", tmp_path) == (tmp_path / "x").resolve()
