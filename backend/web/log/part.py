"""The part of a log that a page shows: read in a bounded time, of a bounded length, however long the log is.

A backend tells the end of a log (`tail`) and what was written since a moment (`since`), and nothing from
before a line. So what is older is looked for in a longer tail, of at most MOST_READ lines; what lies before
that is for the download.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import cached_property

from msgspec import Struct

from backend.web.log.html import LineNames
from backend.web.log.place import Place
from backend_client.errors import BackendError, Unreachable, fragment
from backend_client.logs import Line, LogBuffer
from backend_client.logs.failures import Failure, first_failure
from backend_client.protocol import Closed, Lines, LogItem, LogSource

SHOWN = 2_000
"""Lines in a page."""
MOST_READ = 20_000
"""Lines that are read for a page."""
BEFORE = 200
"""Lines that stand before one that was asked for."""
SECONDS = 2.0
"""How long a page waits for lines: a log that has none yet may have none for hours."""
GATHER_SECONDS = 0.25
_BUFFER = 16 * 2**20
Batches = AsyncGenerator[Sequence[LogItem], None]


class Reading:
    """What was read of a log, by `read`."""

    def __init__(self) -> None:
        self.buffer = LogBuffer(_BUFFER)
        self.place = Place()
        self.counts: Counter[LogSource] = Counter()
        """Source -> lines."""
        self.is_whole = False
        """True where all that was there has come."""
        self.end = ""
        """Why the log ends, where it does."""
        self.lost = ""
        """Why the link is broken, where it is."""
        self.error: BackendError | None = None
        self.failure: Failure | None = None
        """The first error in what was read."""

    async def read(self, batches: Batches, *, most: int) -> None:
        """Read for a moment, about `most` lines; what breaks is kept as `lost` or `error`."""
        try:
            async with asyncio.timeout(SECONDS), aclosing(batches):
                async for batch in batches:
                    self._take(batch)
                    if self.lost or self.buffer.closed >= most:
                        break
                else:
                    self.is_whole = True
        except TimeoutError:
            pass
        except Unreachable as error:
            self.lost = fragment(error.title)
        except BackendError as error:
            self.error = error
        self.failure = await first_failure(self.buffer)

    def _take(self, items: Sequence[LogItem]) -> None:
        for item in items:
            if isinstance(item, Lines):
                self.counts[item.source] += len(item.lines)
            elif isinstance(item, Closed):
                self.lost, self.end = (item.why, "") if item.lost else ("", item.why)
        kept = [item for item in items if not isinstance(item, Closed)]
        self.buffer.append(kept)
        self.place = self.place.behind(kept, self.buffer)

    @cached_property
    def finished(self) -> tuple[list[Line], list[str]]:
        """The finished lines that were read, and their names."""
        lines, names = list(self.buffer.lines(self.buffer.first, self.buffer.closed)), LineNames()
        return lines, [names.name(line) for line in lines]

    def begins(self, tail: int) -> bool:
        """Return True where the first line of the log was read, by a query with this `tail`."""
        return self.is_whole and not self.buffer.first and all(n < tail for n in self.counts.values())


class Part(Struct, frozen=True):
    """Lines that a page shows, with their names."""

    lines: Sequence[Line]
    names: Sequence[str]
    is_first: bool = False
    """True where no older lines are known to be."""
    is_last: bool = False
    """True where what is written next stands right behind them."""
    behind: int = 0
    """Lines that were read behind them."""


def last_lines(reading: Reading, tail: int) -> Part:
    """Return the end of a log."""
    lines, names = reading.finished
    start = max(0, len(lines) - SHOWN)
    return Part(lines[start:], names[start:], is_first=not start and reading.begins(tail), is_last=True)


def lines_before(reading: Reading, name: str, tail: int) -> Part | None:
    """Return the lines before one; None where that was not read.

    Where several ranks are merged, before the last `tail` lines those of a rank that wrote more are missing.
    """
    lines, names = reading.finished
    if name not in names:
        return None
    at = names.index(name)
    begins = reading.begins(tail)
    start = max(0 if begins else len(lines) - tail, at - SHOWN)
    if start >= at and not (begins and not at):
        return None
    return Part(lines[start:at], names[start:at], is_first=not start and begins, behind=len(lines) - at)


def lines_around(reading: Reading, name: str) -> Part | None:
    """Return a line, a few lines before it and what follows; None where it was not read."""
    lines, names = reading.finished
    if name not in names:
        return None
    start = max(0, names.index(name) - BEFORE)
    stop = min(len(lines), start + SHOWN)
    is_last = stop == len(lines) and reading.is_whole
    return Part(lines[start:stop], names[start:stop], is_last=is_last)


async def gathered(batches: Batches, seconds: float = GATHER_SECONDS) -> AsyncGenerator[list[LogItem], None]:
    """Yield what comes within a quarter of a second at once, and not much more than a page can hold."""
    coming: asyncio.Future[Sequence[LogItem] | None] | None = None
    clock = asyncio.get_running_loop().time
    try:
        while True:
            coming = coming or asyncio.ensure_future(anext(batches, None))
            if (batch := await coming) is None:
                return
            coming, items, until = None, [*batch], clock() + seconds
            while _count(items) < MOST_READ:
                coming = asyncio.ensure_future(anext(batches, None))
                done, _ = await asyncio.wait({coming}, timeout=max(0.0, until - clock()))
                if not done or coming.exception() or (batch := coming.result()) is None:
                    break
                coming = None
                items += batch
            yield items
    finally:
        if coming:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
        await batches.aclose()


def _count(items: Sequence[LogItem]) -> int:
    return sum(len(item.lines) for item in items if isinstance(item, Lines))
