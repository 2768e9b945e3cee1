"""Batches of a job's log -> its progress (pure): the last lines of each batch, by the time each was written.

So what is read in bursts, or twice, gives the same figures as what is read as it comes.
"""

from collections import deque
from datetime import UTC, datetime

import msgspec

from backend_client.models import Progress
from backend_client.progress.parser import Tracker
from backend_client.protocol import Lines

LINES = 50
"""Of one rank, the newest so many lines between two calls of `news`; the others are not read."""


class LogProgress:
    """Hears the log of one job. `hear` costs next to nothing; `news` reads what was heard."""

    def __init__(self) -> None:
        self._ranks: dict[int, _Rank] = {}
        self._told: dict[str, float] = {}
        self.silences = 0
        """How often no rank had a word of progress."""

    @property
    def rank(self) -> int | None:
        """The one that speaks of progress: the lowest of several; None where none does."""
        return min((rank for rank, heard in self._ranks.items() if heard.found), default=None)

    def feed(self, batch: Lines) -> None:
        """Take the end of a batch."""
        rank, source = self._ranks.get(batch.source.rank), batch.source
        if rank is None or rank.attempt != source.attempt:
            rank = self._ranks[source.rank] = _Rank(source.attempt)
        rank.feed(batch)

    def poll(self) -> Progress | None:
        """The figures, where they are others than the last time."""
        for rank in self._ranks.values():
            rank.read()
        self.silences += self.rank is None
        if self.rank is None or self._ranks[self.rank].found == self._told:
            return None
        speaker = self._ranks[self.rank]
        self._told = speaker.found
        return msgspec.convert({**speaker.found, "updated": speaker.updated}, Progress)


class _Rank:
    """One attempt of one rank."""

    def __init__(self, attempt: int) -> None:
        self.attempt = attempt
        self.found: dict[str, float] = {}
        self._heard: deque[tuple[int, bytes]] = deque(maxlen=LINES)
        self._upto = self._now = 0
        self._tracker = Tracker(lambda: self._now / 1e9)

    @property
    def updated(self) -> datetime:
        return datetime.fromtimestamp(self._upto // 10**9, UTC)

    def feed(self, batch: Lines) -> None:
        lines = batch.lines[-LINES:]
        if lines and batch.open:
            lines[-1] = lines[-1][: lines[-1].rfind(b"\r") + 1]
        if batch.continues and len(lines) == len(batch.lines):
            lines[0] = lines[0][lines[0].find(b"\r") + 1 :] if b"\r" in lines[0] else b""
        self._heard.extend(zip(batch.times[-LINES:], lines, strict=True))

    def read(self) -> None:
        """Feed the lines that are later than all that were fed before."""
        fresh = [(time, line) for time, line in self._heard if time > self._upto]
        self._heard.clear()
        for self._now, line in fresh:
            self._tracker.feed(line + b"\n")
        if fresh:
            self._upto = max(time for time, _ in fresh)
            self.found = self._tracker.read() or self.found
