"""The use of a job over the time as plots above each other, for wide screens. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from backend_client.text.figures import bytes_text, share_text, watts_text
from backend_client.usage import Measure, UsageHistory, UsageSeries
from backend_client.usage_series import Values, known, mean, merged, of_measure, time_of
from tui.ui.format import fit
from tui.ui.plot import Axis, draw_lines, tick_count, ticks, time_axis

_LEAST = 7
"""Lines of a plot that can still be read."""


class _Plot(NamedTuple):
    title: str
    lines: Sequence[Values]
    axis: Axis


def usage_plots(history: UsageHistory, width: int, height: int) -> str:
    """Draw utilisation, memory and power, those that are known and have room, in so many cells."""
    room = max(1, height // _LEAST)
    wanted = [plot for plot in (_utilisation(history), _memory(history), _power(history)) if plot][:room]
    if not wanted or width < 30 or height < _LEAST:
        return ""
    size = height // len(wanted)
    return "\n".join(_drawn(plot, history, width, size) for plot in wanted)


def _drawn(plot: _Plot, history: UsageHistory, width: int, height: int) -> str:
    start = history.start.timestamp()
    length = max(len(values) for values in plot.lines)
    axis = time_axis(start, time_of(history, length - 1).timestamp())
    lines = [
        [(start + history.step * step, value) for step, value in enumerate(values)] for values in plot.lines
    ]
    return f"{fit(plot.title, width).rstrip()}\n{draw_lines(lines, width, height - 1, axis, plot.axis)}"


def _band(series: Sequence[UsageSeries]) -> list[Values]:
    """Return the lowest, the mean and the highest of several series, or the one."""
    if len(series) == 1:
        return [series[0].values]
    return [merged(series, how) for how in (min, mean, max)]


def _title(what: str, count: int) -> str:
    return f" {what}: lowest, mean and highest of {count} GPUs" if count > 1 else f" {what}"


def _utilisation(history: UsageHistory) -> _Plot | None:
    series = _told(history, Measure.UTILISATION)
    if not series:
        return None
    shares = [0.0, 0.5, 1.0]
    axis = Axis(shares, [share_text(share) for share in shares], 0.0, 1.0)
    return _Plot(_title("GPU utilisation", len(series)), _band(series), axis)


def _memory(history: UsageHistory) -> _Plot | None:
    series = _told(history, Measure.MEMORY)
    if not series:
        return None
    most = max(value for one in series for value in known(one.values))
    at = ticks(0.0, most or 1.0, tick_count(_LEAST))
    axis = Axis(at, [bytes_text(tick) for tick in at], 0.0, most or 1.0)
    return _Plot(_title("GPU memory", len(series)), _band(series), axis)


def _power(history: UsageHistory) -> _Plot | None:
    series = _told(history, Measure.POWER)
    if not series:
        return None
    count = len(series)
    total = merged(series, lambda told: sum(told) if len(told) == count else float("nan"))
    most = max(known(total), default=0.0)
    if not known(total):
        return None
    at = ticks(0.0, most or 1.0, tick_count(_LEAST))
    axis = Axis(at, [watts_text(tick) for tick in at], 0.0, most or 1.0)
    return _Plot(" power" + (f" of all {count} GPUs" if count > 1 else ""), [total], axis)


def _told(history: UsageHistory, measure: Measure) -> list[UsageSeries]:
    return [series for series in of_measure(history, measure) if known(series.values)]
