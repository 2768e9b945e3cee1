"""The parts of a LogBuffer: a line, a block of finished lines, and a line that is still written."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec import Struct

from backend_client.logs.text import SAFE, sanitize_line
from backend_client.protocol import LogSource

LONGEST = 64 * 1024
"""Bytes of a line that are kept."""
MILLISECOND = 1_000_000
_PAST = 2**31
"""How far before its first line a block's times may reach, in ms: clocks step back."""


class Line(NamedTuple):
    """One line to show. `time`: ms since the epoch, 0 where unknown."""

    number: int
    text: str
    styled: str = ""
    """The text with its SGR sequences; empty where it has none."""
    time: int = 0
    source: LogSource | None = None
    notice: bool = False
    """True for a sentence of ours between the lines: a gap, a new attempt, the end."""


class Notice(Struct, frozen=True):
    """A sentence of ours to put between the lines."""

    text: str


class Block:
    """Lines that were taken one after another; only the newest block still grows."""

    __slots__ = ("base", "count", "first", "notices", "runs", "styled", "styled_at", "text", "times")

    def __init__(self, first: int) -> None:
        self.first = first
        self.count = 0
        self.base = 0
        self.text: bytes | bytearray = bytearray()
        self.times = array("I")
        self.styled: bytes | bytearray = bytearray()
        self.styled_at = array("I")
        self.runs: list[tuple[int, LogSource | None]] = []
        """(index of the first line, its source), where the source changes."""
        self.notices: set[int] = set()

    def add(self, text: bytes, count: int, times: Sequence[int], source: LogSource | None) -> None:
        """Take `count` lines, joined by newlines, of one source."""
        if self.count:
            self.text += b"\n"
        self.text += text
        if not self.runs or self.runs[-1][1] is not source:
            self.runs.append((self.count, source))
        self._add_times(times or [0] * count)
        self.count += count

    def _add_times(self, times: Sequence[int]) -> None:
        if not self.base and times[0]:
            self.base = times[0] // MILLISECOND - _PAST
        try:
            self.times.extend([time // MILLISECOND - self.base for time in times])
        except OverflowError:
            del self.times[self.count :]
            self.times.extend([min(max(time // MILLISECOND - self.base, 0), 2**32 - 1) for time in times])

    def style(self, index: int, styled: str) -> None:
        """Store the SGR text of a line; call it for ascending indices."""
        if self.styled_at:
            self.styled += b"\n"
        self.styled += styled.encode()
        self.styled_at.append(index)

    def seal(self) -> None:
        """Free the memory that was reserved for growing."""
        self.text, self.styled = bytes(self.text), bytes(self.styled)
        self.times, self.styled_at = self.times[:], self.styled_at[:]

    def lines(self, indices: Sequence[int], texts: Sequence[bytes]) -> Iterator[Line]:
        """Yield the lines at these ascending indices; `texts` are those of all its lines."""
        styles = self._styles(indices[0], indices[-1] + 1)
        ends = self._ends()
        run = bisect_right(ends, indices[0])
        for index in indices:
            while index >= ends[run]:
                run += 1
            notice = index in self.notices
            time = 0 if notice else self.base + self.times[index]
            text = texts[index].decode()
            yield Line(self.first + index, text, styles.get(index, ""), time, self.runs[run][1], notice)

    def of_rank(self, rank: int) -> set[int]:
        """Return the indices of the lines that a rank wrote, and of our notices."""
        runs = zip(self.runs, self._ends(), strict=True)
        ranges = [range(at, end) for (at, source), end in runs if source is None or source.rank == rank]
        return {index for indices in ranges for index in indices}

    def rank_at(self, index: int) -> int:
        """Return the rank that wrote a line, 0 for our notices."""
        source = self.runs[bisect_right(self.runs, index, key=lambda run: run[0]) - 1][1]
        return source.rank if source else 0

    def _ends(self) -> list[int]:
        """Return the index behind each run."""
        return [*(index for index, _ in self.runs[1:]), self.count]

    def _styles(self, start: int, stop: int) -> dict[int, str]:
        low, high = bisect_left(self.styled_at, start), bisect_left(self.styled_at, stop)
        if low == high:
            return {}
        lines = bytes(self.styled).split(b"\n")
        return {self.styled_at[at]: lines[at].decode() for at in range(low, high)}


class PartialLine:
    """A line that has no newline yet."""

    __slots__ = ("overwritten", "raw", "source", "surplus", "time")

    def __init__(self, source: LogSource) -> None:
        self.source = source
        self.overwritten = False
        """True once a part of it was written over."""
        self.raw = bytearray()
        self.surplus = 0
        self.time = 0

    def write(self, raw: bytes, time: int) -> None:
        """Continue the line. What "\\r" writes over is dropped at once."""
        if not self.raw:
            self.time = time
        self.raw += raw
        start = self.raw.rfind(b"\r", 0, len(self.raw.rstrip(b"\r"))) + 1
        if start:
            del self.raw[:start]
            self.surplus, self.time, self.overwritten = 0, time, True
        if len(self.raw) > LONGEST:
            self.surplus += len(self.raw) - LONGEST
            del self.raw[LONGEST:]

    def clean(self) -> tuple[str, str]:
        """Return (text, styled) of the line so far."""
        return _plain(bytes(self.raw), self.surplus)

    @property
    def cut(self) -> str:
        """What stands for the bytes that `raw` does not have any more, "" where it has all."""
        return cut_words(self.surplus)


def clean_line(raw: bytes) -> tuple[bytes, str]:
    """Return (text, styled) of one finished line."""
    if len(raw) <= LONGEST and not raw.translate(None, SAFE):
        return raw, ""
    text, styled = _plain(raw[:LONGEST], max(0, len(raw) - LONGEST))
    return text.encode(), styled


def cut_words(surplus: int) -> str:
    """Say how many bytes of a line are left out, "" for none."""
    return f" … +{surplus:,} bytes" if surplus else ""


def _plain(raw: bytes, surplus: int) -> tuple[str, str]:
    text, styled = sanitize_line(raw)
    if more := cut_words(surplus):
        return text + more, f"{styled}\x1b[0m{more}" if styled else ""
    return text, styled
