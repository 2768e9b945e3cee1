"""Read the log that log_writer.py writes: records -> `Lines`, from any position, backwards for a tail."""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

from backend_client.local.log_writer import HEAD
from backend_client.protocol import Gap, Lines, LogSource
from backend_client.timestamps import TimestampCache

_BATCH = 256 * 1024
_BLOCK = 1024 * 1024
"""More than the longest record."""
_WHOLE = {b" stdout F ", b" stderr F "}
_MISSED = re.compile(rb"^[^\n]{31}missed F ([^\n]*)\n", re.MULTILINE)
"""The record that stands where lines could not be written."""


class Position(NamedTuple):
    """A position between two records."""

    attempt: int
    segment: int = 0
    offset: int = 0
    open: str = ""
    """The stream whose unfinished line ends here; empty where none does."""

    def __str__(self) -> str:
        return f"{self.attempt}.{self.segment}.{self.offset}.{self.open}"

    @classmethod
    def parse(cls, cursor: str) -> Self:
        """Parse a cursor. Raises ValueError."""
        attempt, segment, offset, stream = cursor.split(".")
        return cls(int(attempt), int(segment), int(offset), stream)


def segments(folder: Path, attempt: int) -> list[int]:
    """List the segments of an attempt's log that are kept, oldest first."""
    with contextlib.suppress(FileNotFoundError):
        names = [path.name.split(".") for path in folder.iterdir()]
        return sorted(int(name[1]) for name in names if name[0] == str(attempt))
    return []


class SegmentReader:
    """Reads the log of one attempt from a position on. Blocks for as long as the disk does."""

    def __init__(self, folder: Path, position: Position, where: str) -> None:
        self.source = LogSource(position.attempt, where=where)
        self.position = position
        self._folder = folder
        self._fd = -1

    def read(self) -> Lines | Gap | None:
        """Read the next batch; None where there is nothing more so far."""
        while True:
            attempt, segment, offset, stream = self.position
            if self._fd < 0 and not self._open():
                return self._skip()
            # Asked first: what this one held is then complete. Its name alone: many may follow one log.
            later = (self._folder / f"{attempt}.{segment + 1}").exists()
            data = _whole_records(self._fd, offset)
            if missed := _MISSED.search(data):
                if not missed.start():
                    self.position = Position(attempt, segment, offset + missed.end())
                    return Gap(self.source, missed[1].decode(errors="replace"))
                data = data[: missed.start()]
            if data:
                lines, times, now_open = parse(data, stream.encode())
                self.position = Position(attempt, segment, offset + len(data), now_open.decode())
                return Lines(
                    source=self.source,
                    lines=lines,
                    times=times,
                    continues=bool(stream),
                    open=bool(now_open),
                    cursor=str(self.position),
                )
            if not later:
                return None
            self.close()
            self.position = Position(attempt, segment + 1, 0, stream)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> bool:
        path = self._folder / f"{self.position.attempt}.{self.position.segment}"
        with contextlib.suppress(FileNotFoundError):
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        return self._fd >= 0

    def _skip(self) -> Gap | None:
        """Skip to the oldest segment that is kept."""
        kept = [
            number
            for number in segments(self._folder, self.position.attempt)
            if number > self.position.segment
        ]
        if not kept:
            return None
        self.position = Position(self.position.attempt, kept[0])
        return Gap(self.source, "the log was longer than is kept (local.log_cap)")


def parse(data: bytes, stream: bytes = b"") -> tuple[list[bytes], list[int], bytes]:
    """Parse whole records into (lines, times, open stream); `stream`: the one open before these records.

    A line that another stream breaks into ends there: its rest stands on a line of its own.
    """
    records = data.split(b"\n")
    records.pop()
    clock = TimestampCache()
    if not stream and {record[30:HEAD] for record in records} <= _WHOLE:
        return [record[HEAD:] for record in records], [clock[record[:30]] for record in records], b""
    lines: list[bytes] = []
    times: list[int] = []
    for record in records:
        if len(record) < HEAD:  # torn by a full disk
            continue
        text, of, when = record[HEAD:], record[31:37], clock[record[:30]]
        if stream and not lines:
            lines.append(text if of == stream else b"")
            times.append(when)
            if of != stream:
                lines.append(text)
                times.append(when)
        elif of == stream:
            lines[-1] += text
        else:
            lines.append(text)
            times.append(when)
        stream = of if record[38:39] == b"P" else b""
    return lines, times, stream


def tail_start(folder: Path, attempt: int, count: int) -> Position:
    """Return the position of the last `count` lines."""
    kept = segments(folder, attempt)
    last = True
    for segment in reversed(kept):
        for at, unfinished in _ends(folder / f"{attempt}.{segment}"):
            if last or not unfinished:
                if not count:
                    return Position(attempt, segment, at)
                count -= 1
            last = False
    return Position(attempt, kept[0] if kept else 0)


def since_start(folder: Path, attempt: int, since: int) -> Position:
    """Return the position of the lines written at `since` (nanoseconds since the epoch) or later."""
    kept = segments(folder, attempt)
    for segment in reversed(kept):
        with (folder / f"{attempt}.{segment}").open("rb", buffering=0) as file:
            first = _record_at(file.fileno(), 0)
            if segment == kept[0] or (first and first[2] < since):
                return Position(attempt, segment, _first_since(file.fileno(), since))
    return Position(attempt)


def _first_since(fd: int, since: int) -> int:
    """Return the offset of the first record that is not older, by bisection; the end where all are older."""
    low, high = 0, os.fstat(fd).st_size
    while low < high:
        middle = (low + high) // 2
        record = _record_at(fd, middle)
        if record and record[2] < since:
            low = record[1]
        else:
            high = middle
    return low


def _record_at(fd: int, offset: int) -> tuple[int, int, int] | None:
    """Return (start, end, time) of the first whole record that starts at `offset` or behind it."""
    start = _line_end(fd, offset - 1) if offset else 0
    end = None if start is None else _line_end(fd, start)
    if start is None or end is None:
        return None
    return start, end, TimestampCache()[os.pread(fd, 30, start)]


def _line_end(fd: int, offset: int) -> int | None:
    """Return the offset behind the next newline."""
    while data := os.pread(fd, 4096, offset):
        found = data.find(b"\n")
        if found >= 0:
            return offset + found + 1
        offset += len(data)
    return None


def _ends(path: Path) -> Iterator[tuple[int, bool]]:
    """Yield, from the last record to the first, (the offset behind it, whether its line continues)."""
    with contextlib.suppress(FileNotFoundError), path.open("rb", buffering=0) as file:
        end = os.fstat(file.fileno()).st_size
        while end > 0:
            start = max(0, end - _BLOCK)
            data = os.pread(file.fileno(), end - start, start)
            begin = data.index(b"\n") + 1 if start else 0
            *records, rest = data[begin:].split(b"\n")
            at = end - len(rest)
            for record in reversed(records):
                yield at, record[38:39] == b"P"
                at -= len(record) + 1
            end = start + begin


def _whole_records(fd: int, offset: int) -> bytes:
    """Read from an offset to the last newline, about a batch."""
    size = _BATCH
    while True:
        data = os.pread(fd, size, offset)
        cut = data.rfind(b"\n") + 1
        if cut or len(data) < size:
            return data[:cut]
        size *= 2
