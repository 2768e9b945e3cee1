"""A log as plain text: the job's own bytes, with times and ranks before the lines on request."""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from backend_client.protocol import Gap, Lines, LogItem, LogSource

Batches = AsyncGenerator[Sequence[LogItem], None]


class LogText:
    """Formats the log for one reader. `ranked`: once there are two ranks, each line begins with its own."""

    def __init__(self, *, timestamps: bool, ranked: bool) -> None:
        self._timestamps = timestamps
        self._ranked = ranked
        self._ranks: set[int] = set()
        self._open_line: LogSource | None = None
        """The source of the last line, while that has no newline yet."""

    async def parts(self, batches: Batches) -> AsyncGenerator[bytes, None]:
        """Yield pieces of the text; the last line ends with a newline if the job wrote one."""
        async with aclosing(batches):
            async for batch in batches:
                part = b"".join(map(self._encode, batch))
                if part:
                    yield part

    def _encode(self, item: LogItem) -> bytes:
        if isinstance(item, Gap):
            return self._end_open_line() + f"--- {item.why} ---\n".encode()
        return self._encode_lines(item) if isinstance(item, Lines) else b""

    def _encode_lines(self, item: Lines) -> bytes:
        self._ranks.add(item.source.rank)
        goes_on = item.continues and self._open_line == item.source
        lines = [self._prefix(item, index) + line for index, line in enumerate(item.lines)]
        if goes_on and lines:
            lines[0] = item.lines[0]
        before = b"" if goes_on else self._end_open_line()
        self._open_line = item.source if item.open else None
        return before + b"\n".join(lines) + (b"" if item.open or not lines else b"\n")

    def _prefix(self, item: Lines, index: int) -> bytes:
        rank = f"[{item.source.rank}] " if self._ranked and len(self._ranks) > 1 else ""
        return f"{rfc3339(item.times[index]) if self._timestamps else ''}{rank}".encode()

    def _end_open_line(self) -> bytes:
        """End an unfinished line, before a line of another source begins."""
        open_, self._open_line = self._open_line, None
        return b"\n" if open_ else b""


def rfc3339(nanoseconds: int) -> str:
    """Format a time in nanoseconds as RFC 3339 in UTC, with a blank behind it."""
    seconds, rest = divmod(nanoseconds, 10**9)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:09}Z "
