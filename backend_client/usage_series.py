"""The use of one job over a time, put together: all GPUs of a rank, or of the job, as one line. Pure.

A moment of which nobody tells is None in every line that comes out of this.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import zip_longest
from math import isfinite

from backend_client.usage import Measure, UsageHistory, UsageSeries

Values = Sequence[float | None]


def of_measure(history: UsageHistory, measure: Measure, rank: int | None = None) -> list[UsageSeries]:
    """Return the series of one measure, of one rank or of all."""
    return [series for series in history.series if series.measure is measure and rank in (None, series.rank)]


def merged(series: Sequence[UsageSeries], how: Callable[[Sequence[float]], float]) -> list[float | None]:
    """Merge series moment by moment with `mean`, `min`, `max` or `sum`, of those that tell something then."""
    moments = zip_longest(*(one.values for one in series))
    return [how(told) if (told := known(moment)) else None for moment in moments]


def mean(values: Sequence[float]) -> float:
    """Return the mean of figures, of which there is one at least."""
    return sum(values) / len(values)


def known(values: Values) -> list[float]:
    """Return the figures that were told; nan and inf are none."""
    return [value for value in values if value is not None and isfinite(value)]


def time_of(history: UsageHistory, step: int) -> datetime:
    """Return when the values of a step were measured."""
    return history.start + timedelta(seconds=history.step * step)
