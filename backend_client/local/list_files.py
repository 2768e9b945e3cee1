"""The files of a folder of this machine."""

import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from backend_client.output_files import FileKind, OutputFile, nothing_at


def list_files(path: str) -> tuple[OutputFile, ...]:
    """List a folder, or one file. Raises NotFound where nothing is there; OSError."""
    place = Path(path)
    files = tuple(_files(place.iterdir() if place.is_dir() else [place]))
    if not files and not place.is_dir():
        raise nothing_at(path)
    return files


def _files(paths: Iterable[Path]) -> Iterator[OutputFile]:
    for path in paths:
        with suppress(FileNotFoundError, NotADirectoryError, OverflowError):  # gone meanwhile
            status = path.lstat()
            yield OutputFile(
                name=path.name,
                kind=_kind(status.st_mode),
                size=status.st_size if stat.S_ISREG(status.st_mode) else None,
                modified=datetime.fromtimestamp(int(status.st_mtime), UTC),
            )


def _kind(mode: int) -> FileKind:
    if stat.S_ISREG(mode):
        return FileKind.FILE
    if stat.S_ISDIR(mode):
        return FileKind.FOLDER
    return FileKind.LINK if stat.S_ISLNK(mode) else FileKind.OTHER
