"""What is remembered of one job for its rules: bounded, whatever it does and however long it runs.

Time that nobody saw is no time: `Coverage` has the gaps of the watch, `Spans` adds up only what was told.
"""

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from backend_client.models import Attempt, Job, JobSpec, JobState, JobUsage, Progress
from backend_client.models.quantities import memory_bytes
from backend_client.usage import UNUSED

MOST_SPANS = 64
MOST_LOSSES = 64
MOST_MEMORY = 32
OTHERS_BUSY = 0.20
"""Above this share the other GPUs of a job are at work."""
SURELY_LATE = 1.05
"""An end is taken for late where it is later than the deadline by so much of the time that is left."""
_READ_LAG = timedelta(seconds=60)
"""After so long a log that begins to be read has told what it had to tell."""
_KEPT_GAPS = 64
_OLD = timedelta(days=2)
"""Gaps that ended before are forgotten: no threshold reaches so far back."""


LogRead = Callable[[Job, datetime], datetime | None]
"""(job, now) -> until when its log was read, now where it is all the time; None where it is not read."""


class Coverage:
    """When a watch was live and somebody looked; the rest are gaps. One for all jobs of a watch."""

    def __init__(self) -> None:
        self._gaps: deque[tuple[datetime, datetime]] = deque(maxlen=_KEPT_GAPS)
        self._blind_since: datetime | None = None

    @property
    def live(self) -> bool:
        """True where what was told last still holds."""
        return self._blind_since is None

    def close_eyes(self, since: datetime) -> None:
        """Begin a gap, unless one is open."""
        if self._blind_since is None:
            self._blind_since = since

    def open_eyes(self, now: datetime) -> None:
        """End the gap that is open, if one is."""
        if self._blind_since is not None:
            self.miss(self._blind_since, now)
            self._blind_since = None

    def miss(self, start: datetime, end: datetime) -> None:
        """Take a gap; one that touches the last is one with it."""
        while self._gaps and self._gaps[0][1] < end - _OLD:
            self._gaps.popleft()
        if self._gaps and start <= self._gaps[-1][1]:
            first, last = self._gaps.pop()
            start, end = min(first, start), max(last, end)
        if end > start:
            self._gaps.append((start, end))

    def seen(self, start: datetime, end: datetime) -> float:
        """Return the seconds between two times that were seen."""
        if self._blind_since is not None:
            end = min(end, self._blind_since)
        if end <= start:
            return 0.0
        missed = sum(
            (min(end, last) - max(start, first)).total_seconds()
            for first, last in reversed(self._gaps)
            if last > start and first < end
        )
        return (end - start).total_seconds() - missed


class Spans:
    """For how long something has been so without a look at which it was not; gaps count as neither."""

    def __init__(self, coverage: Coverage) -> None:
        self._coverage = coverage
        self._spans: list[tuple[datetime, datetime]] = []
        self._since: datetime | None = None
        self._was_not = False

    @property
    def holds(self) -> bool | None:
        """Whether it is so now; None where that is unknown, or was never told."""
        if self._since is not None:
            return True
        return False if self._was_not else None

    def tell(self, now: datetime, so: bool | None) -> None:
        """Take what is seen now: so, not so, or (None) nothing."""
        if so:
            self._since = self._since or now
        elif so is None:
            self._pause(now)
        else:
            self._spans.clear()
            self._since = None
        self._was_not = so is False

    def _pause(self, now: datetime) -> None:
        if self._since is not None:
            self._spans.append((self._since, now))
            del self._spans[:-MOST_SPANS]
            self._since = None

    @property
    def start(self) -> datetime | None:
        """When the first look of this time was; None where it is not so, or forgotten."""
        return self._spans[0][0] if self._spans else self._since

    def seconds(self, now: datetime, after: datetime) -> float:
        """Return for how long it was seen to be so, after a time."""
        spans = [*self._spans, *([(self._since, now)] if self._since else ())]
        return sum(self._coverage.seen(max(start, after), end) for start, end in spans)


class LossSample(NamedTuple):
    """One loss that was told."""

    step: int | None
    loss: float
    """May be nan or inf."""


class MemorySample(NamedTuple):
    """The share of its limit that a job used from a time on."""

    time: datetime
    share: float | None


class Timeline:
    """One job: as it stands, and what its rules need of its past. `feed` it each time it is told."""

    def __init__(self, job: Job, now: datetime, coverage: Coverage, log_read: LogRead) -> None:
        self.coverage = coverage
        self.job = job
        self.seen_since = now
        self.seen_under_way = not job.ended
        """It was seen before its end, so that is news."""
        self.waiting_since: datetime | None = None
        """Since when it was seen to wait, this time."""
        self.requeued = ""
        """What put a job that ran back into its queue, this time; empty where nothing did."""
        self.attempt: Attempt | None = None
        """The newest attempt; of several ranks, the first to start."""
        self.number = 0
        """The number of the newest attempt; 0 before the first."""
        self.running_since: datetime | None = None
        """When the first rank of this attempt started; None where that is unknown, or it does not run."""
        self._log_read = log_read
        self._start_attempt()
        self.feed(job, now)

    def _start_attempt(self) -> None:
        self.idle = Spans(self.coverage)
        """No GPU of it is used."""
        self.one_idle = Spans(self.coverage)
        """One GPU is not used, the others are."""
        self.memory: list[MemorySample] = []
        self.quiet_until: datetime | None = None
        """Until when its log was read, the last time that it told no progress since `moved`."""
        self._read_since: datetime | None = None
        self.idle_parts: frozenset[str] = frozenset()
        """Which parts were not used in all of `one_idle`, as far as that is told."""
        self.was_busy = False
        self.rank_was_busy = False
        """All its GPUs were seen at work at a time."""
        self.first_usage: datetime | None = None
        self.first_xid: int | None = None
        """The last error of its GPUs when they were first seen: it may be another job's."""
        self.xid: int | None = None
        self.moved: datetime | None = None
        """When its progress last moved."""
        self.longest_quiet = 0.0
        """Seconds seen between two moves of its progress, at most."""
        self.moves = 0
        self.quiet_phase = False
        """Its log says that it evaluates, saves or loads, or said so since its GPUs were last used."""
        self.losses: list[LossSample] = []
        self.overdue = 0
        """How many times in a row its progress said that it ends after its time."""
        self._progress: Progress | None = None

    @property
    def gpus(self) -> int:
        """All its GPUs, over its ranks."""
        return self.job.spec.gpus * max(1, self.job.spec.nodes, self.job.spec.replicas)

    def feed(self, job: Job, now: datetime) -> None:
        """Take the job as it is told now."""
        before, number = self.job, self.number
        self.job, running = job, job.state is JobState.RUNNING
        self.number = job.attempts[-1].number if job.attempts else 0
        self.attempt = _newest_attempt(job)
        self.running_since = (
            (self.attempt.started if self.attempt else None) or job.started if running else None
        )
        if self.number != number or job.ended:
            self._start_attempt()
        self.seen_under_way = self.seen_under_way or not job.ended or job.state is not before.state
        self._feed_state(before, now)
        self._feed_usage(job.usage if running else None, now)
        if running and job.progress is not None and job.progress != self._progress:
            self._feed_progress(job.progress, now)
        self.look(now)

    def look(self, now: datetime) -> None:
        """Note what is so without being told anew: until when the log was read while nothing came of it."""
        if self.job.state is not JobState.RUNNING or self.moved is None:
            return
        until = self._log_read(self.job, now)
        if until is None:
            self._read_since = None
            return
        self._read_since = self._read_since or now
        if until > self.moved and now - self._read_since >= _READ_LAG:
            self.quiet_until = min(until, now)

    def _feed_state(self, before: Job, now: datetime) -> None:
        waits = _waits(self.job)
        ran = before.state in (JobState.RUNNING, JobState.STARTING)
        if ran and self.job.state is JobState.QUEUED and self.job.queue is not None:
            self.requeued = self.job.reason or "it went back to its queue"
        elif not waits:
            self.requeued = ""
        if not waits:
            self.waiting_since = None
        elif self.waiting_since is None:
            self.waiting_since = now

    def _feed_usage(self, usage: JobUsage | None, now: datetime) -> None:
        mean = usage.gpu if usage else None
        least = usage.gpu_min if usage else None
        idle = None if mean is None else mean < UNUSED
        self.idle.tell(now, idle)
        if mean is not None:
            self.first_usage = self.first_usage or now
        if idle is False:
            self.was_busy, self.quiet_phase = True, False
        self._feed_one_idle(usage, now)
        if least is not None and least >= UNUSED:
            self.rank_was_busy = True
        if usage and usage.xid is not None:
            self.first_xid = usage.xid if self.first_xid is None else self.first_xid
            self.xid = usage.xid
        self._feed_memory(usage, now)

    def _feed_one_idle(self, usage: JobUsage | None, now: datetime) -> None:
        """Note that a part is idle; where those that were so all work by turns, the time begins anew."""
        so = self._one_idle(usage.gpu, usage.gpu_min) if usage else None
        parts = frozenset(usage.idle) if usage and so else frozenset[str]()
        if so is False or (parts and self.idle_parts and not parts & self.idle_parts):
            self.one_idle.tell(now, False)
            self.idle_parts = frozenset()
        if parts:
            self.idle_parts = (parts & self.idle_parts) or parts
        self.one_idle.tell(now, so)

    def _one_idle(self, mean: float | None, least: float | None) -> bool | None:
        if mean is None or least is None or self.gpus < 2:
            return None
        if least >= UNUSED:
            return False
        others = (mean * self.gpus - least) / (self.gpus - 1)
        return True if others > OTHERS_BUSY else None

    def _feed_memory(self, usage: JobUsage | None, now: datetime) -> None:
        used, limit = usage.memory if usage else None, memory_limit(self.job.spec)
        share = used / limit if used is not None and limit else None
        if not self.memory or self.memory[-1].share != share:
            self.memory.append(MemorySample(now, share))
            del self.memory[:-MOST_MEMORY]

    def _feed_progress(self, progress: Progress, now: datetime) -> None:
        before, self._progress = self._progress, progress
        if before is None or _moved(before, progress):
            self._move(now)
        if progress.phase:
            self.quiet_phase = True
        self.overdue = self.overdue + 1 if ends_late(self.job, now) else 0
        loss = progress.loss
        if loss is not None and (before is None or (before.step, before.loss) != (progress.step, loss)):
            self.losses.append(LossSample(progress.step, float(loss)))
            del self.losses[:-MOST_LOSSES]

    def _move(self, now: datetime) -> None:
        self.look(now)
        self.longest_quiet = max(self.longest_quiet, self.quiet())
        self.moved, self.quiet_until = now, None
        self.moves += 1

    def quiet(self) -> float:
        """Return for how many seconds, that were seen, reading its log has told no progress."""
        if self.moved is None or self.quiet_until is None:
            return 0.0
        return self.coverage.seen(self.moved, self.quiet_until)


def memory_limit(spec: JobSpec) -> float:
    """Return the bytes that all ranks of a job may use; 0 where it has no limit."""
    try:
        each = memory_bytes(spec.memory) if spec.memory else 0
    except ValueError:
        return 0.0
    return float(each) * max(1, spec.nodes, spec.replicas)


def deadline(job: Job) -> datetime | None:
    """Return when a job has run for as long as it may; None where it may for ever, or that is unknown."""
    resumed = job.pauses[-1].resumed if job.pauses else None
    starts = [time for time in (job.started, resumed) if time]
    if not job.spec.max_runtime or not starts:
        return None
    return max(starts) + timedelta(seconds=job.spec.max_runtime)


def ends_late(job: Job, now: datetime) -> bool:
    """Return whether a job's own progress says that it ends after the time that it may run."""
    end, progress = deadline(job), job.progress
    left = progress.seconds_left if progress else None
    if end is None or left is None:
        return False
    return left > SURELY_LATE * (end - now).total_seconds()


def _moved(before: Progress, after: Progress) -> bool:
    return (before.step, before.total, before.loss) != (after.step, after.total, after.loss)


def _newest_attempt(job: Job) -> Attempt | None:
    """Return the newest attempt; of several ranks, the first to start."""
    if len(job.attempts) < 2:
        return job.attempts[0] if job.attempts else None
    number = job.attempts[-1].number
    started = [a for a in job.attempts if a.number == number and a.started]
    return min(started, key=lambda a: a.started, default=job.attempts[-1])  # type: ignore[arg-type,return-value]


def _waits(job: Job) -> bool:
    return job.state in (JobState.QUEUED, JobState.PENDING)
