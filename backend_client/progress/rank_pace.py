"""How far each rank of a job is, and how fast: from the steps that the ranks print themselves. Pure."""

from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from msgspec import Struct

from backend_client.progress.parser import Tracker
from backend_client.protocol import Lines

KEPT = 240
"""Steps of one rank that are remembered."""


class StepTime(Struct, frozen=True):
    """When a rank said that it was at a step; seconds since the epoch, by the clock of its node."""

    time: float
    step: int


class RankPace(Struct, frozen=True, kw_only=True):
    """One rank as its log tells of it. What the log does not give is None."""

    rank: int
    attempt: int = 1
    step: int | None = None
    rate: float | None = None
    """Steps a second, as it counts them itself, or over what is remembered."""
    last_line: datetime | None = None
    """When it last wrote anything."""
    steps: tuple[StepTime, ...] = ()
    """Oldest first."""


class RankPaces:
    """The pace of all ranks of one job: `feed` the batches of its log, in any order of ranks."""

    def __init__(self) -> None:
        self._ranks: dict[int, _Rank] = {}

    def feed(self, batch: Lines) -> None:
        """Take a batch; one of a later attempt begins its rank anew, one of an earlier is left out."""
        rank, source = self._ranks.get(batch.source.rank), batch.source
        if rank is None or rank.attempt < source.attempt:
            rank = self._ranks[source.rank] = _Rank(source.attempt)
        if rank.attempt == source.attempt:
            rank.feed(batch)

    @property
    def ranks(self) -> Mapping[int, RankPace]:
        """Each rank that has written, as it is now."""
        return {number: heard.pace(number) for number, heard in sorted(self._ranks.items())}


class _Rank:
    """One attempt of one rank."""

    def __init__(self, attempt: int) -> None:
        self.attempt = attempt
        self._now = 0.0
        self._last = 0
        self._tracker = Tracker(lambda: self._now)
        self._steps: deque[StepTime] = deque(maxlen=KEPT)
        self._rate: float | None = None

    def feed(self, batch: Lines) -> None:
        for time, line in zip(batch.times, batch.lines, strict=True):
            if time < self._last:  # read again after a lost connection
                continue
            self._last = time
            self._now = time / 1e9
            self._tracker.feed(line + b"\n")
            self._note(self._tracker.read() or {})

    def _note(self, figures: Mapping[str, float]) -> None:
        self._rate = figures.get("rate", self._rate)
        step = figures.get("step")
        if step is None or (self._steps and self._steps[-1].step == step):
            return
        if self._steps and step < self._steps[-1].step:  # it began anew, or another loop prints now
            self._steps.clear()
        self._steps.append(StepTime(self._now, int(step)))

    def pace(self, number: int) -> RankPace:
        steps = tuple(self._steps)
        return RankPace(
            rank=number,
            attempt=self.attempt,
            step=steps[-1].step if steps else None,
            rate=rate_of(steps) or self._rate,
            last_line=datetime.fromtimestamp(self._last / 1e9, UTC) if self._last else None,
            steps=steps,
        )


def rate_of(steps: Sequence[StepTime]) -> float | None:
    """Return the steps a second over what is remembered; None for less than two steps."""
    if len(steps) < 2 or steps[-1].time <= steps[0].time:
        return None
    return (steps[-1].step - steps[0].step) / (steps[-1].time - steps[0].time)
