"""The use of a job over the time as plots above each other, for wide screens. Pure."""

from backend_client.text.usage_plots import UsagePlot
from backend_client.text.usage_plots import usage_plots as plots_of
from backend_client.usage import UsageHistory
from backend_client.usage_series import time_of
from tui.ui.format import fit
from tui.ui.plot import draw_lines, time_axis

_LEAST = 7
"""Lines of a plot that can still be read."""


def usage_plots(history: UsageHistory, width: int, height: int) -> str:
    """Draw utilisation, memory and power, those that are known and have room, in so many cells."""
    room = max(1, height // _LEAST)
    wanted = plots_of(history)[:room]
    if not wanted or width < 30 or height < _LEAST:
        return ""
    size = height // len(wanted)
    return "\n".join(_drawn(plot, history, width, size) for plot in wanted)


def _drawn(plot: UsagePlot, history: UsageHistory, width: int, height: int) -> str:
    start = history.start.timestamp()
    length = max(len(values) for values in plot.lines)
    axis = time_axis(start, time_of(history, length - 1).timestamp())
    lines = [
        [(start + history.step * step, value) for step, value in enumerate(values)] for values in plot.lines
    ]
    return f"{fit(f' {plot.title}', width).rstrip()}\n{draw_lines(lines, width, height - 1, axis, plot.axis)}"
