"""What has come of a file, beside the place where it will stand: it gets its name when it is whole."""

import contextlib
import fcntl
import hashlib
import os
import re
import stat
from pathlib import Path
from typing import BinaryIO

from backend_client.copying.scripts import BLOCK
from backend_client.errors import Conflict


def part_name(name: str, *version: object) -> str:
    """Return the name of a part: each version of a source has its own, so that no two are ever mixed."""
    digest = hashlib.blake2b("\n".join(map(str, version)).encode(errors="surrogateescape"), digest_size=8)
    short = name.encode(errors="surrogateescape")[:200].decode(errors="ignore")
    return f".{short}.{digest.hexdigest()}.part"


class PartFile:
    """A part, open and locked. All that is done with it takes as long as the disk does."""

    def __init__(self, target: Path, *version: object) -> None:
        """Open what an earlier copy of the same version has left, or begin. Raises Conflict, OSError."""
        self.target = target.resolve() if target.is_symlink() else target
        self.path = self.target.with_name(part_name(self.target.name, *version))
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        self.file: BinaryIO = os.fdopen(os.open(self.path, flags, 0o600), "r+b", buffering=0)
        try:
            found = os.fstat(self.file.fileno())
            _check(found, self.path)
            _lock(self.file, self.target)
            self.cut(found.st_size // BLOCK * BLOCK)
        except BaseException:
            self.file.close()
            raise
        self._remove_others()

    def cut(self, size: int) -> None:
        """Forget what is behind so many bytes."""
        self.file.truncate(size)
        self.file.seek(size)
        self.size = size

    def add(self, data: bytes | bytearray) -> None:
        """Write what follows."""
        view = memoryview(data)
        while view:
            written = self.file.write(view)
            self.size += written
            view = view[written:]

    def finish(self, mode: int) -> None:
        """Give it its name, with these permissions, less those that this process gives to no file."""
        os.fchmod(self.file.fileno(), mode & 0o777 & ~own_umask())
        os.fsync(self.file.fileno())
        self.path.replace(self.target)
        sync_folder(self.target.parent)

    def discard(self) -> None:
        """Remove it."""
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Leave it as it is, for a later copy to go on."""
        self.file.close()

    def _remove_others(self) -> None:
        """Remove the parts of other versions, unless somebody writes to them."""
        pattern = re.compile(re.escape(self.path.name[: -len("0" * 16 + ".part")]) + r"[0-9a-f]{16}\.part")
        with contextlib.suppress(OSError), os.scandir(self.target.parent) as entries:
            for entry in entries:
                if entry.name != self.path.name and pattern.fullmatch(entry.name):
                    _remove_unlocked(Path(entry.path))


def own_umask() -> int:
    """Return the permissions that this process gives to no file."""
    umask = os.umask(0)
    os.umask(umask)
    return umask


def sync_folder(folder: Path) -> None:
    """Make the names of a folder survive a loss of power, where the file system can."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check(found: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_nlink != 1:
        raise Conflict(f"{path} is not of an earlier copy.", "Remove it, then copy again.")


def _lock(file: BinaryIO, target: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Conflict(f"Another copy to {target} is under way.") from None
    except OSError:  # a file system that has no locks
        return


def _remove_unlocked(path: Path) -> None:
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
        finally:
            os.close(descriptor)
