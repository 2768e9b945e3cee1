"""A folder out of an archive that may be anybody's, as it comes: nothing of it is written outside."""

import os
import tarfile
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct, field

from backend_client.text.sanitize import clean

_MOST_NAMED = 5


class Unpacked(Struct):
    """What has come of an archive."""

    files: int = 0
    refused: int = 0
    """Members that lead outside, or are neither files nor folders nor links."""
    why: list[str] = field(default_factory=list)
    """Of the first of them, in words, safe to show."""


def unpack_stream(stream: BinaryIO, folder: Path) -> Unpacked:
    """Unpack a tar archive into a folder that is new and nobody else's.

    The checks of single members are tarfile's own (PEP 706). Symbolic links are made last, so that nothing is
    ever written through one; then those that lead outside by way of others are removed. Raises OSError,
    tarfile.TarError.
    """
    made, links, folder = Unpacked(), list[tarfile.TarInfo](), folder.resolve()
    with tarfile.open(fileobj=stream, mode="r|", encoding="utf-8", errors="surrogateescape") as tar:
        while member := tar.next():
            vars(tar)["members"] = []  # it keeps all that it saw, for a search
            if member.issym():
                links.append(member)
            elif member.isreg() or member.isdir() or member.islnk():
                _extract(tar, member, folder, made)
            else:
                _refuse(made, member, "is a device or a pipe")
        for member in links:
            if (folder / member.name).parent.resolve() == (folder / member.name).parent:
                _extract(tar, member, folder, made)
            else:
                _refuse(made, member, "stands behind a link")
    _remove_leading_outside([folder / member.name for member in links], folder, made)
    return made


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, made: Unpacked) -> None:
    # Where a link cannot be made, tarfile searches the archive for what it leads to: it reads what has not
    # come yet, and so nothing of that is unpacked (TarFile.makelink).
    if (member.issym() or member.islnk()) and os.path.lexists(folder / member.name):
        return _refuse(made, member, "is there twice")
    if member.islnk() and not (folder / member.linkname).is_file():
        return _refuse(made, member, "is a second name of what is not there")
    try:
        tar.extract(member, folder, set_attrs=not member.isdir(), filter="data")
        made.files += not member.isdir()
    except tarfile.ReadError:  # the archive ends here
        raise
    except (tarfile.TarError, KeyError, ValueError) as error:
        _refuse(made, member, clean(error, 200))
    except (FileExistsError, IsADirectoryError):
        _refuse(made, member, "is there twice")
    return None


def _refuse(made: Unpacked, member: tarfile.TarInfo, why: str) -> None:
    made.refused += 1
    if len(made.why) < _MOST_NAMED:
        made.why.append(f"{clean(member.name, 200)}: {why}")


def _remove_leading_outside(links: list[Path], folder: Path, made: Unpacked) -> None:
    """Remove links, until none is left that leads outside, or nobody knows where to."""
    inside, again = f"{os.path.realpath(folder)}{os.sep}", True
    while again:
        again = False
        for link in links:
            if link.is_symlink() and not f"{_end_of(link)}{os.sep}".startswith(inside):
                link.unlink()
                made.files -= 1
                made.refused += 1
                again = True
                if len(made.why) < _MOST_NAMED:
                    made.why.append(f"{clean(link.name, 200)}: leads outside or in a circle")


def _end_of(link: Path) -> str:
    try:
        return os.path.realpath(link, strict=True)
    except FileNotFoundError:  # what it leads to is not there
        return os.path.realpath(link)
    except OSError:  # too long, or a circle
        return ""
