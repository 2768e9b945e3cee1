"""Small disks of their own, to be filled: tmpfs mounts, which only root may make."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_libc = ctypes.CDLL(None, use_errno=True)
_MS_RDONLY, _MS_REMOUNT, _MNT_DETACH = 1, 32, 2


class SmallDisk:
    """A tmpfs of some KiB at `path`."""

    def __init__(self, path: Path, kib: int) -> None:
        self.path = path
        self._filler = path / "filler"
        self._mount(f"size={kib}k")

    def fill(self) -> None:
        """Write until nothing goes in any more; once more is allowed."""
        fd = os.open(self._filler, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            while True:
                os.write(fd, bytes(4096))
        except OSError:
            pass
        finally:
            os.close(fd)

    def make_room(self) -> None:
        """Remove what `fill` has written."""
        self._filler.unlink(missing_ok=True)

    def read_only(self, value: bool) -> None:
        """Remount it. Raises OSError while a file is open for writing."""
        self._mount("", _MS_REMOUNT | (_MS_RDONLY if value else 0))

    def unmount(self) -> None:
        _libc.umount2(os.fsencode(self.path), _MNT_DETACH)

    def _mount(self, options: str, flags: int = 0) -> None:
        place = os.fsencode(self.path)
        if _libc.mount(b"tmpfs", place, b"tmpfs", flags, options.encode()):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(self.path))


@contextmanager
def small_disk(path: Path, kib: int) -> Iterator[SmallDisk]:
    """Mount a small disk; the test is skipped where we may not."""
    path.mkdir(parents=True, exist_ok=True)
    try:
        disk = SmallDisk(path, kib)
    except OSError as error:
        pytest.skip(f"a small disk to fill is a mount, which only root may make ({error.strerror})")
    try:
        yield disk
    finally:
        disk.unmount()
