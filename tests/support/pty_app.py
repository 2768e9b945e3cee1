"""A program in a real pseudo-terminal: keys in, and every byte that it sends, with the time it came."""

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping

from tests.support.wait import PATIENCE


class PtyApp:
    """Runs `argv`; use it as a context manager. Nothing is read unless one of the waits is called."""

    def __init__(self, argv: list[str], env: Mapping[str, str], size: tuple[int, int] = (80, 24)) -> None:
        self.started = time.monotonic()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
            os.execvpe(argv[0], argv, dict(env))
        self.sent = b""
        """All bytes so far."""
        self._typed_at: int | None = None
        """How many had come when something was typed, until that is waited for."""
        self.exit_code: int | None = None

    def __enter__(self) -> "PtyApp":
        return self

    def __exit__(self, *_: object) -> None:
        if self.exit_code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self.close()

    def close(self) -> None:
        """Hang up the terminal."""
        os.close(self._fd)

    def keys(self, text: str) -> None:
        self.type(text.encode())

    def type(self, data: bytes) -> None:
        """Send bytes as they are, and read meanwhile: a program that answers must not wait for us."""
        if self._typed_at is None:
            self._typed_at = len(self.sent)
        while data:
            if select.select([self._fd], [self._fd], [], 10)[1]:
                data = data[os.write(self._fd, data[:1024]) :]
            self.read(0)

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size, which the program is told."""
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds: float) -> bytes:
        """What comes within so many seconds; returns at once when something did."""
        if not select.select([self._fd], [], [], max(0, seconds))[0]:
            return b""
        try:
            data = os.read(self._fd, 1 << 16)
        except OSError:
            return b""
        self.sent += data
        return data

    def until(self, what: bytes | Callable[[bytes], bool], seconds: float = PATIENCE) -> float:
        """Wait for bytes that come from now on, or came since something was typed; the seconds it took."""
        begin, mark = time.monotonic(), len(self.sent) if self._typed_at is None else self._typed_at
        self._typed_at = None
        found = what if callable(what) else lambda data: what in data
        while not found(self.sent[mark:]):
            if time.monotonic() - begin > seconds:
                raise AssertionError(f"did not come in {seconds} s: {what!r}; {self.sent[-500:]!r}")
            self.read(0.2)
        return time.monotonic() - begin

    def quiet(self, seconds: float = 0.5, at_most: float = PATIENCE) -> bytes:
        """Read until nothing has come for so long; what came."""
        mark, end = len(self.sent), time.monotonic() + at_most
        while self.read(seconds) and time.monotonic() < end:
            pass
        return self.sent[mark:]

    def wait(self, seconds: float = PATIENCE) -> int:
        """Wait for its end; the exit code, negative for a signal."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.exit_code = os.waitstatus_to_exitcode(status)
                self.quiet(0.05)
                return self.exit_code
            self.read(0.05)
        raise AssertionError("did not end")
