"""A log that is not followed ends at what was there when it was asked for, whoever goes on sending."""

import asyncio
import time
from bisect import bisect_right
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

import msgspec

from backend_client.errors import Refused
from backend_client.protocol import Closed, Lines, LogItem, Opened

SILENCE_SECONDS = 60.0
"""A log that was there comes without pauses."""
_SLACK = 2_000_000_000
"""Nanoseconds that the clock of a node may be ahead."""
_REST_SECONDS = 10.0
"""How long the lines of other ranks are waited for, once one has told all that was there."""


async def until_asked(
    batches: AsyncGenerator[Sequence[LogItem]], *, now: Callable[[], int] = time.time_ns
) -> AsyncGenerator[Sequence[LogItem]]:
    """Yield the batches up to the lines that were written when this was called.

    A fast writer would be read for ever. Raises Refused where nothing comes for a minute.
    """
    cut = _Cut(now)
    async with aclosing(batches):
        while True:
            try:
                async with asyncio.timeout(SILENCE_SECONDS):
                    batch = await anext(batches, None)
            except TimeoutError:
                raise Refused(
                    f"The log did not end: nothing came for {SILENCE_SECONDS:g} s.", "-f follows it."
                ) from None
            if batch is None:
                return
            yield [kept for item in batch if (kept := cut.keep(item))]
            if cut.is_over:
                yield [Closed("this is all so far")]
                return


class _Cut:
    """Decides which lines were there. A clock that is ahead of ours tells nothing."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now, self._asked, self._known = now, now(), True
        self._ranks: set[int] = set()
        self._told: set[int] = set()
        """Ranks that have told all that was there."""
        self._told_at = 0

    def keep(self, item: LogItem) -> LogItem | None:
        """Return what was there of an item."""
        if isinstance(item, Opened):
            self._ranks.add(item.source.rank)
        if not isinstance(item, Lines) or not item.times:
            return item
        rank = item.source.rank
        if rank in self._told:
            return None
        self._known = self._known and item.times[-1] <= self._now() + _SLACK
        count = bisect_right(item.times, self._asked + _SLACK)
        if count == len(item.times) or not self._known:
            return item
        self._told.add(rank)
        self._told_at = self._told_at or self._now()
        part = msgspec.structs.replace(item, lines=item.lines[:count], times=item.times[:count], open=False)
        return part if count else None

    @property
    def is_over(self) -> bool:
        """Whether all ranks have told what was there, or the rest does not come."""
        waited = self._now() - self._told_at > _REST_SECONDS * 1_000_000_000
        return bool(self._told) and (self._ranks <= self._told or waited)
