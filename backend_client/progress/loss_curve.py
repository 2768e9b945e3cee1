"""Batches of a job's log -> its loss over its steps, for the plot (pure)."""

from collections.abc import Iterator, Sequence

from backend_client.progress.parser import Tracker
from backend_client.progress.points import Points
from backend_client.protocol import Lines


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
        return self._speaker.points

    @property
    def points_in_time(self) -> list[tuple[float, float]]:
        """The (time, loss) of points whose time is known; the times rise, in seconds since the epoch."""
        return self._speaker.in_time

    @property
    def not_finite(self) -> tuple[int, str] | None:
        """Since which step the loss is no number, and which word it is: "nan", "inf", "-inf"; else None."""
        return self._speaker.not_finite

    @property
    def _speaker(self) -> Points:
        told = (self._ranks[rank].losses for rank in sorted(self._ranks))
        return next((losses for losses in told if losses.points or losses.not_finite), Points())


class _RankCurve:
    """One attempt of one rank, and the points of those before it."""

    def __init__(self, attempt: int, before: "_RankCurve | None") -> None:
        self.attempt = attempt
        self.losses: Points = before.losses if before else Points()
        self.losses.not_finite = None
        self._time = 0.0
        self._tracker = Tracker(on_loss=self._add)

    def feed(self, batch: Lines) -> None:
        for self._time, line in timed_lines(batch):
            self._tracker.feed(line)

    def _add(self, step: int, loss: float) -> None:
        self.losses.add(step, loss, self._time)


def timed_lines(batch: Lines) -> Iterator[tuple[float, bytes]]:
    """Yield the lines as a `Tracker` takes them, each with its time in seconds; 0 where that is not known."""
    last = len(batch.lines) - 1
    for place, (line, time) in enumerate(zip(batch.lines, batch.times, strict=True)):
        yield time / 1e9, line if batch.open and place == last else line + b"\n"


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
