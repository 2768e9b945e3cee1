"""The attempts of one job, their ranks, and the time that each state took. Pure; all is clean."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby, pairwise
from typing import NamedTuple

from backend_client.models import Attempt, Job, JobState
from backend_client.text.figures import duration, short_local_time, span
from backend_client.text.sanitize import clean
from backend_client.text.timeline import exit_text

_WAITING = (JobState.QUEUED, JobState.PENDING, JobState.STARTING)
ATTEMPT_ROWS = ("started", "ended", "took", "end", "why", "where", "ranks", "log")


def has_ranks(job: Job) -> bool:
    """Return True where lines of several ranks or replicas may come, which are told apart then."""
    ranks = {attempt.rank for attempt in job.attempts}
    return len(ranks) > 1 or job.spec.nodes > 1 or job.spec.replicas > 1


class AttemptGroup(NamedTuple):
    """All ranks of one attempt."""

    number: int
    ranks: Sequence[Attempt]

    @property
    def started(self) -> datetime | None:
        return min((rank.started for rank in self.ranks if rank.started), default=None)

    @property
    def finished(self) -> datetime | None:
        """The time when the last rank ended; None while one runs."""
        ends = [rank.finished for rank in self.ranks]
        return max((end for end in ends if end), default=None) if all(ends) else None

    @property
    def deciding_rank(self) -> Attempt:
        """The rank that explains the end: the first that failed, else the lowest."""
        failed = [rank for rank in self.ranks if rank.exit_code]
        return (
            min(failed, key=lambda rank: (rank.finished is None, rank.finished)) if failed else self.ranks[0]
        )


def group_attempts(job: Job) -> list[AttemptGroup]:
    """Group the ranks of each attempt, oldest attempt first."""
    attempts = sorted(job.attempts, key=lambda rank: (rank.number, rank.rank))
    return [
        AttemptGroup(number, list(ranks)) for number, ranks in groupby(attempts, key=lambda rank: rank.number)
    ]


def attempt_cells(group: AttemptGroup) -> Sequence[str]:
    """Return what is said of an attempt, as `ATTEMPT_ROWS` names it; "" where there is nothing to say."""
    deciding = group.deciding_rank
    failed = [str(rank.rank) for rank in group.ranks if rank.exit_code]
    ranks = str(len(group.ranks)) + (f", failed: {' '.join(failed)}" if failed else "")
    return (
        short_local_time(group.started),
        short_local_time(group.finished),
        duration((group.finished - group.started).total_seconds())
        if group.started and group.finished
        else "",
        exit_text(deciding),
        clean(deciding.reason, 200),
        _place(deciding),
        ranks if len(group.ranks) > 1 else "",
        "gone" if all(rank.log_gone for rank in group.ranks) else "",
    )


def rank_cells(rank: Attempt) -> Sequence[str]:
    """Return what is said of one rank of an attempt: its number, start, end, how it ended, where it ran."""
    return (
        str(rank.rank),
        short_local_time(rank.started),
        short_local_time(rank.finished),
        exit_text(rank),
        _place(rank),
    )


def _place(rank: Attempt) -> str:
    return clean(rank.pod or rank.node, 60) + (f" pid {rank.pid}" if rank.pid else "")


class _Period(NamedTuple):
    """A time in one state; `end` is None while it goes on."""

    state: str
    start: datetime
    end: datetime | None


def state_durations(job: Job, now: datetime) -> list[tuple[str, str]]:
    """Return (state, its duration as text), as far as the job's own times show; coarse while it goes on."""
    total: dict[str, tuple[float, bool]] = {}
    for state, start, end in _periods(job):
        before, _ = total.get(state, (0.0, False))
        total[state] = (before + ((end or now) - start).total_seconds(), end is None)
    return [
        (state, f"{span(seconds)} so far" if goes_on else duration(seconds))
        for state, (seconds, goes_on) in total.items()
    ]


def _periods(job: Job) -> list[_Period]:
    runs = [(group.started, group.finished) for group in group_attempts(job) if group.started]
    first = runs[0][0] if runs else job.started
    started = job.started or first
    waiting_state = (
        job.state.value if not started and not job.ended else "Queued" if job.queued else "Pending"
    )
    periods = [_Period(waiting_state, job.created, started or job.finished)]
    if started and first and started < first:
        periods.append(_Period("Earlier", started, first))
    periods += [_Period("Running", start, end or job.finished) for start, end in runs if start]
    for (_, end), (start, _) in pairwise(runs):
        if end and start:
            periods.append(_Period("In between", end, start))
    if runs and runs[-1][1] and (job.next_try or job.state in _WAITING):
        periods.append(_Period("In between", runs[-1][1], None))
    return periods
