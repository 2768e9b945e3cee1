"""Draws lines over an axis in characters. Pure; loads plotext when the first one is drawn.

Why plotext: it makes a plot of any size as plain text, with braille dots (2x4 to a cell) and ticks of our
own, and needs nothing but Python. textual-plotext is a widget around the same library: it would add
Textual's themes to it, which a plot without colours does not need. matplotlib draws pixels.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from math import isfinite
from typing import NamedTuple

_TICKS = 5
_LABEL = 6
"""Cells of what stands at the ticks of the upright axis: plots above each other are then in line."""
_DAY = 86_400.0

Point = tuple[float, float | None]
"""A place on the axis, and the figure there; None: nobody told one, which is a gap in the line."""


class Axis(NamedTuple):
    """Where the ticks of an axis are, and what stands there; `low` and `high` where it begins and ends."""

    at: Sequence[float]
    labels: Sequence[str]
    low: float | None = None
    high: float | None = None


def draw_lines(lines: Sequence[Sequence[Point]], width: int, height: int, x: Axis, y: Axis) -> str:
    """Draw lines, with one point at least, as at most `height` lines of at most `width` cells."""
    import plotext  # noqa: PLC0415  it takes as long to load as all else

    plotext.clear_figure()
    plotext.limitsize(False, False)
    plotext.plotsize(width, height)
    plotext.theme("clear")
    for line in lines:
        for part in _parts(line):
            plotext.plot([place for place, _ in part], [figure for _, figure in part], marker="braille")
    plotext.yticks(y.at, [label.rjust(_LABEL) for label in y.labels])
    plotext.xticks(x.at, x.labels)
    if x.low is not None and x.high is not None:
        plotext.xlim(x.low, x.high)
    if y.low is not None and y.high is not None:
        plotext.ylim(y.low, y.high)
    return "\n".join(line.rstrip() for line in plotext.uncolorize(plotext.build()).splitlines())


def _parts(line: Sequence[Point]) -> Iterator[list[tuple[float, float]]]:
    """Yield the parts of a line between its gaps."""
    part: list[tuple[float, float]] = []
    for place, figure in line:
        if figure is not None and isfinite(figure):
            part.append((place, figure))
        elif part:
            yield part
            part = []
    if part:
        yield part


def ticks(low: float, high: float, count: int = _TICKS) -> list[float]:
    """Return `count` ticks from the lowest to the highest value; one where these are the same."""
    if low == high:
        return [low]
    return [low + (high - low) * part / (count - 1) for part in range(count)]


def tick_count(height: int) -> int:
    """Return how many ticks an upright axis of so many lines has room for."""
    return min(_TICKS, max(2, height // 3))


def time_axis(start: float, end: float, count: int = _TICKS) -> Axis:
    """Return an axis of time between two points in time (seconds since the epoch), in the local zone."""
    at = ticks(start, end, count)
    pattern = "%d %b %H:%M" if end - start > _DAY else "%H:%M" if end - start >= 60 * count else "%H:%M:%S"
    labels = [datetime.fromtimestamp(moment).astimezone().strftime(pattern) for moment in at]
    return Axis(at, labels, start, end if end > start else start + 1.0)
