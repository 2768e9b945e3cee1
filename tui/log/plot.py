"""Draws a loss curve in characters: over its steps, or over the time with the use of its GPUs below. Pure."""

from collections.abc import Sequence

from backend_client.text.axes import Axis, loss_labels, step_labels, tick_count, ticks
from backend_client.text.figures import share_text
from tui.ui.plot import Point, draw_lines, time_axis

PLOTTED = 100_000
"""Lines that a plot reads where they are not in memory."""
_LEAST_WITH_USE = 12
"""Lines of a plot from which on there is room for the use below it."""


def draw(points: Sequence[tuple[int, float]], width: int, height: int) -> str:
    """Draw (step, loss) points, one at least, as at most `height` lines of at most `width` cells."""
    whole = sorted({round(tick) for tick in ticks(points[0][0], points[-1][0])})
    return draw_lines([points], width, height, Axis(whole, step_labels(whole)), _loss_axis(points, height))


def draw_over_time(
    points: Sequence[tuple[float, float]], used: Sequence[Point], width: int, height: int
) -> str:
    """Draw (time, loss) points, one at least, and below them on the same axis what its GPUs did.

    `used`: the utilisation, 0 to 1, over the time; empty where nothing is told of it.
    """
    start, end = points[0][0], points[-1][0]
    axis = time_axis(start, end)
    below = [(time, share) for time, share in used if start <= time <= end]
    if height < _LEAST_WITH_USE or all(share is None for _, share in below):
        return draw_lines([points], width, height, axis, _loss_axis(points, height))
    rest = max(5, height // 4)
    loss = draw_lines([points], width, height - rest - 1, axis, _loss_axis(points, height - rest - 1))
    shares = [0.0, 0.5, 1.0]
    shares_axis = Axis(shares, [share_text(share) for share in shares], 0.0, 1.0)
    use = draw_lines([below], width, rest, axis, shares_axis)
    return f"{loss}\n GPU utilisation\n{use}"


def _loss_axis(points: Sequence[tuple[float, float]], height: int) -> Axis:
    losses = [loss for _, loss in points]
    at = ticks(min(losses), max(losses), tick_count(height))
    return Axis(at, loss_labels(at))
