"""How long jobs run, by person and size, out of those that ended and those that still run (pure).

The estimator is Kaplan and Meier's ("Nonparametric Estimation from Incomplete Observations", 1958). What is
older than all that is known is as likely as not to get twice as old, which is a Pareto distribution
(Downey, "Predicting Queue Times on Space-Sharing Parallel Computers", 1997).
"""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import accumulate

from msgspec import Struct

ENOUGH = 20
"""Ended jobs that a group must have before it speaks for itself."""
_SHORTEST = 1.0
"""Seconds."""
_TINY = 1e-9


class PastJob(Struct, frozen=True):
    """A job as its duration tells of others."""

    user: str
    gpus: int
    seconds: float
    ended: bool = True
    """False for one that still runs: it takes longer than this."""


Group = tuple[str | None, int | None]
"""(person, size class); None is all of them."""


class Durations:
    """The durations of past jobs, by group."""

    def __init__(self, jobs: Iterable[PastJob]) -> None:
        members: defaultdict[Group, list[PastJob]] = defaultdict(list)
        for job in jobs:
            for group in _groups(job.user, job.gpus):
                members[group].append(job)
        self._curves = {
            group: SurvivalCurve(found)
            for group, found in members.items()
            if sum(job.ended for job in found) >= ENOUGH or group == (None, None)
        }

    def curve(self, user: str, gpus: int) -> "SurvivalCurve":
        """Return the curve of the narrowest group that has enough jobs: person and size, one of them, all."""
        return next(
            (self._curves[group] for group in _groups(user, gpus) if group in self._curves), SurvivalCurve(())
        )


def _groups(user: str, gpus: int) -> Iterable[Group]:
    size = gpus.bit_length()
    return (user, size), (user, None), (None, size), (None, None)


class SurvivalCurve:
    """The share of jobs that run longer than so many seconds."""

    def __init__(self, jobs: Sequence[PastJob]) -> None:
        ends = Counter(max(job.seconds, _SHORTEST) for job in jobs if job.ended)
        ages = sorted(max(job.seconds, _SHORTEST) for job in jobs)
        self._times = sorted(ends)
        steps = (1 - ends[time] / (len(ages) - bisect_left(ages, time)) for time in self._times)
        self._left = list(accumulate(steps, lambda left, step: left * step, initial=1.0))
        """Share that is left after the first n times."""
        self._rising = [-left for left in self._left[1:]]
        self._longest = max(ages, default=3600.0)

    def quantile(self, share: float, age: float = 0.0) -> float:
        """Return the seconds in all that `share` (0 to 1) of the jobs of an age (seconds) outlast."""
        left = self._left[bisect_right(self._times, age)]
        if left <= 0 or age >= self._longest:
            return max(age, _SHORTEST) / max(share, _TINY)
        index = bisect_left(self._rising, -share * left)
        if index < len(self._times):
            return self._times[index]
        return self._longest * self._left[-1] / max(share * left, _TINY)
