"""What a search has found so far, and where the person stands in it."""

import asyncio
import time
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from backend_client.logs import LineFilter, LogBuffer, Search
from backend_client.logs.search import MOST_COUNTED

_AT_ONCE = 0.008
"""Seconds of searching between two keys."""


class Matches:
    """The lines that match one search, and the one that stands out."""

    def __init__(self, search: Search) -> None:
        self.search = search
        self.numbers: list[int] = []
        self.upto = 0
        """Lines before this one were searched."""
        self.more = False
        """True where there are matches that are not counted, in older lines."""
        self.done = self.busy = False
        self.current = -1

    async def scan(self, buffer: LogBuffer, sieve: LineFilter) -> None:
        """Search what was not searched yet, the newest lines first; keys are served between the blocks."""
        self.busy = True
        since, closed, parts, count = self.upto, min(buffer.closed, sieve.upto), [], len(self.numbers)
        turn = time.monotonic()
        for block in buffer.blocks():
            # A regular expression may take long: it is run in a thread, where it lets others run.
            first, text, regex = block.first, bytes(block.text), self.search.regex
            lines = await asyncio.to_thread(self.search.lines, text) if regex else self.search.lines(text)
            found = [first + line for line in lines if since <= first + line < closed]
            parts.append([number for number in found if sieve.has(number)])
            count += len(parts[-1])
            if count > MOST_COUNTED:
                self.more = True
                break
            if first <= since or self.search.slow:
                break
            if time.monotonic() - turn > _AT_ONCE:
                await asyncio.sleep(0)
                turn = time.monotonic()
        self.numbers += [number for part in reversed(parts) for number in part]
        del self.numbers[: max(0, len(self.numbers) - MOST_COUNTED)]
        self.upto, self.done, self.busy = closed, True, False

    def nearest(self, visible: Sequence[int]) -> int:
        """The match to begin with: the last one at or above the end of the screen, else the first; -1."""
        if not self.numbers:
            return -1
        return self.numbers[max(0, bisect_right(self.numbers, visible[1]) - 1)]

    def step(self, by: int) -> int:
        """The next match (1) or the one before (-1), around the ends; -1 where there is none."""
        if not self.numbers:
            return -1
        at = (
            bisect_left(self.numbers, self.current)
            if by < 0
            else bisect_right(self.numbers, self.current) - 1
        )
        return self.numbers[(at + by) % len(self.numbers)]

    def __str__(self) -> str:
        if not self.done:
            return "searching ..."
        total = f"{len(self.numbers):,}" + "+" * self.more
        slow = " (too slow for some lines)" if self.search.slow else ""
        if not self.numbers:
            return "no match" + slow
        at = bisect_left(self.numbers, self.current)
        known = at < len(self.numbers) and self.numbers[at] == self.current
        return (f"{at + 1:,} of {total}" if known else f"{total} matching lines") + slow
