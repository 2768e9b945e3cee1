"""Positions in the log of one container, and how to find one again in what is read once more (pure).

A log can be requested from a whole second on only (kubernetes/kubernetes pkg/registry/core/pod/strategy.go,
#77856), and clocks step back: so the last seconds are read again, and what was handed on before is dropped.
A container's log only grows at its end, and is cut (rotated) at its beginning. So behind the position all is
new; and where it is not found, lines may be lost: only the newest file of a rotated log can be read
(kubernetes.io, "Logging Architecture").
"""

from typing import NamedTuple, Self
from zlib import crc32

from backend_client.protocol import Lines

WINDOW_SECONDS = 5
"""How far clocks may step back without harm."""
MOST_HELD = 200_000
"""Lines that are kept during a search."""
_SECOND = 1_000_000_000


class LogPosition(NamedTuple):
    """The position behind a line, or (`open`) behind the part of an unfinished one.

    It knows the line by its time, its number among those of that time, its size and checksum.
    """

    time: int = 0
    """When the line was written, nanoseconds since the epoch."""
    latest: int = 0
    """The latest time of all lines so far: clocks step back."""
    number: int = 0
    """Counts the lines written at that time, from 1."""
    size: int = 0
    """Bytes of the line that were handed on."""
    crc: int = 0
    """CRC-32 of these bytes."""
    open: bool = False

    @property
    def since(self) -> int:
        """Where to read again from: seconds since the epoch."""
        return self.time // _SECOND - WINDOW_SECONDS

    def behind(self, batch: Lines) -> "LogPosition":
        """Return the position behind a batch that comes after this position."""
        lines, times = batch.lines, batch.times
        if not lines:
            return self
        last, time, latest = lines[-1], times[-1], max(self.latest, *times)
        if batch.continues and len(lines) == 1:
            return self._replace(size=self.size + len(last), crc=crc32(last, self.crc), open=batch.open)
        number = 0
        while number < len(lines) and times[-1 - number] == time:
            number += 1
        if number == len(lines) and time == self.time:
            number += self.number - batch.continues
        return LogPosition(time, latest, number, len(last), crc32(last), batch.open)

    def is_end_of(self, line: bytes, time: int) -> bool:
        """Check whether this can be the position behind a line, by its time and bytes."""
        size = len(line) >= self.size if self.open else len(line) == self.size
        return time == self.time and size and crc32(line[: self.size]) == self.crc

    def __str__(self) -> str:
        return ".".join(str(int(part)) for part in self)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse what `str` wrote. Raises ValueError."""
        time, latest, number, size, crc, unfinished = map(int, text.split("."))
        return cls(time, latest, number, size, crc, bool(unfinished))


class NewLines(NamedTuple):
    """The end of a search: what is new of the lines that were read again."""

    lines: list[bytes]
    times: list[int]
    continues: bool
    """The first goes on with the line in which the position is."""
    lost: bool = False
    """The position was not found: lines may be missing before these."""


class PositionFinder:
    """Searches a position in lines that are read again; holds those that could be new until it is decided."""

    def __init__(self, position: LogPosition) -> None:
        self._position = position
        self._number = 0
        """Lines so far that were written at the position's time."""
        self._lines: list[bytes] = []
        self._times: list[int] = []

    def feed(self, lines: list[bytes], times: list[int]) -> NewLines | None:
        """Search these lines; None as long as it is not decided."""
        position = self._position
        for index, time in enumerate(times):
            if time > position.latest:
                return self._give_up(lines[index:], times[index:])
            self._number += time == position.time
            if (
                time == position.time
                and self._number == position.number
                and position.is_end_of(lines[index], time)
            ):
                return self._from(lines[index:], times[index:])
            if time:  # the tail of a line that began before what was requested has none
                self._lines.append(lines[index])
                self._times.append(time)
        del self._lines[:-MOST_HELD], self._times[:-MOST_HELD]
        return None

    def is_in(self, line: bytes, time: int) -> bool:
        """Check whether the position is in this unfinished line, which comes next."""
        position = self._position
        return position.open and self._number + 1 == position.number and position.is_end_of(line, time)

    def is_passed(self, time: int) -> bool:
        """Check whether a line of this time is newer than all up to the position: then it is gone."""
        return time > self._position.latest

    def end(self) -> NewLines:
        """Give up: there is nothing more to search."""
        return self._give_up([], [])

    def _from(self, lines: list[bytes], times: list[int]) -> NewLines:
        """Return what is behind the position, which is in the first of these lines."""
        if self._position.open:
            return NewLines([lines[0][self._position.size :], *lines[1:]], times, True)
        return NewLines(lines[1:], times[1:], False)

    def _give_up(self, lines: list[bytes], times: list[int]) -> NewLines:
        """Return what was held, from behind the last line that could be the position's, and these lines."""
        held = enumerate(zip(self._lines, self._times, strict=True), 1)
        candidates = [number for number, (line, time) in held if self._position.is_end_of(line, time)]
        start = candidates[-1] if candidates else 0
        return NewLines([*self._lines[start:], *lines], [*self._times[start:], *times], False, lost=True)
