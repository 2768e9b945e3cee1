"""A log in memory: little more than the text of its lines, quick to fill, to search and to drop."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from backend_client.logs.block import LONGEST, MILLISECOND, Block, Line, Notice, PartialLine, clean_line
from backend_client.logs.text import SAFE, sanitize_line
from backend_client.protocol import Closed, Gap, Lines, LogItem, LogSource, Opened

_BLOCK = 256 * 1024
_CLEAN = SAFE + b"\n"


class LogBuffer:
    """Holds at most about `limit` bytes of text; the oldest lines go first.

    A line has its number for good: 0 is the first one ever taken; `first` to `end` are there now. Unfinished
    lines (bars) stand last, one for each source, and change.
    """

    def __init__(self, limit: int = 64 * 2**20) -> None:
        self.limit = limit
        self.size = 0
        """Bytes of text."""
        self._blocks: list[Block] = []
        self._starts: list[int] = []
        self._closed = 0
        self._open: dict[LogSource, PartialLine] = {}
        self._sources: dict[LogSource, LogSource] = {}
        self.last_written: dict[int, int] = {}
        """Rank -> when it last wrote, ms since the epoch."""
        self._split: dict[int, tuple[int, list[bytes]]] = {}
        self.overwritten = False
        """True where a line was written over with "\\r": what it was before is not here."""

    @property
    def first(self) -> int:
        """The number of the oldest line that is kept, which is how many were dropped."""
        return self._starts[0] if self._starts else self._closed

    @property
    def closed(self) -> int:
        """The number of the first unfinished line."""
        return self._closed

    @property
    def end(self) -> int:
        """The number behind the last line."""
        return self._closed + len(self._open)

    @property
    def ranks(self) -> int:
        """The number of ranks that have written."""
        return len(self.last_written)

    @property
    def unfinished(self) -> list[PartialLine]:
        """The lines that have no newline yet, one for each source at most."""
        return [*self._open.values()]

    def clear(self) -> None:
        """Drop all lines, whoever still holds this buffer; numbers go on behind them."""
        self._blocks, self._starts, self.size = [], [], 0
        self._open.clear()
        self._split.clear()

    def copy(self) -> "LogBuffer":
        """Return a buffer with the same lines, which stay when this one is cleared.

        Both share what is finished, so it costs nothing; append to neither of them afterwards.
        """
        other = LogBuffer(self.limit)
        other.size, other._closed = self.size, self._closed
        other._blocks, other._starts, other._open = [*self._blocks], [*self._starts], {**self._open}
        return other

    def append(self, items: Sequence[LogItem | Notice]) -> int:
        """Append a batch, and return the number of the first line that is new or has changed."""
        before = self._closed
        for item in items:
            if isinstance(item, Lines):
                self._lines(item)
            elif isinstance(item, Gap):
                self._add_notice(f"lines are missing here: {item.why}")
            elif isinstance(item, Notice):
                self._add_notice(item.text)
            elif isinstance(item, Opened):
                self._finish(*[source for source in self._open if source.rank == item.source.rank])
                if item.source.attempt > 1:
                    where = f" on {item.source.where}" if item.source.where else ""
                    self._add_notice(f"attempt {item.source.attempt}{where}")
            elif isinstance(item, Closed) and not item.lost:
                self._finish(*self._open)
                self._add_notice(item.why)
        return before

    def _lines(self, batch: Lines) -> None:
        source = self._sources.setdefault(batch.source, batch.source)
        lines, times = batch.lines, batch.times
        if not lines:
            return
        self.last_written[source.rank] = max(self.last_written.get(source.rank, 0), times[-1] // MILLISECOND)
        if not batch.continues:
            self._finish(source)
        elif source in self._open and (len(lines) > 1 or not batch.open):
            self._write(source, lines[0], times[0])
            self._finish(source)
            lines, times = lines[1:], times[1:]
        if batch.open and lines:
            self._closed_lines(lines[:-1], times[:-1], source)
            self._write(source, lines[-1], times[-1])
        else:
            self._closed_lines(lines, times, source)

    def _write(self, source: LogSource, raw: bytes, time: int) -> None:
        """Go on with the unfinished line of a source."""
        line = self._open.setdefault(source, PartialLine(source))
        line.write(raw, time)
        self.overwritten = self.overwritten or line.overwritten

    def _closed_lines(self, lines: Sequence[bytes], times: Sequence[int], source: LogSource) -> None:
        if not lines:
            return
        text = b"\n".join(lines)
        count = len(lines)
        if (
            not text.translate(None, _CLEAN)
            and text.count(b"\n") == count - 1
            and (len(text) <= LONGEST or max(map(len, lines)) <= LONGEST)
        ):
            self._store(text, count, times, source)
            return
        self.overwritten = self.overwritten or any(b"\r" in line.rstrip(b"\r") for line in lines)
        cleaned = [clean_line(line) for line in lines]
        styles = [(index, styled) for index, (_, styled) in enumerate(cleaned) if styled]
        self._store(b"\n".join(text for text, _ in cleaned), count, times, source, styles)

    def _store(
        self,
        text: bytes,
        count: int,
        times: Sequence[int],
        source: LogSource | None,
        styles: Sequence[tuple[int, str]] = (),
    ) -> Block:
        block = self._block()
        for index, styled in styles:
            block.style(block.count + index, styled)
        block.add(text, count, times, source)
        self._closed += count
        self.size += len(text)
        return block

    def _block(self) -> Block:
        """Return the block that grows: a new one where the last is full."""
        if self._blocks and len(self._blocks[-1].text) < _BLOCK:
            return self._blocks[-1]
        if self._blocks:
            self._blocks[-1].seal()
        while self.size > self.limit and self._blocks:
            self.size -= len(self._blocks[0].text)
            self._split.pop(self._blocks[0].first, None)
            del self._blocks[0], self._starts[0]
        self._blocks.append(Block(self._closed))
        self._starts.append(self._closed)
        return self._blocks[-1]

    def _add_notice(self, message: str) -> None:
        block = self._store(sanitize_line(message.replace("\n", " ").encode())[0].encode(), 1, (), None)
        block.notices.add(block.count - 1)

    def _finish(self, *sources: LogSource) -> None:
        """Finish the unfinished lines of these sources as they are."""
        for source in sources:
            if line := self._open.pop(source, None):
                text, styled = line.clean()
                styles = [(0, styled)] if styled else []
                self._store(text.encode(), 1, (line.time,), line.source, styles)

    def lines(self, start: int, stop: int) -> Iterator[Line]:
        """Yield the lines from `start` to before `stop` that are there, in order."""
        yield from self.pick(range(max(start, self.first), min(stop, self._closed)))
        for number, line in enumerate(list(self._open.values()), self._closed):
            if start <= number < stop:
                text, styled = line.clean()
                yield Line(number, text, styled, line.time // MILLISECOND, line.source)

    def pick(self, numbers: Sequence[int]) -> Iterator[Line]:
        """Yield the finished lines of these ascending numbers, all of which must be there."""
        position = 0
        while position < len(numbers):
            block = self._blocks[bisect_right(self._starts, numbers[position]) - 1]
            upto = bisect_left(numbers, block.first + block.count, position)
            yield from block.lines(
                [number - block.first for number in numbers[position:upto]], self._texts(block)
            )
            position = upto

    def _texts(self, block: Block) -> list[bytes]:
        """Split a block into its lines, once; the last few blocks are cached."""
        count, texts = self._split.pop(block.first, (0, []))
        if count != block.count:
            texts = bytes(block.text).split(b"\n")
        self._split[block.first] = (block.count, texts)
        if len(self._split) > 3:
            del self._split[next(iter(self._split))]
        return texts

    def blocks(self) -> Iterator[Block]:
        """Return all blocks of finished lines, the newest first."""
        return iter(self._blocks[::-1])
