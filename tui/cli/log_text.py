"""A log on stdout: the job's own bytes into a pipe, cleaned lines on a terminal."""

import sys
import time

from backend_client.logs.text import sanitize_line
from backend_client.protocol import Lines
from tui.cli.output import coloured, columns

LONGEST_UNFINISHED = 2**16
"""Bytes of an unfinished line that a terminal shows while it waits for the rest."""


_ERASE = "\r\x1b[K"


def stamp(nanoseconds: int) -> str:
    """RFC 3339 in UTC, with the nanoseconds."""
    seconds, rest = divmod(nanoseconds, 10**9)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:09}Z "


class PipeWriter:
    """Byte for byte what the job wrote; with `timestamps` each line behind its time."""

    def __init__(self, timestamps: bool) -> None:
        self.timestamps = timestamps

    def write(self, batch: Lines) -> None:
        """Write one batch."""
        lines = batch.lines
        if self.timestamps:
            first = 1 if batch.continues else 0
            stamped = [stamp(at).encode() + line for at, line in zip(batch.times, lines, strict=True)]
            lines = lines[:first] + stamped[first:]
        sys.stdout.buffer.write(b"\n".join(lines) + (b"" if batch.open else b"\n"))

    def end(self) -> None:
        """The log is over."""


class TerminalWriter:
    """Lines as a person may see them; an unfinished one (a bar) is drawn anew in its place as it grows."""

    def __init__(self, timestamps: bool) -> None:
        self.timestamps = timestamps
        self.coloured = coloured()
        self.unfinished = b""
        self.began = 0

    def write(self, batch: Lines) -> None:
        """Write one batch."""
        lines, times = list(batch.lines), list(batch.times)
        out = [_ERASE] if self.unfinished else []
        if self.unfinished and batch.continues and lines:
            lines[0], times[0] = self.unfinished + lines[0], self.began
        elif self.unfinished:
            out.append(f"{self._shown(self.unfinished, self.began)}\n")
        self.unfinished = b""
        if batch.open and lines:
            self.unfinished = lines.pop()[-LONGEST_UNFINISHED:]
            self.began = times[len(lines)]
        out += [f"{self._shown(line, at)}\n" for line, at in zip(lines, times, strict=False)]
        if self.unfinished:
            out.append(sanitize_line(self.unfinished)[0][: columns() - 1])
        sys.stdout.write("".join(out))

    def _shown(self, raw: bytes, at: int) -> str:
        text, styled = sanitize_line(raw)
        words = f"{styled}\x1b[0m" if styled and self.coloured else text
        return f"{stamp(at)}{words}" if self.timestamps else words

    def end(self) -> None:
        """The log is over: what is unfinished stays so, on a line of its own."""
        if self.unfinished:
            sys.stdout.write(f"{_ERASE}{self._shown(self.unfinished, self.began)}\n")
            sys.stdout.flush()
