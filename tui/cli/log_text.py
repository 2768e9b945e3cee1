"""A log on stdout: the job's own bytes into a pipe, cleaned lines on a terminal."""

import sys
import time

from backend_client.logs.text import sanitize_line
from backend_client.protocol import Lines
from tui.cli.output import has_colours, terminal_width

LONGEST_UNFINISHED = 2**16
"""Bytes of an unfinished line that a terminal shows while it waits for the rest."""


_ERASE = "\r\x1b[K"


def timestamp(nanoseconds: int) -> str:
    """Format a time as RFC 3339 in UTC, with its nanoseconds."""
    seconds, rest = divmod(nanoseconds, 10**9)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:09}Z "


class PipeWriter:
    """Writes byte for byte what the job wrote; with `timestamps`, each line behind its time."""

    def __init__(self, timestamps: bool) -> None:
        self.timestamps = timestamps

    def write(self, batch: Lines) -> None:
        """Write one batch of lines."""
        lines = batch.lines
        if self.timestamps:
            first = 1 if batch.continues else 0
            stamped = [
                timestamp(time_ns).encode() + line for time_ns, line in zip(batch.times, lines, strict=True)
            ]
            lines = lines[:first] + stamped[first:]
        sys.stdout.buffer.write(b"\n".join(lines) + (b"" if batch.open else b"\n"))

    def end(self) -> None:
        """Do nothing more: every batch is written whole."""


class TerminalWriter:
    """Writes cleaned lines; an unfinished one (a bar) is drawn anew in its place as it grows."""

    def __init__(self, timestamps: bool) -> None:
        self.timestamps = timestamps
        self.coloured = has_colours()
        self.unfinished = b""
        self.unfinished_since = 0

    def write(self, batch: Lines) -> None:
        """Write one batch of lines."""
        lines, times = list(batch.lines), list(batch.times)
        out = [_ERASE] if self.unfinished else []
        if self.unfinished and batch.continues and lines:
            lines[0], times[0] = self.unfinished + lines[0], self.unfinished_since
        elif self.unfinished:
            out.append(f"{self._render(self.unfinished, self.unfinished_since)}\n")
        self.unfinished = b""
        if batch.open and lines:
            self.unfinished = lines.pop()[-LONGEST_UNFINISHED:]
            self.unfinished_since = times[len(lines)]
        out += [f"{self._render(line, time_ns)}\n" for line, time_ns in zip(lines, times, strict=False)]
        if self.unfinished:
            out.append(sanitize_line(self.unfinished)[0][: terminal_width() - 1])
        sys.stdout.write("".join(out))

    def _render(self, raw: bytes, time_ns: int) -> str:
        text, styled = sanitize_line(raw)
        line = f"{styled}\x1b[0m" if styled and self.coloured else text
        return f"{timestamp(time_ns)}{line}" if self.timestamps else line

    def end(self) -> None:
        """End the log: an unfinished line gets a line of its own."""
        if self.unfinished:
            sys.stdout.write(f"{_ERASE}{self._render(self.unfinished, self.unfinished_since)}\n")
            sys.stdout.flush()
