"""A folder of this machine as a stream of tar."""

import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISDIR, S_ISLNK, S_ISREG
from typing import BinaryIO

from backend_client.text.sanitize import clean

_BUFFER = 256 * 1024


def pack_stream(stream: BinaryIO, folder: Path) -> list[str]:
    """Write what a folder has as an archive; return a sentence for each thing that was left out or changed.

    Links stay links. Owners do not go along: whoever unpacks owns. Raises OSError.
    """
    told = []
    with tarfile.open(
        fileobj=stream, mode="w|", bufsize=_BUFFER, encoding="utf-8", errors="surrogateescape"
    ) as tar:
        for path, name in _walk(folder):
            if why := _add(tar, path, name):
                told.append(f"{clean(path, 300)}: {why}.")
    return told


def _walk(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield path and name of everything in a folder, folders before what is in them."""
    yield str(folder), "."
    with os.scandir(folder) as entries:
        waiting = sorted(((entry.path, f"./{entry.name}") for entry in entries), reverse=True)
    while waiting:
        path, name = waiting.pop()
        yield path, name
        if S_ISDIR(os.lstat(path).st_mode):
            with os.scandir(path) as entries:
                waiting += sorted(((entry.path, f"{name}/{entry.name}") for entry in entries), reverse=True)


def _add(tar: tarfile.TarFile, path: str, name: str) -> str:
    """Add one entry; return what is wrong with it, as a fragment."""
    found, info = os.lstat(path), tarfile.TarInfo(name)
    info.mode, info.mtime = found.st_mode & 0o777, int(found.st_mtime)
    if S_ISREG(found.st_mode):
        return _add_file(tar, path, info)
    if S_ISDIR(found.st_mode):
        info.type, info.mode = tarfile.DIRTYPE, info.mode | 0o700
    elif S_ISLNK(found.st_mode):
        info.type, info.linkname = tarfile.SYMTYPE, str(Path(path).readlink())
    else:
        return "left out, it is neither a file nor a folder nor a link"
    tar.addfile(info)
    return ""


def _add_file(tar: tarfile.TarFile, path: str, info: tarfile.TarInfo) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        before = os.fstat(descriptor)
        info.size = before.st_size
        tar.addfile(info, file)
        after = os.fstat(descriptor)
    changed = (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns)
    return "was changed while it was read" if changed else ""
