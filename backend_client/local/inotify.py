"""inotify(7) by ctypes, so that nothing polls. Standard library alone."""

import contextlib
import ctypes
import errno
import os
import struct
from pathlib import Path

MODIFY, CLOSE_WRITE, MOVED_TO, CREATE, DELETE = 0x2, 0x8, 0x80, 0x100, 0x200
DELETE_SELF, OVERFLOW = 0x400, 0x4000
_HEAD = struct.Struct("iIII")
_libc = ctypes.CDLL(None, use_errno=True)


class Inotify:
    """A descriptor (`fd`) that becomes readable when something happens in a watched folder."""

    def __init__(self) -> None:
        self.fd = _check(_libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK), "inotify")

    def add(self, path: Path, mask: int) -> int:
        """Watch a folder or file, and return the number that `read` names it by. Raises OSError."""
        return _check(_libc.inotify_add_watch(self.fd, os.fsencode(path), mask), str(path))

    def read(self) -> list[tuple[int, int, str]]:
        """Read the events since the last call: (watch, mask, file name). Never blocks."""
        events = []
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self.fd, 65536):
                offset = 0
                while offset < len(data):
                    watch, mask, _, length = _HEAD.unpack_from(data, offset)
                    offset += _HEAD.size + length
                    events.append((watch, mask, os.fsdecode(data[offset - length : offset].rstrip(b"\0"))))
        return events

    def close(self) -> None:
        os.close(self.fd)


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        if number == errno.ENOSPC:  # the kernel's word for it; the disk has nothing to do with it
            raise OSError(errno.EMFILE, "your limit of inotify watches is reached", what)
        raise OSError(number, os.strerror(number), what)
    return result
