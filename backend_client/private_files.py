"""Atomic writes of small private files (0600 in a 0700 folder); reads refuse what others could change.

A reader sees the old content or the new, never half of it. Standard library alone.
"""

import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from backend_client.disk_errors import cannot_write, naming
from backend_client.errors import Refused

OTHERS = 0o077
"""Mode bits that let others use a file."""
WRITERS = 0o022
"""Mode bits that let others change it."""
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LONGEST = 2**20
WRITER_SECONDS = 5.0
"""Seconds for another writer to end; one that takes longer has died."""


def read_private(path: Path, forbidden: int = OTHERS, *, longest: int = _LONGEST) -> bytes:
    """Return the content of a file (`longest` bytes at most), b"" where there is none.

    Raises Refused where the file or its folder is another's, a link, or has one of the mode's `forbidden`
    bits; the sentence says where it is and what mends it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError as error:
        why = "is a link" if path.is_symlink() else f"cannot be read ({(error.strerror or '').lower()})"
        raise Refused(f"{path} {why}.", "Put a plain file of your own there, or take it away.") from None
    with os.fdopen(descriptor, "rb") as file:
        _check(path, os.fstat(descriptor), forbidden)
        _check_folder(path.parent)
        return file.read(longest)


def _check(path: Path, status: os.stat_result, forbidden: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise Refused(f"{path} is no plain file.", "Take it away.")
    if status.st_uid != os.geteuid():
        raise Refused(f"{path} belongs to another user, so it is not read.", "Take it away, or log in anew.")
    if status.st_mode & forbidden:
        what = "read" if status.st_mode & forbidden & 0o044 else "change"
        mode = stat.S_IMODE(status.st_mode)
        raise Refused(
            f"Others can {what} {path} (its mode is {mode:04o}), so it is not read.",
            f"chmod 600 {path}   and, where somebody may have looked, log in again: that makes a new token.",
        )


def _check_folder(folder: Path) -> None:
    status = folder.stat()
    if status.st_uid not in (os.geteuid(), 0) or status.st_mode & WRITERS:
        raise Refused(f"Others can change what lies in {folder}, so it is not read.", f"chmod 700 {folder}")


def write_private(path: Path, content: bytes, *, sync: bool = False) -> None:
    """Replace a file, whole or not at all. Raises OSError; the old content then stays.

    `sync`: the content is on the disk before the name is; a file that cannot be made again needs that.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A name of its own for each writer: threads and hosts may write the same file at the same time.
    draft = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    with naming(path), _removed_on_failure(draft, os.open(draft, _NEW_FILE, 0o600)) as file:
        _fill(file, content, sync=sync)
        draft.replace(path)


def update_private(path: Path, change: Callable[[bytes], bytes], forbidden: int = OTHERS) -> None:
    """Replace the content of a file by `change(content)`; one writer at a time.

    Raises Refused, one sentence; the old content then stays.
    """
    draft = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.chmod(0o700)
        with _removed_on_failure(draft, _lock(draft)) as file:
            _fill(file, change(read_private(path, forbidden)), sync=True)
            draft.replace(path)
    except OSError as error:
        raise cannot_write(error, path) from None


def create_private(path: Path, content: bytes) -> None:
    """Write a new file, whole or not at all. Raises FileExistsError, or another OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with naming(path), _removed_on_failure(path, os.open(path, _NEW_FILE, 0o600)) as file:
        _fill(file, content, sync=False)


@contextmanager
def _removed_on_failure(draft: Path, descriptor: int) -> Iterator[BinaryIO]:
    with os.fdopen(descriptor, "wb") as file:
        try:
            yield file
        except BaseException:
            draft.unlink(missing_ok=True)
            raise


def _fill(file: BinaryIO, content: bytes, *, sync: bool) -> None:
    """Write all of it out: what a full disk refuses is refused before the old file is replaced."""
    file.write(content)
    file.flush()
    if sync:
        os.fsync(file.fileno())


def _lock(draft: Path) -> int:
    """Open the draft, which exists while somebody writes; O_EXCL holds on network file systems too."""
    deadline = time.monotonic() + WRITER_SECONDS
    while True:
        try:
            descriptor = os.open(draft, _NEW_FILE, 0o600)
        except FileExistsError:
            if time.monotonic() > deadline:
                with suppress(FileNotFoundError):
                    draft.unlink()
            time.sleep(0.02)
        else:
            return descriptor
