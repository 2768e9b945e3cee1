"""How often the watches of one context read what jobs use; it loads what reads them with the first watch."""

import contextlib
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING

from backend_client.protocol import WatchEvent
from backend_client.refresh import RefreshRequests

if TYPE_CHECKING:
    from backend_client.usage_feed import ReadUsage

EVERY_SECONDS = 30.0


class UsagePace:
    """The seconds between two readings, the same for all watches of a context."""

    def __init__(self) -> None:
        self._interval = EVERY_SECONDS
        self._hurries = RefreshRequests()

    def set_interval(self, seconds: float) -> None:
        """Set how often watches read; a shorter time than before begins with a reading now."""
        sooner = seconds < self._interval
        self._interval = seconds
        if sooner:
            self._hurries.send()

    def hurry(self) -> None:
        """Have watches read now."""
        self._hurries.send()

    async def follow(
        self, read: "ReadUsage", batches: AsyncGenerator[Sequence[WatchEvent], None]
    ) -> AsyncGenerator[Sequence[WatchEvent], None]:
        """Yield the batches of a watch, with what its jobs use as `read` tells it."""
        from backend_client.usage_feed import UsageFeed  # noqa: PLC0415  a list needs none

        feed = UsageFeed(read, lambda: self._interval)
        async with contextlib.aclosing(batches), contextlib.aclosing(feed.follow(batches)) as followed:
            with self._hurries.subscribe(feed.hurry):
                async for batch in followed:
                    yield batch
