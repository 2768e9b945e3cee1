"""Batches of a job's log -> its loss over its steps, for the plot (pure)."""

from collections.abc import Iterator, Sequence
from math import isfinite

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
            self._ranks[source.rank] = _RankCurve(source.attempt, before)
        self._ranks[source.rank].feed(batch)

    @property
    def points(self) -> Sequence[tuple[int, float]]:
        """The (step, loss) of the lowest rank that has any; the steps rise and the losses are finite."""
        rank = self._speaker
        return rank.points if rank else ()

    @property
    def points_in_time(self) -> list[tuple[float, float]]:
        """The (time, loss) of points whose time is known; the times rise, in seconds since the epoch."""
        rank = self._speaker
        timed = zip(rank.times, rank.points, strict=True) if rank else ()
        told = [(time, loss) for time, (_, loss) in timed if time]
        return sorted(
            told, key=lambda point: point[0]
        )  # those of one moment stay in the order of their steps

    @property
    def not_finite(self) -> tuple[int, str] | None:
        """Since which step the loss is no number, and which word it is: "nan", "inf", "-inf"; else None."""
        rank = self._speaker
        return rank.not_finite if rank else None

    @property
    def _speaker(self) -> "_RankCurve | None":
        ranks = (self._ranks[rank] for rank in sorted(self._ranks))
        return next((rank for rank in ranks if rank.points or rank.not_finite), None)


class _RankCurve:
    """One attempt of one rank, and the points of those before it."""

    def __init__(self, attempt: int, before: "_RankCurve | None") -> None:
        self.attempt = attempt
        self.points: list[tuple[int, float]] = before.points if before else []
        self.times: list[float] = before.times if before else []
        """When each of them was written, in seconds since the epoch; 0 where that is not known."""
        self._time = 0.0
        self.not_finite: tuple[int, str] | None = None
        self._tracker = Tracker(on_loss=self._add)
        self._every = 1
        self._left_out = 0

    def feed(self, batch: Lines) -> None:
        last = len(batch.lines) - 1
        for place, (line, time) in enumerate(zip(batch.lines, batch.times, strict=True)):
            self._time = time / 1e9
            self._tracker.feed(line if batch.open and place == last else line + b"\n")

    def _add(self, step: int, loss: float) -> None:
        """Add a point, which nan and inf are not; where the steps go back, that part is drawn anew."""
        if not isfinite(loss):
            self.not_finite = self.not_finite or (step, str(loss))
            return
        self.not_finite = None
        back = bool(self.points) and step <= self.points[-1][0]
        while self.points and step <= self.points[-1][0]:
            self.points.pop()
            self.times.pop()
        self._left_out += 1
        if back or self._left_out >= self._every:
            self._left_out = 0
            self.points.append((step, loss))
            self.times.append(self._time)
        if len(self.points) >= MOST:
            self.points, self.times = self.points[::2], self.times[::2]
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
