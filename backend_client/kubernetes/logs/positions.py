"""Places in the log of one container, and how to find one again in what is read once more (pure).

An API server can begin a log at a whole second only, and clocks step back: so the last seconds are read
again, and what was told before is dropped. A container's log only grows at its end and is cut (rotated) at
its beginning. So behind the mark all is new; and where the mark is not found, lines may be lost.
"""

from typing import NamedTuple, Self
from zlib import crc32

from backend_client.protocol import Lines

WINDOW_SECONDS = 5
"""How far clocks may step back without harm."""
MOST_HELD = 200_000
"""Lines that are kept while the mark is looked for."""
_SECOND = 1_000_000_000


class LogPosition(NamedTuple):
    """Behind a line, or (`open`) behind the part of an unfinished one."""

    time: int = 0
    """When the line was written, nanoseconds since the epoch."""
    high: int = 0
    """The latest time of all lines so far."""
    place: int = 0
    """It is the line number `place` (from 1) of those written at that time."""
    size: int = 0
    """Bytes of it that were told, and their checksum."""
    crc: int = 0
    open: bool = False

    @property
    def since(self) -> int:
        """Where to read again from: seconds since the epoch."""
        return self.time // _SECOND - WINDOW_SECONDS

    def behind(self, batch: Lines) -> "LogPosition":
        """The place behind a batch that was told after this one."""
        lines, times = batch.lines, batch.times
        if not lines:
            return self
        last, time, high = lines[-1], times[-1], max(self.high, *times)
        if batch.continues and len(lines) == 1:
            return self._replace(size=self.size + len(last), crc=crc32(last, self.crc), open=batch.open)
        place = 0
        while place < len(lines) and times[-1 - place] == time:
            place += 1
        if place == len(lines) and time == self.time:
            place += self.place - batch.continues
        return LogPosition(time, high, place, len(last), crc32(last), batch.open)

    def is_end_of(self, line: bytes, time: int) -> bool:
        """Whether this may be the line, by its time and bytes."""
        size = len(line) >= self.size if self.open else len(line) == self.size
        return time == self.time and size and crc32(line[: self.size]) == self.crc

    def __str__(self) -> str:
        return ".".join(str(int(part)) for part in self)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError."""
        time, high, place, size, crc, unfinished = map(int, text.split("."))
        return cls(time, high, place, size, crc, bool(unfinished))


class Found(NamedTuple):
    """What is new of what was read again."""

    lines: list[bytes]
    times: list[int]
    continues: bool
    """The first goes on with the line in which the mark stands."""
    lost: bool = False
    """The mark was not found: lines may be missing before these."""


class PositionFinder:
    """Looks for a mark in lines that are read again; holds what could be new until it knows."""

    def __init__(self, mark: LogPosition) -> None:
        self._mark = mark
        self._place = 0
        self._lines: list[bytes] = []
        self._times: list[int] = []

    def feed(self, lines: list[bytes], times: list[int]) -> Found | None:
        """None as long as it is not decided."""
        mark = self._mark
        for index, time in enumerate(times):
            if time > mark.high:
                return self._give_up(lines[index:], times[index:])
            self._place += time == mark.time
            if time == mark.time and self._place == mark.place and mark.is_end_of(lines[index], time):
                return self._found(lines[index:], times[index:])
            if time:  # the tail of a line that began before what was asked for has none
                self._lines.append(lines[index])
                self._times.append(time)
        del self._lines[:-MOST_HELD], self._times[:-MOST_HELD]
        return None

    def is_in(self, line: bytes, time: int) -> bool:
        """Whether the mark stands in this line, which is unfinished and comes next."""
        mark = self._mark
        return mark.open and self._place + 1 == mark.place and mark.is_end_of(line, time)

    def end(self) -> Found:
        """There is nothing more to look in."""
        return self._give_up([], [])

    def _found(self, lines: list[bytes], times: list[int]) -> Found:
        if self._mark.open:
            return Found([lines[0][self._mark.size :], *lines[1:]], times, True)
        return Found(lines[1:], times[1:], False)

    def _give_up(self, lines: list[bytes], times: list[int]) -> Found:
        """What was held is new, but for what stands before a line that could be the marked one."""
        held = zip(self._lines, self._times, strict=True)
        known = [index for index, (line, time) in enumerate(held, 1) if self._mark.is_end_of(line, time)]
        start = known[-1] if known else 0
        return Found([*self._lines[start:], *lines], [*self._times[start:], *times], False, lost=True)
