"""A log as plain text, for a pipe, a file or a browser: the job's own bytes, or lines told apart by rank."""

import time

from backend_client.protocol import Lines, LogSource

_LONGEST = 2**20
"""Bytes of an unfinished line that wait for its end, where ranks are told apart."""


class PlainText:
    """Formats the log for one reader.

    Of one rank: every byte as it comes, unfinished lines too. Of several: whole lines, each behind its rank,
    so that no line is cut by another one's; an unfinished line comes with its newline, or at the end.
    """

    def __init__(self, *, timestamps: bool = False, several: bool = False) -> None:
        """Put the time before each line with `timestamps`. `several`: there are ranks to tell apart."""
        self._timestamps = timestamps
        self._several = several
        self._rank: int | None = None
        """The first rank that was seen; a second one is told apart from then on."""
        self._open_line: LogSource | None = None
        """The source of the last line, while that has no newline yet."""
        self._unfinished: dict[LogSource, tuple[int, bytes]] = {}
        """Time and bytes of the lines that wait for their end."""

    def encode(self, batch: Lines) -> bytes:
        """Return the text of one batch."""
        if not batch.lines:
            return b""
        if self._rank is None:
            self._rank = batch.source.rank
        before = b""
        if batch.source.rank != self._rank and not self._several:
            self._several, before = True, self._end_open_line()
        return before + (self._whole_lines(batch) if self._several else self._all_bytes(batch))

    def notice(self, why: str) -> bytes:
        """Return a line of ours between those of the job."""
        return self._end_open_line() + f"--- {why} ---\n".encode()

    def end(self) -> bytes:
        """Return what still waits for its end."""
        return b"".join(self._take(source) for source in list(self._unfinished))

    def _all_bytes(self, batch: Lines) -> bytes:
        goes_on = batch.continues and self._open_line == batch.source
        lines = [self._prefix(batch.source, time) + line for time, line in _timed(batch)]
        if goes_on:
            lines[0] = batch.lines[0]
        before = b"" if goes_on else self._end_open_line()
        self._open_line = batch.source if batch.open else None
        return before + b"\n".join(lines) + (b"" if batch.open else b"\n")

    def _whole_lines(self, batch: Lines) -> bytes:
        source, timed = batch.source, _timed(batch)
        before = b"" if batch.continues else self._take(source)
        if held := self._unfinished.pop(source, None):
            timed[0] = held[0], held[1] + timed[0][1]
        if batch.open and len(timed[-1][1]) < _LONGEST:
            self._unfinished[source] = timed.pop()
        return before + b"".join(self._prefix(source, time) + line + b"\n" for time, line in timed)

    def _take(self, source: LogSource) -> bytes:
        """Return an unfinished line as it is."""
        held = self._unfinished.pop(source, None)
        return self._prefix(source, held[0]) + held[1] + b"\n" if held and held[1] else b""

    def _prefix(self, source: LogSource, time: int) -> bytes:
        return f"{rfc3339(time) if self._timestamps else ''}{rank_prefix(source, self._several)}".encode()

    def _end_open_line(self) -> bytes:
        """End an unfinished line, before a line of another source begins."""
        open_, self._open_line = self._open_line, None
        return b"\n" if open_ else b""


def _timed(batch: Lines) -> list[tuple[int, bytes]]:
    return list(zip(batch.times, batch.lines, strict=True))


def rank_prefix(source: LogSource, several: bool) -> str:
    """Return what tells the lines of a rank apart: nothing where there is only one."""
    return f"[{source.rank}] " if several else ""


def rfc3339(nanoseconds: int) -> str:
    """Format a time in nanoseconds as RFC 3339 in UTC, with a blank behind it."""
    seconds, rest = divmod(nanoseconds, 10**9)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:09}Z "
