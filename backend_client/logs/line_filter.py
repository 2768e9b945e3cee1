"""A filter over the lines of a LogBuffer: those of one rank, those that match a search, or both."""

import asyncio
import time
from array import array
from bisect import bisect_left, bisect_right

from backend_client.logs.block import Block, Line
from backend_client.logs.buffer import LogBuffer
from backend_client.logs.search import Search

_SLICE_SECONDS = 0.008
"""Seconds of work between two keys."""


class LineFilter:
    """Lets lines through: all, those of one rank, those that match, or both; our own sentences of any rank.

    `scan` finds the finished lines that pass; those that are still written are tested when they are shown.
    """

    def __init__(self, rank: int | None = None, search: Search | None = None) -> None:
        self.rank, self.search = rank, search
        self.upto = 0
        """Lines before this one are scanned."""
        self._numbers = array("Q")

    @property
    def passes_all(self) -> bool:
        """True where it lets everything through."""
        return self.rank is None and self.search is None

    async def scan(self, buffer: LogBuffer) -> None:
        """Scan the lines that are new; the event loop runs in between."""
        if self.passes_all:
            self.upto = buffer.closed
            return
        since, closed, parts, turn = self.upto, buffer.closed, [], time.monotonic()
        for block in buffer.blocks():
            if block.first + block.count <= since:
                break
            parts.append([n for n in await self._matching(block) if since <= n < closed])
            if time.monotonic() - turn > _SLICE_SECONDS:
                await asyncio.sleep(0)
                turn = time.monotonic()
        del self._numbers[: bisect_left(self._numbers, buffer.first)]
        for part in reversed(parts):
            self._numbers.extend(part)
        self.upto = closed

    async def _matching(self, block: Block) -> list[int]:
        """Return the numbers of a block's lines that pass, ascending."""
        of_rank = None if self.rank is None else block.of_rank(self.rank)
        if self.search is None:
            return [block.first + index for index in sorted(of_rank or ())]
        text, first = bytes(block.text), block.first
        # A regular expression may take long: it is run in a thread, where it lets others run.
        regex = self.search.regex
        indices = await asyncio.to_thread(self.search.lines, text) if regex else self.search.lines(text)
        return [first + index for index in indices if of_rank is None or index in of_rank]

    def passes(self, line: Line) -> bool:
        """Return True where a line passes."""
        of_rank = self.rank is None or line.source is None or line.source.rank == self.rank
        return of_rank and (self.search is None or bool(self.search.spans(line.text)))

    def has(self, number: int) -> bool:
        """Return True where the finished line of this number has passed."""
        at = bisect_left(self._numbers, number)
        return self.passes_all or (at < len(self._numbers) and self._numbers[at] == number)

    def after(self, buffer: LogBuffer, number: int, count: int) -> list[Line]:
        """Return the first `count` lines that pass, from this number on."""
        if self.passes_all:
            return list(buffer.lines(number, number + count))
        at = bisect_left(self._numbers, max(number, buffer.first, 0))
        lines = list(buffer.pick(self._numbers[at : at + count]))
        return (lines + self._unfinished(buffer, number, buffer.end))[:count]

    def before(self, buffer: LogBuffer, number: int, count: int) -> list[Line]:
        """Return the last `count` lines that pass, before this number."""
        if self.passes_all:
            return list(buffer.lines(number - count, number))
        low = bisect_left(self._numbers, buffer.first)
        at = max(low, bisect_left(self._numbers, max(number, 0)))
        lines = list(buffer.pick(self._numbers[max(low, at - count) : at]))
        return (lines + self._unfinished(buffer, 0, number))[-count:] if count else []

    def count_after(self, buffer: LogBuffer, number: int) -> int:
        """Count the lines that pass behind this one."""
        if self.passes_all:
            return max(0, buffer.end - 1 - number)
        finished = len(self._numbers) - bisect_right(self._numbers, number)
        return finished + len(self._unfinished(buffer, number + 1, buffer.end))

    def _unfinished(self, buffer: LogBuffer, start: int, stop: int) -> list[Line]:
        return [line for line in buffer.lines(max(start, buffer.closed), stop) if self.passes(line)]
