"""Faults of a disk in words: which file, what is the matter, what to do next. Standard library alone."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backend_client.errors import Refused

_WORDS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EIO: "the disk fails",
    errno.EFBIG: "it would be larger than a file may be here",
}
_HINTS = {
    errno.ENOSPC: "Make room there, then do it again. How full it is: df -h {folder}",
    errno.EDQUOT: "Remove files of yours, or ask for a larger quota. How much is left: quota -s",
    errno.EROFS: "Whoever looks after this machine can say why; remounted for writing, it goes on.",
    errno.EIO: "Whoever looks after this machine should know: its file system may be damaged.",
    errno.EFBIG: "The limit is that of this shell: ulimit -f",
}


def is_disk_fault(error: OSError) -> bool:
    """Return True where the disk refuses to write, whatever is written."""
    return error.errno in _WORDS


def disk_words(error: OSError) -> str:
    """Return what is the matter, as a fragment: "the disk is full (No space left on device)"."""
    words = _WORDS.get(error.errno or 0)
    if words:
        return f"{words} ({os.strerror(error.errno or 0)})"
    return (error.strerror or str(error)).lower()


def cannot_write(error: OSError, path: Path | str = "") -> Refused:
    """Return the error for a person: which file (without a `path` that of the OSError), and why."""
    where = str(path or error.filename or "")
    hint = _HINTS.get(error.errno or 0, "").format(folder=_existing_folder(where))
    return Refused(f"{where or 'A file'} cannot be written: {disk_words(error)}.", hint)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Give an OSError of a write, which has none, the name of the file."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def _existing_folder(path: str) -> str:
    folders = Path(path).parents if path else []
    return next((str(folder) for folder in folders if folder.is_dir()), "~")
