"""The files of a folder that go with a job, and what of it is left out. Nothing is followed out of it."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from backend_client.code.ignore import (
    OWN_FILE,
    GitIgnoreFiles,
    GitListing,
    OwnIgnore,
    always_left_out,
    looks_secret,
)
from backend_client.disk_errors import disk_words
from backend_client.errors import Invalid
from backend_client.git import git_files
from backend_client.text.sanitize import clean

MOST_FILES = 100_000
_MOST_COUNTED = 20_000
"""Entries of a folder that is left out whose sizes are added up."""


class Entry(Struct, frozen=True):
    """A file, or a link that stays within the folder."""

    path: str
    """With / between its parts; bytes that are no UTF-8 as surrogates."""
    size: int = 0
    target: str = ""
    """Of a link."""
    executable: bool = False


class LeftOut(Struct, frozen=True):
    """What does not go with the job."""

    path: str
    """Of a folder with / at its end."""
    why: str
    """"" for what nobody expects in a job: .git."""
    size: int = 0
    at_least: bool = False
    """It is larger: not all of it was counted."""


class Listing(Struct, frozen=True):
    """What a folder has for a job."""

    entries: tuple[Entry, ...]
    left_out: tuple[LeftOut, ...]
    secrets: tuple[str, ...]
    """Files that look like logins or keys, by their names."""
    allowed: frozenset[str]
    """Files that a line with ! in .traindeckignore takes along, whatever is in them."""


class _GitRules(Protocol):
    def leaves_out(self, path: str, *, folder: bool) -> bool: ...


def folder_of(text: str, base: Path | None = None) -> Path:
    """Return the folder that a person means, real and absolute. Raises Invalid where it is none, or too much.

    `base`: what a relative one is relative to, instead of the current folder.
    """
    try:
        named = Path(text).expanduser()
        folder = ((base or Path.cwd()) / named).resolve()
        is_folder = folder.is_dir()
    except (OSError, RuntimeError, ValueError) as error:
        raise Invalid({"code": f"{clean(text)} cannot be looked at: {error}"}) from None
    if not is_folder:
        raise Invalid({"code": f"there is no folder {clean(folder)}"})
    home = Path(os.path.expanduser("~")).resolve()  # noqa: PTH111  Path.home() raises where there is none
    if folder == home or folder in home.parents or folder == Path("/"):
        raise Invalid({"code": f"{clean(folder)} is a whole home or more; name the folder of the code"})
    return folder


def list_folder(folder: Path) -> Listing:
    """List what of a folder goes with a job. Raises Invalid: too many files, or one that cannot be read."""
    return _Walk(folder).listing()


class _Walk:
    """One look at a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own = OwnIgnore(folder)
        listed = git_files(folder)
        self._git: _GitRules = GitIgnoreFiles(folder) if listed is None else GitListing(listed)
        self._left_out: list[LeftOut] = []
        self._secrets: list[str] = []
        self._allowed: set[str] = set()

    def listing(self) -> Listing:
        """Walk, and return what was found, sorted."""
        entries = sorted(self._entries(), key=lambda entry: os.fsencode(entry.path))
        left_out = sorted(self._left_out, key=lambda one: (-one.size, one.path))
        return Listing(
            tuple(entries), tuple(left_out), tuple(sorted(self._secrets)), frozenset(self._allowed)
        )

    def _entries(self) -> Iterator[Entry]:
        """Yield what goes along, folder by folder, each with why all is left out there that no ! names."""
        count, pending = 0, [("", "")]
        while pending:
            where, inherited = pending.pop()
            for item in self._scan(where):
                path = f"{where}/{item.name}" if where else item.name
                is_folder = item.is_dir(follow_symlinks=False)
                why = self._why_left_out(path, inherited, folder=is_folder)
                if is_folder and (why is None or self._own.reaches_into(path)):
                    pending.append((path, why or ""))
                if why is not None and not inherited:
                    self._leave_out(item, path, why, folder=is_folder)
                if why is None and not is_folder and (entry := self._entry(item, path)):
                    count += 1
                    if count > MOST_FILES:
                        raise Invalid({"code": self._too_many(path)})
                    yield entry

    def _scan(self, where: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self._folder / where) as items:
                return list(items)
        except OSError as error:
            raise unreadable(where or str(self._folder), error) from None

    def _why_left_out(self, path: str, inherited: str, *, folder: bool) -> str | None:
        """Return why a path does not go along; None where it does."""
        said = self._own.decide(path, folder=folder)
        if said is False:
            self._allowed.add(path)
            return None
        if said:
            return OWN_FILE
        if always_left_out(path, folder=folder):
            return "always"
        if inherited:
            return inherited
        return ".gitignore" if self._git.leaves_out(path, folder=folder) else None

    def _leave_out(self, item: os.DirEntry[str], path: str, why: str, *, folder: bool) -> None:
        if not (folder or item.is_symlink() or item.is_file(follow_symlinks=False)):
            why = "no plain file"
        size, at_least = _size(item, folder=folder)
        if folder and not size and not at_least:
            return
        self._left_out.append(LeftOut(f"{path}/" if folder else path, why, size, at_least))

    def _entry(self, item: os.DirEntry[str], path: str) -> Entry | None:
        try:
            found = item.stat(follow_symlinks=False)
        except FileNotFoundError:  # gone since it was listed
            return None
        except OSError as error:
            raise unreadable(path, error) from None
        if stat.S_ISLNK(found.st_mode):
            return self._link(path)
        if not stat.S_ISREG(found.st_mode):
            self._left_out.append(LeftOut(path, "no plain file"))
            return None
        if looks_secret(path) and path not in self._allowed:
            self._secrets.append(path)
        return Entry(path, found.st_size, executable=bool(found.st_mode & 0o111))

    def _link(self, path: str) -> Entry | None:
        """Return a link that leads to somewhere in the folder, relative; one that leads out is left out."""
        link = self._folder / path
        try:
            target, end = os.fspath(link.readlink()), os.path.realpath(link)
        except OSError as error:
            raise unreadable(path, error) from None
        if not Path(end).is_relative_to(self._folder):
            self._left_out.append(LeftOut(path, "a link out of the folder"))
            return None
        # One that is absolute, or passes outside on its way, would lead to nowhere in the pod.
        if Path(target).is_absolute() or _climbs_out(target, path.count("/")):
            target = os.path.relpath(end, os.path.realpath(link.parent))
        return Entry(path, target=target)

    def _too_many(self, path: str) -> str:
        where = path.rpartition("/")[0]
        return (
            f"more than {MOST_FILES:,} files, among them those in {clean(where or '.')}/: "
            f"leave out in {OWN_FILE} what the job does not need"
        )


def unreadable(path: str, error: OSError) -> Invalid:
    """Return the error of a file or folder that cannot be read."""
    return Invalid(
        {"code": f"{clean(path)} cannot be read ({disk_words(error)}); leave it out in {OWN_FILE}"}
    )


def _climbs_out(target: str, depth: int) -> bool:
    """Return whether a link's way leaves the folder; `depth`: how many folders below it the link lies."""
    for part in target.split("/"):
        depth += -1 if part == ".." else part not in ("", ".")
        if depth < 0:
            return True
    return False


def _size(item: os.DirEntry[str], *, folder: bool) -> tuple[int, bool]:
    """Add up what is left out, as far as that is quick; (bytes, whether it is more)."""
    try:
        if not folder:
            return item.stat(follow_symlinks=False).st_size, False
    except OSError:
        return 0, False
    total = counted = 0
    for where, _, names in os.walk(item.path):
        for name in names:
            counted += 1
            if counted > _MOST_COUNTED:
                return total, True
            try:
                total += os.lstat(os.path.join(where, name)).st_size  # noqa: PTH118  quicker, and many
            except OSError:
                continue
    return total, False
