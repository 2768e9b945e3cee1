"""One copy of a followed log: its lines, how they are kept in bytes, and what a query selects. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import NamedTuple

import msgspec

from backend_client.logs.block import MILLISECOND, Notice
from backend_client.logs.buffer import LogBuffer
from backend_client.models import JobRef
from backend_client.protocol import Lines, LogItem, LogQuery, LogSource

LONGEST = 8 * 2**20
"""Bytes of a log that are kept, the newest."""
HEAD = "the log is gone from where the job ran"
_HOLE = "lines may be missing here: nobody followed the log meanwhile"
_PER_LINE = 64
"""Bytes that count for a line beside its text: about what it takes in memory."""


class CopiedLine(NamedTuple):
    """One line. `source`: None for a sentence of ours. `time`: ms since the epoch, 0 where unknown."""

    source: LogSource | None
    time: int
    text: bytes


class CopyHeader(msgspec.Struct, frozen=True):
    """The first line of a copy's file, as JSON."""

    ref: JobRef
    attempt: int
    until: datetime
    """When the last line was written."""


class _Columns(msgspec.Struct, frozen=True, array_like=True):
    """The rest of the file, as msgpack. `which`: each line's source by index, -1 for a sentence of ours."""

    sources: list[LogSource]
    which: list[int]
    times: list[int]
    texts: list[bytes]


class CopyHead(Notice, frozen=True):
    """The sentence before the lines of a copy."""

    until: datetime


class LogCopy(NamedTuple):
    """What was followed of one attempt of a job."""

    header: CopyHeader
    lines: Sequence[CopiedLine]

    def items(self, query: LogQuery) -> list[LogItem | Notice]:
        """Return what a query selects of it, behind a CopyHead; nothing where it selects no line."""
        lines = _selected(self.lines, query)
        if not any(line.source for line in lines):
            return []
        until = self.header.until
        head = f"{HEAD}; this is what was followed here until {clock(until)}"
        items: list[LogItem | Notice] = [CopyHead(text=head, until=until)]
        starts: dict[int, LogSource] = {}
        for source, group in groupby(lines, key=lambda line: line.source):
            if source is None:
                items += [Notice(line.text.decode("utf-8", "replace")) for line in group]
            else:
                if starts.setdefault(source.rank, source) != source:
                    starts[source.rank] = source
                    items.append(Notice(f"attempt {source.attempt} on {source.where}"))
                _, times, texts = zip(*group, strict=True)
                items.append(Lines(source=source, lines=[*texts], times=[t * MILLISECOND for t in times]))
        return items


def newest_lines(buffer: LogBuffer) -> list[CopiedLine]:
    """Return the last lines of a log, some more than are kept, without the head of a copy within."""
    start, size = buffer.first, 0
    for block in buffer.blocks():
        size += len(block.text) + _PER_LINE * block.count
        if size > LONGEST:
            start = block.first
            break
    return [
        CopiedLine(line.source, line.time, (line.styled or line.text).encode())
        for line in buffer.lines(start, buffer.end)
        if not (line.notice and line.text.startswith(HEAD))
    ]


def encode(header: CopyHeader, lines: Sequence[CopiedLine]) -> bytes:
    """Return the content of a copy's file. Raises ValueError for a name that is no text."""
    sources = list(dict.fromkeys(line.source for line in lines if line.source))
    index = {source: at for at, source in enumerate(sources)}
    which = [index[line.source] if line.source else -1 for line in lines]
    columns = _Columns(sources, which, [line.time for line in lines], [line.text for line in lines])
    return msgspec.json.encode(header) + b"\n" + msgspec.msgpack.encode(columns)


def decode_header(content: bytes) -> CopyHeader:
    """Return the header of a file, or of its beginning. Raises ValueError."""
    return msgspec.json.decode(content.partition(b"\n")[0], type=CopyHeader)


def decode(content: bytes) -> LogCopy:
    """Return the copy that a file has. Raises ValueError, IndexError."""
    columns = msgspec.msgpack.decode(content.partition(b"\n")[2], type=_Columns)
    sources = [*columns.sources, None]
    rows = zip(columns.which, columns.times, columns.texts, strict=True)
    lines = [CopiedLine(sources[which], at, text) for which, at, text in rows]
    return LogCopy(decode_header(content), lines)


def by_attempt(lines: Sequence[CopiedLine]) -> dict[int, list[CopiedLine]]:
    """Return the lines of each attempt; a sentence of ours belongs to the lines before it."""
    attempts: dict[int, list[CopiedLine]] = {}
    attempt = 0
    for line in lines:
        attempt = line.source.attempt if line.source else attempt
        if attempt:
            attempts.setdefault(attempt, []).append(line)
    return attempts


def join(old: Sequence[CopiedLine], new: Sequence[CopiedLine]) -> list[CopiedLine]:
    """Return the old lines up to where the new ones of the same source begin, and then the new ones.

    So what a screen has read from further back stays, though another one reads the last lines alone.
    """
    begins: dict[LogSource | None, CopiedLine] = {}
    for line in new:
        begins.setdefault(line.source, line)
    begins.pop(None, None)
    met: set[LogSource | None] = set()
    joined = []
    for line in old:
        begin = begins.get(line.source)
        if begin and (line == begin or line.time > begin.time):
            met.add(line.source)
        if line.source not in met and (line.source or not met):
            joined.append(line)
    if (begins.keys() & {line.source for line in joined}) - met:
        joined.append(CopiedLine(None, 0, _HOLE.encode()))
    return [*joined, *new]


def last_lines(lines: Sequence[CopiedLine]) -> Sequence[CopiedLine]:
    """Return the last lines that are together no longer than a copy may be."""
    size = 0
    for count, line in enumerate(reversed(lines)):
        size += len(line.text) + _PER_LINE
        if size > LONGEST:
            return lines[len(lines) - count :]
    return lines


def _selected(lines: Sequence[CopiedLine], query: LogQuery) -> list[CopiedLine]:
    """Return the lines of a query's rank and time, the last `tail` of each rank, and our sentences."""
    since = query.since.timestamp() * 1000 if query.since else 0
    left: dict[int, int] = {}
    selected = []
    for line in reversed(lines):
        if line.source:
            rank = line.source.rank
            if query.rank not in (None, rank) or line.time < since:
                continue
            left[rank] = left.get(rank, query.tail if query.tail is not None else len(lines)) - 1
            if left[rank] < 0:
                continue
        selected.append(line)
    return selected[::-1]


def clock(when: datetime) -> str:
    """Format a time for a person here: 14:03, with the day where that is not today."""
    local = when.astimezone()
    today = local.date() == datetime.now(UTC).astimezone().date()
    return local.strftime("%H:%M" if today else "%d %b %H:%M")
