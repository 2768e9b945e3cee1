"""Batches of a job's log -> its progress (pure): the last lines of each batch, by the time each was written.

So a log that is read in bursts, or twice, gives the same figures as one that is read as it comes.
"""

from collections import deque
from datetime import UTC, datetime
from typing import Any

import msgspec

from backend_client.models import Progress
from backend_client.progress.parser import Tracker
from backend_client.protocol import Lines

LINES = 50
"""The newest lines of one rank that are read for one `poll`; the others are left out."""


class LogProgress:
    """The progress of one job. `feed` costs next to nothing; `poll` reads what was fed."""

    def __init__(self) -> None:
        self._ranks: dict[int, _Rank] = {}
        self._published: dict[str, Any] = {}
        self.misses = 0
        """How many polls found no progress in any rank."""

    @property
    def rank(self) -> int | None:
        """The rank whose log has the progress, the lowest of several; None where none has."""
        return min((rank for rank, heard in self._ranks.items() if heard.figures), default=None)

    def feed(self, batch: Lines) -> None:
        """Take the end of a batch."""
        rank, source = self._ranks.get(batch.source.rank), batch.source
        if rank is None or rank.attempt != source.attempt:
            rank = self._ranks[source.rank] = _Rank(source.attempt)
        rank.feed(batch)

    def poll(self) -> Progress | None:
        """Return the progress where it has changed since the last poll, else None."""
        for rank in self._ranks.values():
            rank.read()
        self.misses += self.rank is None
        if self.rank is None or self._ranks[self.rank].figures == self._published:
            return None
        speaker = self._ranks[self.rank]
        self._published = speaker.figures
        return msgspec.convert({**speaker.figures, "updated": speaker.updated}, Progress)


class _Rank:
    """One attempt of one rank."""

    def __init__(self, attempt: int) -> None:
        self.attempt = attempt
        self.figures: dict[str, Any] = {}
        self._lines: deque[tuple[int, bytes]] = deque(maxlen=LINES)
        self._read_until = self._now = 0
        self._tracker = Tracker(lambda: self._now / 1e9)

    @property
    def updated(self) -> datetime:
        return datetime.fromtimestamp(self._read_until // 10**9, UTC)

    def feed(self, batch: Lines) -> None:
        lines = batch.lines[-LINES:]
        if lines and batch.open:
            lines[-1] = lines[-1][: lines[-1].rfind(b"\r") + 1]
        if batch.continues and len(lines) == len(batch.lines):
            lines[0] = lines[0][lines[0].find(b"\r") + 1 :] if b"\r" in lines[0] else b""
        self._lines.extend(zip(batch.times[-LINES:], lines, strict=True))

    def read(self) -> None:
        """Feed the tracker the lines that are later than all that it has had."""
        later = [(time, line) for time, line in self._lines if time > self._read_until]
        self._lines.clear()
        for self._now, line in later:
            self._tracker.feed(line + b"\n")
        if later:
            self._read_until = max(time for time, _ in later)
            self.figures = self._tracker.read() or self.figures
            self.figures = _with_phase(self.figures, self._tracker.phase)


def _with_phase(figures: dict[str, Any], phase: str) -> dict[str, Any]:
    """Return figures with what the job does instead of training; without any, that alone is no progress."""
    figures = {name: figure for name, figure in figures.items() if name != "phase"}
    return {**figures, "phase": phase} if figures and phase else figures
