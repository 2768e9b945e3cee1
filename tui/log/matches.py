"""The matches of a search so far, and the one that stands out."""

import asyncio
import time
from bisect import bisect_left, bisect_right

from backend_client.logs import LineFilter, LogBuffer, Search
from backend_client.logs.search import MOST_COUNTED, TOO_SLOW

_AT_ONCE = 0.008
"""Seconds of searching between two keys."""


class Matches:
    """The numbers of the lines that match one search, ascending; at most `CAP` of them, the newest."""

    def __init__(self, search: Search) -> None:
        self.search = search
        self.numbers: list[int] = []
        self.unfinished: list[int] = []
        """Those that match of the lines that have no newline yet: they change."""
        self.upto = 0
        """Lines before this one were searched."""
        self.more = False
        """True where there are matches that are not counted, in older lines."""
        self.done = False
        """True after the first scan."""
        self.current = -1
        """The match that stands out, by its line; -1 before there is one."""

    async def scan(self, buffer: LogBuffer, line_filter: LineFilter) -> None:
        """Search the lines that pass and are new, the newest first; keys are served in between."""
        since, closed, parts, count = self.upto, min(buffer.closed, line_filter.upto), [], len(self.numbers)
        turn = time.monotonic()
        for block in buffer.blocks():
            # A regular expression may take long: it is run in a thread, where it lets others run.
            first, text, regex = block.first, bytes(block.text), self.search.regex
            lines = await asyncio.to_thread(self.search.lines, text) if regex else self.search.lines(text)
            numbers = [first + line for line in lines if since <= first + line < closed]
            parts.append([number for number in numbers if line_filter.has(number)])
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
        self.upto, self.done = closed, True

    @property
    def shown(self) -> list[int]:
        """The numbers of all lines that match, the unfinished ones last."""
        later = [number for number in self.unfinished if number >= self.upto]
        return self.numbers + later if later else self.numbers

    def nearest(self, line: int) -> int:
        """Return the last match at or above a line, else the first one; -1 where there is none."""
        shown = self.shown
        return shown[max(0, bisect_right(shown, line) - 1)] if shown else -1

    def step(self, by: int) -> int:
        """Return the next match (1) or the one before (-1), around the ends; -1 where there is none."""
        if not self.shown:
            return -1
        # The current line need not be a match: before the first step, it is none.
        before, after = bisect_left(self.shown, self.current), bisect_right(self.shown, self.current)
        index = before if by < 0 else after - 1
        return self.shown[(index + by) % len(self.shown)]

    def __str__(self) -> str:
        """Say how many there are, and which of them stands out."""
        if not self.done:
            return "searching ..."
        total = f"{len(self.shown):,}" + "+" * self.more
        slow = f" ({TOO_SLOW})" if self.search.slow else ""
        if not self.shown:
            return "no match" + slow
        index = bisect_left(self.shown, self.current)
        is_match = index < len(self.shown) and self.shown[index] == self.current
        return (f"{index + 1:,} of {total}" if is_match else f"{total} matching lines") + slow
