"""Which plots tell what a job has used over the time: their titles, lines and axes. Pure."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from backend_client.text.axes import Axis, ticks
from backend_client.text.figures import bytes_text, share_text, watts_text
from backend_client.usage import Measure, UsageHistory, UsageSeries
from backend_client.usage_series import Values, known, mean, merged, of_measure

BAND = ("lowest", "mean", "highest")
"""The lines of a plot that has three."""


class UsagePlot(NamedTuple):
    """One plot: a line, or the three of a band."""

    title: str
    lines: Sequence[Values]
    axis: Axis
    text: Callable[[float | None], str]
    """Formats a value."""


def usage_plots(history: UsageHistory) -> list[UsagePlot]:
    """Return the plots of utilisation, memory and power, of those that are known."""
    return [plot for plot in (_utilisation(history), _memory(history), _power(history)) if plot]


def _band(series: Sequence[UsageSeries]) -> list[Values]:
    """Return the lowest, the mean and the highest of several series, or the one."""
    if len(series) == 1:
        return [series[0].values]
    return [merged(series, how) for how in (min, mean, max)]


def _title(what: str, count: int) -> str:
    return f"{what}: {BAND[0]}, {BAND[1]} and {BAND[2]} of {count} GPUs" if count > 1 else what


def _utilisation(history: UsageHistory) -> UsagePlot | None:
    series = _told(history, Measure.UTILISATION)
    if not series:
        return None
    shares = [0.0, 0.5, 1.0]
    axis = Axis(shares, [share_text(share) for share in shares], 0.0, 1.0)
    return UsagePlot(_title("GPU utilisation", len(series)), _band(series), axis, share_text)


def _memory(history: UsageHistory) -> UsagePlot | None:
    series = _told(history, Measure.MEMORY)
    if not series:
        return None
    most = max(value for one in series for value in known(one.values))
    axis = _from_zero(most, bytes_text)
    return UsagePlot(_title("GPU memory", len(series)), _band(series), axis, bytes_text)


def _power(history: UsageHistory) -> UsagePlot | None:
    series = _told(history, Measure.POWER)
    if not series:
        return None
    count = len(series)
    total = merged(series, lambda told: sum(told) if len(told) == count else float("nan"))
    if not known(total):
        return None
    title = "power" + (f" of all {count} GPUs" if count > 1 else "")
    return UsagePlot(title, [total], _from_zero(max(known(total)), watts_text), watts_text)


def _from_zero(most: float, text: Callable[[float | None], str]) -> Axis:
    at = ticks(0.0, most or 1.0, 2)
    return Axis(at, [text(tick) for tick in at], 0.0, most or 1.0)


def _told(history: UsageHistory, measure: Measure) -> list[UsageSeries]:
    return [series for series in of_measure(history, measure) if known(series.values)]
