"""Small files of one person: written whole, readable by nobody else, and refused where that is not so."""

import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from backend_client.errors import Refused

OTHERS = 0o077
WRITERS = 0o022
_LONGEST = 2**20
_WAIT = 5.0
"""Seconds for another writer to end; one that takes longer has died."""


def read(path: Path, forbidden: int = OTHERS) -> bytes:
    """The content, b"" where there is no file.

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
        return file.read(_LONGEST)


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


def update(path: Path, change: Callable[[bytes], bytes], forbidden: int = OTHERS) -> None:
    """Replace the content (0600, in a 0700 folder) by what `change` makes of it; one writer at a time.

    Raises Refused in words; the old content then stays.
    """
    draft = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.chmod(0o700)
        with os.fdopen(_lock(draft), "wb") as file:
            try:
                file.write(change(read(path, forbidden)))
                file.flush()
                os.fsync(file.fileno())
                draft.replace(path)
            except BaseException:
                draft.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise Refused(f"{path} cannot be written: {(error.strerror or str(error)).lower()}.") from None


def _lock(draft: Path) -> int:
    """Open the draft, which exists while somebody writes; O_EXCL holds on network file systems too."""
    deadline = time.monotonic() + _WAIT
    while True:
        try:
            descriptor = os.open(
                draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
            )
        except FileExistsError:
            if time.monotonic() > deadline:
                with suppress(FileNotFoundError):
                    draft.unlink()
            time.sleep(0.02)
        else:
            return descriptor
