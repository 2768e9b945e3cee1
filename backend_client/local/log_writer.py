"""The log of one attempt, in CRI's record format: `TIME stdout|stderr F|P text`. Standard library alone.

A record's head is always HEAD bytes long. P marks a line that goes on in the next record of its stream.
"""

import os
import time
from pathlib import Path

from backend_client.local.state_dir import private_file, timestamp

HEAD = 40
LONGEST = 64 * 1024
"""Bytes of an unfinished line that are held back at most."""
PATIENCE = 0.25
"""Seconds after which an unfinished line is written as far as it goes."""


class LogWriter:
    """Writes what arrives, in two segments of half the cap: the older one goes when the newer is full."""

    def __init__(self, folder: Path, attempt: int, cap: int) -> None:
        self._folder, self._attempt, self._half = folder, attempt, cap // 2
        self._rest: dict[str, bytes] = {}
        self._segment = -1
        self._room = 0
        self.due: float | None = None
        """Monotonic time at which to call `flush`; None while nothing is held back."""
        self.error = ""
        """Why the last write failed; empty where it did not."""
        self._fd = -1
        self._next_segment()

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
        self.due = time.monotonic() + PATIENCE if self._rest else None

    def flush(self) -> None:
        """Write what is held back."""
        for stream, rest in self._rest.items():
            self._put(f"{timestamp(time.time_ns())} {stream} P ".encode() + rest + b"\n")
        self._rest.clear()
        self.due = None

    def close(self) -> None:
        self.flush()
        os.close(self._fd)

    def _put(self, records: bytes) -> None:
        while len(records) > self._room:
            cut = records.rfind(b"\n", 0, max(0, self._room)) + 1
            if not cut and self._room == self._half:  # one record larger than a segment
                cut = records.index(b"\n") + 1
            self._append(records[:cut])
            self._next_segment()
            records = records[cut:]
        self._append(records)

    def _append(self, records: bytes) -> None:
        """Append records. A full disk must not end the job: they are lost then, and `error` says why."""
        self._room -= len(records)
        if self.error:
            records = b"\n" + records  # ends a record that was torn
        try:
            view = memoryview(records)
            while view:
                view = view[os.write(self._fd, view) :]
            self.error = ""
        except OSError as error:
            self.error = error.strerror or "I/O error"

    def _next_segment(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._segment += 1
        self._room = self._half
        path = self._folder / f"{self._attempt}.{self._segment}"
        self._fd = private_file(path, os.O_WRONLY | os.O_APPEND)
        (self._folder / f"{self._attempt}.{self._segment - 2}").unlink(missing_ok=True)
