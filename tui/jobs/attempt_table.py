"""The last attempts of one job side by side, and the time that each state took. Pure; texts are clean."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby, pairwise
from typing import NamedTuple

from backend_client.models import Attempt, Job
from tui.jobs.timeline import how_ended
from tui.ui.format import duration, fit, short_local_time, span
from tui.ui.sanitize import clean

_LABEL, _NARROWEST, _WIDEST, _GAP = 9, 22, 48, 2


class AttemptGroup(NamedTuple):
    """All ranks of one attempt."""

    number: int
    ranks: Sequence[Attempt]

    @property
    def started(self) -> datetime | None:
        return min((one.started for one in self.ranks if one.started), default=None)

    @property
    def finished(self) -> datetime | None:
        """When the last rank had ended; None while one runs."""
        ends = [one.finished for one in self.ranks]
        return max((end for end in ends if end), default=None) if all(ends) else None

    @property
    def worst(self) -> Attempt:
        """The rank that tells why: the first that failed, else the lowest."""
        failed = [one for one in self.ranks if one.exit_code]
        return min(failed, key=lambda one: (one.finished is None, one.finished)) if failed else self.ranks[0]


def group_attempts(job: Job) -> list[AttemptGroup]:
    """The attempts that are known, oldest first."""
    every = sorted(job.attempts, key=lambda one: (one.number, one.rank))
    return [AttemptGroup(number, list(ranks)) for number, ranks in groupby(every, key=lambda one: one.number)]


def side_by_side(job: Job, width: int) -> list[str]:
    """The last attempts, one a column, as many as fit."""
    known = group_attempts(job)
    room = width - _LABEL
    last = known[-max(1, room // _NARROWEST) :]
    each = min(_WIDEST, room // max(1, len(last))) - _GAP
    rows = [
        ("#", [str(one.number) for one in last]),
        *zip(_ROWS, zip(*map(_told, last), strict=True), strict=True),
    ]
    return [
        (fit(label, _LABEL) + "".join(fit(text, each) + " " * _GAP for text in texts)).rstrip()
        for label, texts in rows
        if any(texts)
    ]


_ROWS = ("started", "ended", "took", "end", "why", "where", "ranks")


def _told(one: AttemptGroup) -> Sequence[str]:
    worst, over = one.worst, one.started and one.finished
    where = clean(worst.pod or worst.node, 60) + (f" pid {worst.pid}" if worst.pid else "")
    failed = [str(rank.rank) for rank in one.ranks if rank.exit_code]
    ranks = str(len(one.ranks)) + (f", failed: {' '.join(failed)}" if failed else "")
    return (
        short_local_time(one.started),
        short_local_time(one.finished),
        duration((one.finished - one.started).total_seconds())
        if over and one.started and one.finished
        else "",
        how_ended(worst),
        clean(worst.reason, 200),
        where,
        ranks if len(one.ranks) > 1 else "",
    )


class _Stretch(NamedTuple):
    """A time in one state; `end` is None while it goes on."""

    state: str
    start: datetime
    end: datetime | None


def states(job: Job, now: datetime) -> list[tuple[str, str]]:
    """(state, time it took), as far as the job's own times tell. What goes on is told coarsely."""
    total: dict[str, tuple[float, bool]] = {}
    for state, start, end in _stretches(job):
        before, _ = total.get(state, (0.0, False))
        total[state] = (before + ((end or now) - start).total_seconds(), end is None)
    return [
        (state, f"{span(seconds)} so far" if goes_on else duration(seconds))
        for state, (seconds, goes_on) in total.items()
    ]


def _stretches(job: Job) -> list[_Stretch]:
    known = [(one.started, one.finished) for one in group_attempts(job) if one.started]
    first = known[0][0] if known else job.started
    begun = job.started or first
    waited = job.state.value if not begun and not job.ended else "Queued" if job.queued else "Pending"
    found = [_Stretch(waited, job.created, begun or job.finished)]
    if begun and first and begun < first:
        found.append(_Stretch("Earlier", begun, first))
    found += [_Stretch("Running", start, end or job.finished) for start, end in known if start]
    for (_, end), (start, _) in pairwise(known):
        if end and start:
            found.append(_Stretch("In between", end, start))
    if job.next_try and known and known[-1][1]:
        found.append(_Stretch("In between", known[-1][1], None))
    return found
