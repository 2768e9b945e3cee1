"""A range of start times out of simulated futures: its ends, widened, and how they are told (pure)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import ceil, exp, floor

from msgspec.structs import replace

from backend_client.models import StartRange

LOWER, UPPER = 0.1, 0.9
"""The shares of futures in which a job has started before the ends: between them lie 80 %."""
MISS_STEP, HIT_STEP = 0.04, 0.01
"""How much the logarithm of the widening grows at a miss, shrinks at a hit: at rest one of five misses."""
LEAST_WIDENING, MOST_WIDENING = 0.6, 8.0
FARTHEST = timedelta(days=7)
"""A range that ends later is not told."""
MOVED = 0.2
"""A range is told anew where an end has moved by more than this share of its width."""
_STEPS = ((timedelta(hours=1), timedelta(minutes=5)), (timedelta(hours=6), timedelta(minutes=30)))
"""Nearer than this: rounded to that; what is farther, to hours."""
_HOUR = timedelta(hours=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def ends_of(starts: Sequence[float], widening: float) -> tuple[float, float]:
    """Return both ends in seconds from now, out of the sorted starts of all futures."""
    last = len(starts) - 1
    lower, upper = starts[floor(LOWER * last)] / widening, starts[ceil(UPPER * last)] * widening
    return (lower, upper) if lower <= upper else (upper, lower)


def next_widening(widening: float, hit: bool) -> float:
    """Return the factor after one more range was right, or wrong."""
    stepped = widening * exp(-HIT_STEP if hit else MISS_STEP)
    return min(max(stepped, LEAST_WIDENING), MOST_WIDENING)


def exact_range(starts: Sequence[float], widening: float, now: datetime) -> StartRange | None:
    """Return the range of a start; one that is `far` where no future starts it within a week.

    None where it could be within a week or later: that says too little.
    """
    lower, upper = ends_of(starts, widening)
    week = FARTHEST.total_seconds()
    if lower > week:
        return StartRange(now + FARTHEST, now + FARTHEST, far=True)
    if upper > week:
        return None
    return StartRange(now + timedelta(seconds=lower), now + timedelta(seconds=upper))


def rounded_outwards(exact: StartRange, now: datetime) -> StartRange:
    """Round a range as people are told it: the nearer, the finer."""
    return replace(
        exact,
        earliest=_rounded(exact.earliest, exact.earliest - now, up=False),
        latest=_rounded(exact.latest, exact.latest - now, up=True),
    )


def has_moved(before: StartRange, after: StartRange) -> bool:
    """Tell whether an end has moved by more than a fifth of the width; both are exact."""
    allowed = (before.latest - before.earliest) * MOVED
    ends = (before.earliest, after.earliest), (before.latest, after.latest)
    return any(abs(one - other) > allowed for one, other in ends)


def _rounded(when: datetime, wait: timedelta, *, up: bool) -> datetime:
    step = next((step for limit, step in _STEPS if wait < limit), _HOUR)
    whole = (when - _EPOCH) / step
    return _EPOCH + (ceil(whole) if up else floor(whole)) * step
