"""The log of one attempt, in CRI's record format: `TIME stdout|stderr F|P text`. Standard library alone.

A record's head is always HEAD bytes long. P marks a line that goes on in the next record of its stream.
A record of the stream "missed" stands where lines are missing, and says why.
"""

import math
import os
import time
from pathlib import Path

from backend_client.disk_errors import disk_words
from backend_client.local.state_dir import private_file, timestamp

HEAD = 40
LONGEST = 64 * 1024
"""Bytes of an unfinished line that are held back at most."""
PATIENCE = 0.25
"""Seconds for which the bytes of an unfinished line are held back, whether it rests or not."""
_RETRY = 5.0
"""Seconds between two tries to say that lines are missing."""
_SEGMENTS = 8
"""Parts that the cap is kept in: what is beyond it goes a part at a time."""
_DENSEST = 8
"""Bytes on the disk that count as one of output at least: lines shorter than their heads must not fill it."""


class LogWriter:
    """Writes what arrives, in segments; the oldest one goes when the others hold `cap` bytes of output."""

    def __init__(self, folder: Path, attempt: int, cap: int) -> None:
        self._folder, self._attempt, self._size = folder, attempt, max(1, cap // _SEGMENTS)
        self._rest: dict[str, bytes] = {}
        self._due: dict[str, float] = {}
        """By stream, while some of its line is held back."""
        self._retry_at = math.inf
        """When to say again that lines are missing, while they are."""
        self._segment = 0
        self._room = self._size
        self.missed = 0
        """Lines that could not be written since the log last said so."""
        self.missed_ever = 0
        self.error = ""
        """Why lines were missed last, as a fragment; empty where none ever was."""
        self._is_torn = False
        self._fd = -1
        self._append(b"")

    def write(self, stream: str, data: bytes) -> None:
        """Write output of a stream ("stdout", "stderr"), cut anywhere."""
        whole, newline, rest = (self._rest.pop(stream, b"") + data).rpartition(b"\n")
        head = f"{timestamp(time.time_ns())} {stream} ".encode()
        if newline:
            self._put(head + b"F " + whole.replace(b"\n", b"\n" + head + b"F ") + b"\n")
        while len(rest) >= LONGEST:
            self._put(head + b"P " + rest[:LONGEST] + b"\n")
            rest = rest[LONGEST:]
        if rest:
            self._rest[stream] = rest
        if newline or not rest:
            self._due.pop(stream, None)
        if rest:
            self._due.setdefault(stream, time.monotonic() + PATIENCE)

    @property
    def due(self) -> float | None:
        """Monotonic time at which to call `flush`; None while nothing is held back or missing."""
        due = min(self._due.values(), default=math.inf)
        return None if (first := min(due, self._retry_at)) == math.inf else first

    def flush(self, now: float = math.inf) -> None:
        """Write what has been held back long enough, and what is missing; without `now` all of it."""
        for stream in [stream for stream, due in self._due.items() if due <= now]:
            del self._due[stream]
            rest = self._rest.pop(stream)
            self._put(f"{timestamp(time.time_ns())} {stream} P ".encode() + rest + b"\n")
        if self.missed and self._retry_at <= now:
            self._append(b"")

    def close(self) -> None:
        self.flush()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _put(self, records: bytes) -> None:
        while records:
            cost = _cost(records)
            budget = max(0, self._room) * len(records) // cost
            cut = records.find(b"\n", min(budget, len(records) - 1)) + 1
            self._append(records[:cut])
            if not self.missed:  # what a full disk did not take pushes out nothing that it has
                self._room -= _cost(records[:cut])
            if self._room <= 0:
                self._next_segment()
            records = records[cut:]

    def _append(self, records: bytes) -> None:
        """Append whole records. A full disk must not end the job: they are lost then, and the log says so."""
        note = self._missed_record() if self.missed else b""
        data, written = memoryview(note + records), 0
        try:
            if self._fd < 0:
                self._fd = private_file(self._path(self._segment), os.O_WRONLY | os.O_APPEND)
            while written < len(data):
                written += os.write(self._fd, data[written:])
            self.missed, self._is_torn = 0, False
        except OSError as error:
            self.error = disk_words(error)
            lost = bytes(data[max(written, len(note)) :]).count(b"\n")
            self.missed = lost + (self.missed if written < len(note) else 0)
            self.missed_ever += lost
            if written:
                self._is_torn = data[written - 1] != ord("\n")
        self._retry_at = time.monotonic() + _RETRY if self.missed else math.inf

    def _missed_record(self) -> bytes:
        torn = b"\n" if self._is_torn else b""
        why = f"about {self.missed} lines are missing here: {self.error}"
        return torn + f"{timestamp(time.time_ns())} missed F {why}\n".encode()

    def _next_segment(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._is_torn = -1, False
        self._segment += 1
        self._room = self._size
        self._path(self._segment - _SEGMENTS - 1).unlink(missing_ok=True)
        self._append(b"")

    def _path(self, segment: int) -> Path:
        return self._folder / f"{self._attempt}.{segment}"


def _cost(records: bytes) -> int:
    """Return how much of the cap records take: their text, or more where lines are very short."""
    return max(len(records) - HEAD * records.count(b"\n"), len(records) // _DENSEST, 1)
