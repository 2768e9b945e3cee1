"""The lines of a log, in memory: little more than their text, quick to fill, to search and to forget."""

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from backend_client.logs.text import SAFE, plain
from backend_client.protocol import Closed, Gap, Lines, LogItem, LogSource, Opened

_BLOCK = 256 * 1024
_LONGEST = 64 * 1024
"""Bytes of a line that are kept."""
_CLEAN = SAFE + b"\n"
_MILLISECOND = 1_000_000
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
    mark: bool = False
    """True for a sentence of ours between the lines: a gap, a new attempt, the end."""


class _Block:
    """Lines that were taken one after another; only the newest block still grows."""

    __slots__ = ("base", "count", "first", "marks", "runs", "styled", "styled_at", "text", "times")

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
        self.marks: set[int] = set()

    def add(self, text: bytes, count: int, times: Sequence[int], source: LogSource | None) -> None:
        if self.count:
            self.text += b"\n"
        self.text += text
        if not self.runs or self.runs[-1][1] is not source:
            self.runs.append((self.count, source))
        self._add_times(times or [0] * count)
        self.count += count

    def _add_times(self, times: Sequence[int]) -> None:
        if not self.base and times[0]:
            self.base = times[0] // _MILLISECOND - _PAST
        try:
            self.times.extend([time // _MILLISECOND - self.base for time in times])
        except OverflowError:
            del self.times[self.count :]
            self.times.extend([min(max(time // _MILLISECOND - self.base, 0), 2**32 - 1) for time in times])

    def style(self, index: int, styled: str) -> None:
        """Must be called for ascending indices."""
        if self.styled_at:
            self.styled += b"\n"
        self.styled += styled.encode()
        self.styled_at.append(index)

    def seal(self) -> None:
        """Give back the room that was kept for growing."""
        self.text, self.styled = bytes(self.text), bytes(self.styled)
        self.times, self.styled_at = self.times[:], self.styled_at[:]


class _Open:
    """A line that has no newline yet."""

    __slots__ = ("raw", "source", "surplus", "time")

    def __init__(self, source: LogSource) -> None:
        self.source = source
        self.raw = bytearray()
        self.surplus = 0
        self.time = 0

    def write(self, raw: bytes, time: int) -> None:
        """Go on with the line. What "\\r" writes over is forgotten at once."""
        if not self.raw:
            self.time = time
        self.raw += raw
        start = self.raw.rfind(b"\r", 0, len(self.raw.rstrip(b"\r"))) + 1
        if start:
            del self.raw[:start]
            self.surplus, self.time = 0, time
        if len(self.raw) > _LONGEST:
            self.surplus += len(self.raw) - _LONGEST
            del self.raw[_LONGEST:]

    def clean(self) -> tuple[str, str]:
        return _plain(bytes(self.raw), self.surplus)


class LogBuffer:
    """Holds at most about `limit` bytes of text; the oldest lines go first.

    A line has its number for good: 0 is the first one ever taken; `first` to `end` are there now. Unfinished
    lines (bars) stand last, one for each source, and change.
    """

    def __init__(self, limit: int = 64 * 2**20) -> None:
        self.limit = limit
        self.size = 0
        """Bytes of text."""
        self._blocks: list[_Block] = []
        self._starts: list[int] = []
        self._closed = 0
        self._open: dict[LogSource, _Open] = {}
        self._sources: dict[LogSource, LogSource] = {}
        self._split: dict[int, tuple[int, list[bytes]]] = {}

    @property
    def first(self) -> int:
        """The oldest line kept: so many were dropped."""
        return self._starts[0] if self._starts else self._closed

    @property
    def closed(self) -> int:
        """Lines from here on are unfinished."""
        return self._closed

    @property
    def end(self) -> int:
        """The number behind the last line."""
        return self._closed + len(self._open)

    @property
    def ranks(self) -> int:
        """How many ranks have written."""
        return len({source.rank for source in self._sources})

    def append(self, items: Sequence[LogItem]) -> int:
        """Take a batch; the number of the first line that is new or has changed."""
        before = self._closed
        for item in items:
            if isinstance(item, Lines):
                self._lines(item)
            elif isinstance(item, Gap):
                self._mark(f"lines are missing here: {item.why}")
            elif isinstance(item, Opened):
                self._finish(*[source for source in self._open if source.rank == item.source.rank])
                if item.source.attempt > 1:
                    where = f" on {item.source.where}" if item.source.where else ""
                    self._mark(f"attempt {item.source.attempt}{where}")
            elif isinstance(item, Closed) and not item.lost:
                self._finish(*self._open)
                self._mark(item.why)
        return before

    def _lines(self, batch: Lines) -> None:
        source = self._sources.setdefault(batch.source, batch.source)
        lines, times = batch.lines, batch.times
        if not lines:
            return
        if not batch.continues:
            self._finish(source)
        elif source in self._open and (len(lines) > 1 or not batch.open):
            self._open[source].write(lines[0], times[0])
            self._finish(source)
            lines, times = lines[1:], times[1:]
        if batch.open and lines:
            self._closed_lines(lines[:-1], times[:-1], source)
            self._open.setdefault(source, _Open(source)).write(lines[-1], times[-1])
        else:
            self._closed_lines(lines, times, source)

    def _closed_lines(self, lines: Sequence[bytes], times: Sequence[int], source: LogSource) -> None:
        if not lines:
            return
        text = b"\n".join(lines)
        count = len(lines)
        if (
            not text.translate(None, _CLEAN)
            and text.count(b"\n") == count - 1
            and (len(text) <= _LONGEST or max(map(len, lines)) <= _LONGEST)
        ):
            self._store(text, count, times, source)
            return
        cleaned = [_clean(line) for line in lines]
        styles = [(index, styled) for index, (_, styled) in enumerate(cleaned) if styled]
        self._store(b"\n".join(text for text, _ in cleaned), count, times, source, styles)

    def _store(
        self,
        text: bytes,
        count: int,
        times: Sequence[int],
        source: LogSource | None,
        styles: Sequence[tuple[int, str]] = (),
    ) -> _Block:
        block = self._block()
        for index, styled in styles:
            block.style(block.count + index, styled)
        block.add(text, count, times, source)
        self._closed += count
        self.size += len(text)
        return block

    def _block(self) -> _Block:
        """The block that grows; a new one where the last is full."""
        if self._blocks and len(self._blocks[-1].text) < _BLOCK:
            return self._blocks[-1]
        if self._blocks:
            self._blocks[-1].seal()
        while self.size > self.limit and self._blocks:
            self.size -= len(self._blocks[0].text)
            self._split.pop(self._blocks[0].first, None)
            del self._blocks[0], self._starts[0]
        self._blocks.append(_Block(self._closed))
        self._starts.append(self._closed)
        return self._blocks[-1]

    def _mark(self, words: str) -> None:
        block = self._store(plain(words.replace("\n", " ").encode())[0].encode(), 1, (), None)
        block.marks.add(block.count - 1)

    def _finish(self, *sources: LogSource) -> None:
        """Unfinished lines are finished as they stand."""
        for source in sources:
            if line := self._open.pop(source, None):
                text, styled = line.clean()
                styles = [(0, styled)] if styled else []
                self._store(text.encode(), 1, (line.time,), line.source, styles)

    def lines(self, start: int, stop: int) -> Iterator[Line]:
        """The lines of these numbers that are there, in order."""
        at = max(start, self.first)
        while at < min(stop, self._closed):
            block = self._blocks[bisect_right(self._starts, at) - 1]
            upto = min(stop, block.first + block.count)
            yield from self._of_block(block, at - block.first, upto - block.first)
            at = upto
        for number, line in enumerate(list(self._open.values()), self._closed):
            if start <= number < stop:
                text, styled = line.clean()
                yield Line(number, text, styled, line.time // _MILLISECOND, line.source)

    def _of_block(self, block: _Block, start: int, stop: int) -> Iterator[Line]:
        texts = self._texts(block)
        styles = _styles(block, start, stop)
        ends = [*(index for index, _ in block.runs[1:]), block.count]
        run = bisect_right(ends, start)
        for index in range(start, stop):
            while index >= ends[run]:
                run += 1
            mark = index in block.marks
            time = 0 if mark else block.base + block.times[index]
            text = texts[index].decode()
            yield Line(block.first + index, text, styles.get(index, ""), time, block.runs[run][1], mark)

    def _texts(self, block: _Block) -> list[bytes]:
        """The block's lines, split once; the last few blocks are remembered."""
        count, texts = self._split.pop(block.first, (0, []))
        if count != block.count:
            texts = bytes(block.text).split(b"\n")
        self._split[block.first] = (block.count, texts)
        if len(self._split) > 3:
            del self._split[next(iter(self._split))]
        return texts

    def blocks(self) -> Iterator[tuple[int, bytes]]:
        """(number of its first line, its lines joined by newlines) of every block, the newest first."""
        for block in reversed(self._blocks):
            yield block.first, bytes(block.text)


def _styles(block: _Block, start: int, stop: int) -> dict[int, str]:
    low, high = bisect_right(block.styled_at, start - 1), bisect_right(block.styled_at, stop - 1)
    if low == high:
        return {}
    lines = bytes(block.styled).split(b"\n")
    return {block.styled_at[at]: lines[at].decode() for at in range(low, high)}


def _clean(raw: bytes) -> tuple[bytes, str]:
    if len(raw) <= _LONGEST and not raw.translate(None, SAFE):
        return raw, ""
    text, styled = _plain(raw[:_LONGEST], max(0, len(raw) - _LONGEST))
    return text.encode(), styled


def _plain(raw: bytes, surplus: int) -> tuple[str, str]:
    text, styled = plain(raw)
    if surplus:
        more = f" … +{surplus:,} bytes"
        return text + more, f"{styled}\x1b[0m{more}" if styled else ""
    return text, styled
