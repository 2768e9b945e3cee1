"""The one writer: whatever the program says without its screen goes out here, and steers no terminal.

What a terminal is sent is plain text, cleaned, whoever wrote it (a verb, a library, a traceback); only what
this module itself puts around a text steers it: a colour, the erasing of lines. Into a pipe or a file goes
the text as it is. While a verb runs `sys.stdout` and `sys.stderr` are these writers: no `print` gets past.

Loads next to nothing: `--version` needs it too.
"""

import errno
import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from backend_client.text.sanitize import UNSAFE

_BLOCK = 1 << 16
"""Bytes that a pipe is kept waiting for."""
_ERASE = b"\r\x1b[K"


class OutputClosed(Exception):
    """Nobody reads what is written any more: the program has nothing left to do."""


class OutputFailed(Exception):
    """What was to be written is lost; the message is a sentence."""


class Painted(NamedTuple):
    """A text in a colour of the terminal's palette, 0-7; `text` itself is as hostile as any."""

    text: str
    colour: int


class Writer(io.TextIOBase):
    """Writes to one of the process's streams, whatever it leads to."""

    def __init__(self, descriptor: int, name: str, *, failures_matter: bool = True) -> None:
        super().__init__()
        self._descriptor, self._name, self._failures_matter = descriptor, name, failures_matter
        self._encoding = getattr(sys.__stdout__, "encoding", None) or "utf-8"
        self._waiting = bytearray()

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        return True

    @property
    def has_colours(self) -> bool:
        """True for a terminal that has colours, unless NO_COLOR is set."""
        return self.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    @property
    def width(self) -> int:
        """The terminal's width in cells; 80 if it does not say."""
        with suppress(OSError):
            return os.get_terminal_size(self._descriptor).columns or 80
        return 80

    @property
    def height(self) -> int:
        """The terminal's height in rows; 24 if it does not say."""
        with suppress(OSError):
            return os.get_terminal_size(self._descriptor).lines or 24
        return 24

    def write(self, text: str) -> int:
        """Write a text; a terminal gets it cleaned."""
        self._add(self._encode(_harmless(text) if self.isatty() else text))
        if not self._failures_matter or (text.endswith("\n") and self.isatty()):
            self.flush()
        return len(text)

    def line(self, *parts: str | Painted) -> None:
        """Write one line, or several, of parts that may be painted."""
        for part in parts:
            if isinstance(part, Painted):
                self._paint(part)
            else:
                self.write(part)
        self.write("\n")

    def _paint(self, part: Painted) -> None:
        if self.has_colours:
            self._add(b"\x1b[%dm" % (30 + part.colour))
        self.write(part.text)
        if self.has_colours:
            self._add(b"\x1b[0m")

    def log_record(self, line: str) -> None:
        """Write one line of a server's log, at once."""
        self.line(line)
        self.flush()

    def log_line(self, before: str, raw: bytes, after: str = "") -> None:
        """Add a line of a log for a terminal, in the job's own colours; `flush` writes it."""
        text, styled = _sanitize_line(raw)
        line = f"{styled}\x1b[0m" if styled and self.has_colours else text
        self._add(self._encode(f"{_harmless(before)}{line}{_harmless(after)}\n"))

    def unfinished_log_line(self, before: str, raw: bytes) -> None:
        """Add the begin of a line of a log for a terminal, as far as there is room for it."""
        text = f"{_harmless(before)}{_sanitize_line(raw)[0]}"
        self._add(self._encode(text[: self.width - 1]))

    def erase_line(self) -> None:
        """Begin the terminal's line anew."""
        self._add(_ERASE)

    def rewind(self, rows: int) -> None:
        """Begin the terminal anew so many rows further up; what stood below is erased."""
        self._add(b"\r\x1b[%dA\x1b[J" % rows)

    def write_bytes(self, data: bytes) -> None:
        """Write bytes as they are; to a terminal never."""
        if self.isatty():
            self.write(data.decode("utf-8", "replace"))
        else:
            self._add(data)

    def pass_on(self, data: bytes) -> None:
        """Write at once, as it is, what a program in a job prints that a person has given this terminal, or
        that a pipe or a file takes.
        """
        self._add(data)
        self.flush()

    def _encode(self, text: str) -> bytes:
        try:
            return text.encode(self._encoding, "surrogateescape")
        except UnicodeEncodeError:
            return text.encode(self._encoding, "replace")

    def _add(self, data: bytes) -> None:
        self._waiting += data
        if len(self._waiting) >= _BLOCK:
            self.flush()

    def flush(self) -> None:
        """Write what waits. Raises OutputClosed, OutputFailed; messages may be lost."""
        waiting, self._waiting = memoryview(bytes(self._waiting)), bytearray()
        try:
            while waiting:
                waiting = waiting[self._write_some(waiting) :]
        except BrokenPipeError:
            if self._failures_matter:
                raise OutputClosed from None
        except OSError as error:
            if self._failures_matter:
                why = "it is closed" if error.errno == errno.EBADF else error.strerror
                raise OutputFailed(f"{self._name} cannot be written: {why}.") from None

    def _write_some(self, data: memoryview) -> int:
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:  # another program has made the pipe or terminal so
            select.select([], [self._descriptor], [])
            return 0


def _harmless(text: str) -> str:
    """Return the text without what could steer a terminal; lines and tabs stay."""
    return UNSAFE.sub(lambda match: match[0] if match[0] in "\n\t" else "\ufffd", text)


def _sanitize_line(raw: bytes) -> tuple[str, str]:
    from backend_client.logs.text import sanitize_line  # noqa: PLC0415  --version stays quick

    return sanitize_line(raw)


stdout = Writer(1, "Standard output")
stderr = Writer(2, "Standard error", failures_matter=False)


def open_closed_streams() -> None:
    """Give a closed 0, 1 or 2 something to lead to: else the next file that is opened would be it.

    What is written to a closed stdout still fails.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            nothing = os.open(os.devnull, os.O_RDWR if descriptor == 2 else os.O_RDONLY)
            os.dup2(nothing, descriptor)
            if nothing != descriptor:
                os.close(nothing)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  for good


@contextmanager
def standing_in() -> Iterator[None]:
    """Let `sys.stdout` and `sys.stderr` be the writers: what a library prints goes through the wall too."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = stdout, stderr
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
