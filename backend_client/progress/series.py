"""Batches of a job's log -> its series of figures: the loss, and whatever else has a name (pure)."""

from collections.abc import Mapping

from backend_client.line_prefix import strip_prefix
from backend_client.progress.loss import training_loss
from backend_client.progress.loss_curve import timed_lines
from backend_client.progress.numbers import whole_number
from backend_client.progress.pairs import may_tell, pairs
from backend_client.progress.parser import Tracker, plain_bytes
from backend_client.progress.phase import is_other
from backend_client.progress.plain import find_step
from backend_client.progress.points import MOST, NO_STEP, Points
from backend_client.protocol import Lines

LOSS = "loss"
"""The series of the training's loss, however the log calls it."""
MOST_SERIES = 24
"""Series of one rank that are kept beside the loss; those named later are left out."""
_LONGEST = 1000
"""Characters of a line that are read."""


class LogSeries:
    """The series of one job: `feed` batches of its log, of any rank."""

    def __init__(self, most: int = MOST) -> None:
        """Keep at most so many points of each series."""
        self._most = most
        self._ranks: dict[int, _RankSeries] = {}
        self.first_time = 0.0
        """When its first line was written, in seconds since the epoch; 0 where that is not known."""

    def feed(self, batch: Lines) -> None:
        """Take one batch."""
        source = batch.source
        before = self._ranks.get(source.rank)
        if before is None or before.attempt != source.attempt:
            self._ranks[source.rank] = _RankSeries(source.attempt, self._most, before)
        self._ranks[source.rank].feed(batch)
        first = next((time / 1e9 for time in batch.times if time), 0.0)
        self.first_time = min(filter(None, (self.first_time, first)), default=0.0)

    @property
    def by_name(self) -> Mapping[str, Points]:
        """The series by name, each of the lowest rank that tells it."""
        found: dict[str, Points] = {}
        for rank in sorted(self._ranks):
            for name, points in self._ranks[rank].by_name.items():
                found.setdefault(name, points)
        return found

    @property
    def left_out(self) -> bool:
        """Whether there were more names than are kept."""
        return any(rank.left_out for rank in self._ranks.values())


class _RankSeries:
    """One attempt of one rank, with the points of those before it."""

    def __init__(self, attempt: int, most: int, before: "_RankSeries | None") -> None:
        self.attempt = attempt
        self.by_name: dict[str, Points] = before.by_name if before else {}
        for points in self.by_name.values():
            points.not_finite = None
        self.left_out: bool = before.left_out if before else False
        self._most = most
        self._time = 0.0
        self._step = NO_STEP
        """The last one that the log has told."""
        self._loss_told = self._has_loss = False
        self._tracker = Tracker(on_loss=self._loss, on_line=self._line)

    def feed(self, batch: Lines) -> None:
        for self._time, line in timed_lines(batch):
            self._tracker.feed(line)

    def _loss(self, step: int, loss: float) -> None:
        self._loss_told = self._has_loss = True
        self._step = step
        self._add(LOSS, step, loss)

    def _line(self, raw: bytes) -> None:
        """Read the other figures of a line whose loss has been read; they belong to the last step told."""
        told, self._loss_told = self._loss_told, False
        if len(raw) > _LONGEST or not may_tell(raw):
            return
        line = strip_prefix(plain_bytes(raw)).decode("utf-8", "replace").strip()
        if self._tracker.step is not None:
            self._step = self._tracker.step
        elif own := find_step(line):
            self._step = whole_number(own[2])
        if (
            not told
            and not self._has_loss
            and (loss := training_loss(line)) is not None
            and not is_other(line)
        ):
            self._add(LOSS, self._step, loss)  # no line has told a step beside a loss
        for name, figure in pairs(line, in_training=self._step != NO_STEP):
            self._add(name, self._step, figure)

    def _add(self, name: str, step: int, figure: float) -> None:
        points = self.by_name.get(name)
        if points is None:
            if name != LOSS and len(self.by_name) > MOST_SERIES:
                self.left_out = True
                return
            points = self.by_name[name] = Points(self._most)
        points.add(step, figure, self._time)
