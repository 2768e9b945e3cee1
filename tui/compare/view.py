"""Series over one another, drawn in characters. Pure."""

from collections.abc import Sequence
from math import log10

from backend_client.progress.series_view import Line, View
from backend_client.text.axes import (
    Axis,
    elapsed_labels,
    loss_labels,
    power_of_ten,
    step_labels,
    tick_count,
    ticks,
)
from tui.ui.plot import Run, draw_lettered


def draw(lines: Sequence[Line], view: View, width: int, height: int) -> list[list[Run]]:
    """Draw lines, of which one has a point at least, in so many cells."""
    places = [place for line in lines for place, _ in line]
    figures = [figure for line in lines for _, figure in line]
    across = _across(min(places), max(places), view)
    if not view.logarithmic:
        at = ticks(min(figures), max(figures), tick_count(height))
        return draw_lettered(lines, width, height, across, Axis(at, loss_labels(at)))
    at = ticks(log10(min(figures)), log10(max(figures)), tick_count(height))
    powers = [[(place, log10(figure)) for place, figure in line] for line in lines]
    axis = Axis(at, loss_labels([power_of_ten(exponent) for exponent in at]))
    return draw_lettered(powers, width, height, across, axis)


def _across(low: float, high: float, view: View) -> Axis:
    if view.over_time:
        at = ticks(low, high)
        return Axis(at, elapsed_labels(at))
    whole = sorted({round(tick) for tick in ticks(low, high)})
    return Axis(whole, step_labels(whole))
