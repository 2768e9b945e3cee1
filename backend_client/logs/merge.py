"""Merge the log streams of several ranks into one, in order of time as far as a short wait allows.

A lane is the number of one of the merged streams.
"""

import asyncio
import contextlib
from bisect import bisect_right
from collections import deque
from collections.abc import AsyncIterator, Sequence

import msgspec

from backend_client.protocol import Lines, LogItem

WINDOW_SECONDS = 0.3
"""How long a line waits for older ones of other lanes."""
SETTLE_SECONDS = 2.0
"""How long the lines of other lanes wait for the first ones of a lane that was opened."""
_MOST = 20_000
"""Lines of one lane that wait; more, and its reader waits."""


class LineMerger:
    """Puts the items of several lanes in order (pure: the caller has the clock).

    Within a lane the order stays. A line goes out once every open lane has shown a later one, or once it has
    waited for `window` seconds; while a lane that was opened has told nothing, it waits a little longer, as
    the first answers of many requests come one by one.
    """

    def __init__(self, window: float = WINDOW_SECONDS) -> None:
        self._window = window
        self._lanes: dict[int, deque[tuple[float, LogItem]]] = {}
        self._open: set[int] = set()
        self._silent: dict[int, float] = {}
        """Lanes that have told nothing -> until when they are waited for."""

    def open(self, lane: int, now: float) -> None:
        """Open a lane at `now`: items of it may come."""
        self._open.add(lane)
        self._silent[lane] = now + SETTLE_SECONDS

    def close(self, lane: int) -> None:
        """Close a lane: no items come any more; those that wait still go out."""
        self._open.discard(lane)
        self._silent.pop(lane, None)

    def put(self, lane: int, items: Sequence[LogItem], now: float) -> None:
        """Add the items that came of a lane at `now`, seconds."""
        if any(isinstance(item, Lines) for item in items):
            self._silent.pop(lane, None)
        if items:
            self._lanes.setdefault(lane, deque()).extend((now, item) for item in items)

    def waiting(self, lane: int) -> int:
        """Count the lines of a lane that wait."""
        return sum(len(item.lines) for _, item in self._lanes.get(lane, ()) if isinstance(item, Lines))

    def take(self, now: float) -> list[tuple[int, LogItem]]:
        """Take the (lane, item) that are ready, in order."""
        taken: list[tuple[int, LogItem]] = []
        while self._lanes:
            heads = sorted((_time(queue[0][1]), lane) for lane, queue in self._lanes.items())
            if heads[0][0] >= 0 and self._open - self._lanes.keys() and now < self._due():
                break
            lane = heads[0][1]
            taken.append((lane, self._pop(lane, heads[1][0] if len(heads) > 1 else None)))
        return taken

    def wait(self, now: float) -> float | None:
        """Return the seconds until more is ready without new items; None where nothing waits."""
        return max(0.0, self._due() - now) if self._lanes else None

    def _due(self) -> float:
        """Return when the oldest item has waited long enough."""
        due = min(queue[0][0] for queue in self._lanes.values()) + self._window
        return max([due, *(until for lane, until in self._silent.items() if lane not in self._lanes)])

    def _pop(self, lane: int, limit: int | None) -> LogItem:
        """Take the first item of a lane; of Lines those that are not later than the first of other lanes."""
        queue = self._lanes[lane]
        arrived, item = queue.popleft()
        if isinstance(item, Lines) and limit is not None:
            upto = max(1, bisect_right(item.times, limit))
            if upto < len(item.lines):
                queue.appendleft((arrived, _part(item, upto, len(item.lines))))
                item = _part(item, 0, upto)
        if not queue:
            del self._lanes[lane]
        return item


def _time(item: LogItem) -> int:
    """Return the time of an item; what is no line goes out as soon as it is first."""
    return item.times[0] if isinstance(item, Lines) and item.times else -1


def _part(batch: Lines, start: int, stop: int) -> Lines:
    return msgspec.structs.replace(
        batch,
        lines=batch.lines[start:stop],
        times=batch.times[start:stop],
        continues=batch.continues and not start,
        open=batch.open and stop == len(batch.lines),
    )


class MergedStream:
    """A LineMerger between writers, one for each lane, and one reader. A slow reader slows the writers."""

    def __init__(self, window: float = WINDOW_SECONDS) -> None:
        self._merge = LineMerger(window)
        self._lanes: set[int] = set()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._closed = False

    def open(self, lane: int) -> None:
        """Open a lane for its writer."""
        self._lanes.add(lane)
        self._merge.open(lane, asyncio.get_running_loop().time())

    def close(self, lane: int) -> None:
        """Close a lane: its writer has ended."""
        self._lanes.discard(lane)
        self._merge.close(lane)
        self._news.set()

    def finish(self) -> None:
        """Let `batches` end when the last writer has: no more lanes are opened."""
        self._closed = True
        self._news.set()

    async def put(self, lane: int, items: Sequence[LogItem]) -> None:
        """Add the items of a lane; returns when there is room for more."""
        self._merge.put(lane, items, asyncio.get_running_loop().time())
        self._news.set()
        while self._merge.waiting(lane) > _MOST:
            self._room.clear()
            await self._room.wait()

    async def batches(self) -> AsyncIterator[list[tuple[int, LogItem]]]:
        """Yield the (lane, item) that are ready, in order."""
        clock = asyncio.get_running_loop().time
        while True:
            self._news.clear()
            if ready := self._merge.take(clock()):
                self._room.set()
                yield ready
                continue
            wait = self._merge.wait(clock())
            if wait is None and self._closed and not self._lanes:
                return
            await _until(self._news, wait)


async def _until(event: asyncio.Event, seconds: float | None) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
