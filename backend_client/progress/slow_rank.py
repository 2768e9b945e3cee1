"""Which rank sets the pace of the others, and from what that is known. Pure.

Ranks that train together wait for each other at each step, so all have the same pace, and the slow one is
that which comes to each step last; ranks that do not wait differ in their pace. Where the ranks print no
steps, the use of their GPUs is compared. A wrong name is worse than none: one is given only where it holds
over many steps.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median
from typing import Literal

from msgspec import Struct

from backend_client.progress.rank_pace import RankPace, StepTime
from backend_client.usage import Measure, UsageHistory

FACTOR = 1.15
"""A rank that is slower than the median by less is not named."""
CLOCKS_APART = 0.5
"""Seconds by which the clocks of two nodes may differ: a rank that is late by less may be none that is."""
FEWEST_STEPS = 12
"""Steps that most ranks have in common, before one is named."""
OFTEN = 0.8
"""The share of them in which it must be so."""
FEWEST_RANKS = 3
"""With two, nobody can say which is the odd one."""
_FEWEST_SAMPLES = 10
_BUSY = 0.2
"""A median use below it says nothing: they all wait for something else."""

Basis = Literal["steps", "pace", "utilisation"]


class SlowRank(Struct, frozen=True, kw_only=True):
    """The rank that sets the pace."""

    rank: int
    factor: float
    """So many times slower than the median of the ranks; by utilisation: used so many times less."""
    since: datetime
    """Since when, as far as it is remembered."""
    basis: Basis
    """steps: it comes to each step last. pace: it makes fewer steps. utilisation: its GPUs do less."""


def slow_rank(paces: Iterable[RankPace], history: UsageHistory | None = None) -> SlowRank | None:
    """Return the rank that sets the pace; None where none does, or where nobody can tell."""
    steps = {pace.rank: pace.steps for pace in paces}
    speaking = {rank: told for rank, told in steps.items() if len(told) >= FEWEST_STEPS}
    if len(speaking) >= FEWEST_RANKS and 2 * len(speaking) > len(steps):
        return _by_pace(speaking) or _by_steps(speaking)
    return _by_utilisation(history) if history else None


def _by_pace(steps: Mapping[int, Sequence[StepTime]]) -> SlowRank | None:
    """Compare the paces over the time that all ranks remember: ranks that do not wait for each other."""
    begin = max(told[0].time for told in steps.values())
    common = {rank: [at for at in told if at.time >= begin] for rank, told in steps.items()}
    if min(map(len, common.values())) < FEWEST_STEPS:
        return None
    parts = [
        {rank: _usual_seconds(part(told)) for rank, told in common.items()}
        for part in (_whole, _first_half, _second_half)
    ]
    rank = max(parts[0], key=parts[0].__getitem__)
    factors = [part[rank] / middle for part in parts if (middle := median(part.values())) > 0]
    if len(factors) < len(parts) or min(factors) < FACTOR:
        return None
    return SlowRank(rank=rank, factor=factors[0], since=_time(begin), basis="pace")


def _usual_seconds(told: Sequence[StepTime]) -> float:
    """Return how long a step takes, without the longest tenth: checkpoints, evaluations, hiccups."""
    took = sorted((b.time - a.time) / (b.step - a.step) for a, b in pairwise(told))
    usual = took[: len(took) - (len(took) + 9) // 10]
    return sum(usual) / len(usual) if usual else 0.0


def _whole(told: Sequence[StepTime]) -> Sequence[StepTime]:
    return told


def _first_half(told: Sequence[StepTime]) -> Sequence[StepTime]:
    return told[: len(told) // 2 + 1]


def _second_half(told: Sequence[StepTime]) -> Sequence[StepTime]:
    return told[len(told) // 2 :]


def _by_steps(steps: Mapping[int, Sequence[StepTime]]) -> SlowRank | None:
    """Find the rank that comes to the same steps last, by more than clocks can be apart."""
    at = {rank: {told.step: told.time for told in ones} for rank, ones in steps.items()}
    common = sorted(set.intersection(*(set(times) for times in at.values())))
    if len(common) < FEWEST_STEPS:
        return None
    last = [max(at, key=lambda rank: at[rank][step]) for step in common]
    rank = max(set(last), key=last.count)
    middle = {step: median(times[step] for times in at.values()) for step in common}
    late = [at[rank][step] - middle[step] for step in common]
    took = _seconds_a_step(middle)
    delay = median(late)
    needed = max(CLOCKS_APART, took * (1 - 1 / FACTOR))
    often = sum(one >= needed and who == rank for one, who in zip(late, last, strict=True))
    if delay < needed or delay >= took or often < OFTEN * len(common):
        return None
    return SlowRank(
        rank=rank,
        factor=took / (took - delay),
        since=_since(common, at[rank], lambda step: at[rank][step] - middle[step] >= needed),
        basis="steps",
    )


def _seconds_a_step(times: Mapping[int, float]) -> float:
    """Return how long one step takes, also where only every tenth is printed."""
    steps = sorted(times)
    return median((times[later] - times[earlier]) / (later - earlier) for earlier, later in pairwise(steps))


def _since(common: Sequence[int], times: Mapping[int, float], holds: Callable[[int], bool]) -> datetime:
    """Return when the last unbroken run began, over single steps that differ."""
    begin = common[-1]
    misses = 0
    for step in reversed(common):
        if holds(step):
            begin, misses = step, 0
        elif (misses := misses + 1) > 2:
            break
    return _time(times[begin])


def _by_utilisation(history: UsageHistory) -> SlowRank | None:
    """Find the rank whose GPUs do clearly and constantly less than those of the others."""
    used = _by_rank(history)
    if len(used) < FEWEST_RANKS:
        return None
    indices = [
        index
        for index in range(min(map(len, used.values())))
        if all(values[index] is not None for values in used.values())
    ]
    if len(indices) < _FEWEST_SAMPLES:
        return None
    means = {rank: median(_known(values, indices)) for rank, values in used.items()}
    rank = min(means, key=means.__getitem__)
    others = sorted(mean for other, mean in means.items() if other != rank)
    middle = median(means.values())
    factor = middle / means[rank] if means[rank] else float("inf")
    if middle < _BUSY or factor < FACTOR or others[0] < means[rank] * (1 + (FACTOR - 1) / 2):
        return None
    lower = [
        index
        for index in indices
        if (used[rank][index] or 0.0) * FACTOR
        <= median(value for values in used.values() if (value := values[index]) is not None)
    ]
    if len(lower) < OFTEN * len(indices):
        return None
    since = _time(history.start.timestamp() + lower[0] * history.step)
    return SlowRank(rank=rank, factor=factor, since=since, basis="utilisation")


def _by_rank(history: UsageHistory) -> dict[int, list[float | None]]:
    """Return the mean use of each rank's GPUs over time: of the engine, where told, else of kernels."""
    told = {series.measure for series in history.series}
    measure = Measure.ACTIVITY if Measure.ACTIVITY in told else Measure.UTILISATION
    gpus: dict[int, list[tuple[float | None, ...]]] = {}
    for series in history.series:
        if series.measure is measure:
            gpus.setdefault(series.rank, []).append(series.values)
    return {rank: [_mean(values) for values in zip(*of_rank, strict=False)] for rank, of_rank in gpus.items()}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None


def _known(values: Sequence[float | None], indices: Iterable[int]) -> list[float]:
    return [value for index in indices if (value := values[index]) is not None]


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
