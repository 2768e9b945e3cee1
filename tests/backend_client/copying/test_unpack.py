"""Archives that want to write elsewhere: they do not."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from backend_client.copying.unpack import unpack_stream


def archive(*members):
    """(name, type, link or content) -> a stream."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w|") as tar:
        for name, kind, value in members:
            info = tarfile.TarInfo(name)
            info.type, info.mode = kind, 0o4777
            if kind == tarfile.REGTYPE:
                info.size = len(value)
                tar.addfile(info, io.BytesIO(value))
            else:
                info.linkname = value
                tar.addfile(info)
    return io.BytesIO(out.getvalue())


FILE, LINK, HARD, DIR = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE
EVIL = {
    "dots": [("../out", FILE, b"x")],
    "link and through it": [("a", LINK, ".."), ("a/out", FILE, b"x")],
    "absolute link": [("a", LINK, "/etc"), ("a/passwd", FILE, b"x")],
    "hard link": [("a", HARD, "../secret")],
    "hard link, absolute": [("a", HARD, "/etc/passwd")],
    "link over link": [
        ("d", DIR, ""),
        ("d/x", LINK, "."),
        ("a", LINK, "d/x/../../.."),
        ("a/out", FILE, b"x"),
    ],
    "link moved by another": [("d", DIR, ""), ("d/e", DIR, ""), ("up", LINK, "l/../.."), ("l", LINK, "d/e")],
    "device": [("null", tarfile.CHRTYPE, "")],
    "pipe": [("pipe", tarfile.FIFOTYPE, "")],
    "circle": [("a", LINK, "b"), ("b", LINK, "a"), ("c", LINK, "c")],
    "circle, and through it": [("a", LINK, "b"), ("b", LINK, "a"), ("a/c", FILE, b"x")],
    "hard link to nothing": [("a", HARD, "none")],
    "hard link to a link": [("a", LINK, "good"), ("b", HARD, "a")],
    "hard link, twice": [("x", FILE, b"x"), ("a", HARD, "x"), ("a", HARD, "x")],
    "file over a folder": [("d", DIR, ""), ("d", FILE, b"x")],
}


@pytest.mark.parametrize("name", EVIL)
def test_nothing_leads_outside(tmp_path, name):
    (tmp_path / "secret").write_text("s")
    folder = tmp_path / "in"
    folder.mkdir()
    made = unpack_stream(archive(*EVIL[name], ("good", FILE, b"g")), folder)
    assert sorted(os.listdir(tmp_path)) == ["in", "secret"]
    assert (tmp_path / "secret").stat().st_nlink == 1
    assert (folder / "good").read_bytes() == b"g"
    for top, folders, files in os.walk(folder):
        for entry in (*folders, *files):
            assert os.path.realpath(os.path.join(top, entry)).startswith(f"{folder}/"), entry
            assert not os.lstat(os.path.join(top, entry)).st_mode & 0o6022 or os.path.islink(
                os.path.join(top, entry)
            )
    assert made.refused == (2 if name == "circle" else 1), made  # without "a" nothing goes round by "b"
    entries = [Path(top, entry) for top, folders, files in os.walk(folder) for entry in (*folders, *files)]
    assert made.files == sum(entry.is_symlink() or entry.is_file() for entry in entries)


def test_what_is_cut_off_is_no_archive(tmp_path):
    whole = archive(("a", FILE, b"x" * 5000), ("b", FILE, b"y" * 5000)).getvalue()
    with pytest.raises(tarfile.TarError):
        unpack_stream(io.BytesIO(whole[:7000]), tmp_path)
