"""Batches of a job's log -> its loss over its steps, for the plot (pure)."""

from collections.abc import Iterator, Sequence

from backend_client.progress.parser import Tracker
from backend_client.protocol import Lines

MOST = 4096
"""Points of one rank that are kept; where there would be more, every second one goes."""


class LossCurve:
    """The curve of one job: `feed` batches of its log, of any rank."""

    def __init__(self) -> None:
        self._ranks: dict[int, _RankCurve] = {}

    def feed(self, batch: Lines) -> None:
        """Take one batch."""
        source = batch.source
        before = self._ranks.get(source.rank)
        if before is None or before.attempt != source.attempt:
            self._ranks[source.rank] = _RankCurve(source.attempt, before.points if before else [])
        self._ranks[source.rank].feed(batch)

    @property
    def points(self) -> Sequence[tuple[int, float]]:
        """The (step, loss) of the lowest rank that has any; the steps rise."""
        return next(
            (self._ranks[rank].points for rank in sorted(self._ranks) if self._ranks[rank].points), ()
        )


class _RankCurve:
    """One attempt of one rank, and the points of those before it."""

    def __init__(self, attempt: int, points: list[tuple[int, float]]) -> None:
        self.attempt, self.points = attempt, points
        self._tracker = Tracker(on_loss=self._add)
        self._every = 1
        self._left_out = 0

    def feed(self, batch: Lines) -> None:
        for line in batch.lines[:-1]:
            self._tracker.feed(line + b"\n")
        for line in batch.lines[-1:]:
            self._tracker.feed(line if batch.open else line + b"\n")

    def _add(self, step: int, loss: float) -> None:
        """Add a point; where the steps go back, as after a restart, that part is drawn anew."""
        back = bool(self.points) and step <= self.points[-1][0]
        while self.points and step <= self.points[-1][0]:
            self.points.pop()
        self._left_out += 1
        if back or self._left_out >= self._every:
            self._left_out = 0
            self.points.append((step, loss))
        if len(self.points) >= MOST:
            self.points = self.points[::2]
            self._every *= 2


def split_batch(batch: Lines, most: int) -> Iterator[Lines]:
    """Split a batch into batches of at most `most` lines: a reader can do something else between them."""
    last = len(batch.lines) - most
    for start in range(0, len(batch.lines), most):
        yield Lines(
            source=batch.source,
            lines=batch.lines[start : start + most],
            times=batch.times[start : start + most],
            open=batch.open and start >= last,
            cursor=batch.cursor,
        )
