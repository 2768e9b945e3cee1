"""The loss over the steps, out of batches of a log: all of what `progress` reads there. Pure."""

from collections.abc import Iterator, Sequence
from math import isfinite

from backend_client.progress.parser import Tracker
from backend_client.protocol import Lines

MOST = 4096
"""Points of one rank that are kept: where there would be more, every second one goes."""


class LossCurve:
    """`hear` batches of a job's log; `points` are (step, loss) of the lowest rank that tells any."""

    def __init__(self) -> None:
        self._ranks: dict[int, _Rank] = {}

    def feed(self, batch: Lines) -> None:
        """Take one batch, of any rank."""
        source = batch.source
        before = self._ranks.get(source.rank)
        if before is None or before.attempt != source.attempt:
            self._ranks[source.rank] = _Rank(source.attempt, before.points if before else [])
        self._ranks[source.rank].feed_batch(batch)

    @property
    def points(self) -> Sequence[tuple[int, float]]:
        """The steps rise."""
        return next(
            (self._ranks[rank].points for rank in sorted(self._ranks) if self._ranks[rank].points), ()
        )


class _Rank(Tracker):
    """One attempt of one rank, and the points of those before it."""

    def __init__(self, attempt: int, points: list[tuple[int, float]]) -> None:
        super().__init__()
        self.attempt, self.points = attempt, points
        self._every = 1
        self._left_out = 0
        self._losses = 0

    def feed_batch(self, batch: Lines) -> None:
        for line in batch.lines[:-1]:
            self.feed(line + b"\n")
        for line in batch.lines[-1:]:
            self.feed(line if batch.open else line + b"\n")

    def _line(self, raw: bytes) -> None:
        before = self._losses
        super()._line(raw)
        if self._known and self._losses > before and self._loss is not None and isfinite(self._loss):
            self._put(self._step, self._loss)

    def _keep_loss(self, loss: float | None) -> None:
        super()._keep_loss(loss)
        self._losses += loss is not None

    def _put(self, step: int, loss: float) -> None:
        """Where the steps go back, that part is told anew."""
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
    """A batch in batches of at most so many lines, so that whoever reads it can do something else between."""
    last = len(batch.lines) - most
    for start in range(0, len(batch.lines), most):
        yield Lines(
            source=batch.source,
            lines=batch.lines[start : start + most],
            times=batch.times[start : start + most],
            open=batch.open and start >= last,
            cursor=batch.cursor,
        )
