"""Draws a loss curve in characters. Pure; loads plotext when the first one is drawn.

Why plotext: it makes a plot of any size as plain text, with braille dots (2x4 to a cell) and ticks of our
own, and needs nothing but Python. textual-plotext is a widget around the same library: it would add
Textual's themes to it, which a plot without colours does not need. matplotlib draws pixels.
"""

from collections.abc import Sequence

from tui.ui.format import loss_text, short

_TICKS = 5


def draw(points: Sequence[tuple[int, float]], width: int, height: int) -> str:
    """Draw (step, loss) points, one at least, as at most `height` lines of at most `width` cells."""
    import plotext  # noqa: PLC0415  it takes as long to load as all else

    steps, losses = [step for step, _ in points], [loss for _, loss in points]
    plotext.clear_figure()
    plotext.limitsize(False, False)
    plotext.plotsize(width, height)
    plotext.theme("clear")
    plotext.plot(steps, losses, marker="braille")
    ticks = _ticks(min(losses), max(losses), min(_TICKS, max(2, height // 3)))
    plotext.yticks(ticks, [loss_text(tick).rjust(6) for tick in ticks])
    ticks = _ticks(steps[0], steps[-1], _TICKS)
    plotext.xticks(ticks, [short(round(tick)) for tick in ticks])
    return "\n".join(line.rstrip() for line in plotext.uncolorize(plotext.build()).splitlines())


def _ticks(low: float, high: float, count: int) -> list[float]:
    """Return `count` ticks from the lowest to the highest value; one where these are the same."""
    if low == high:
        return [low]
    return [low + (high - low) * part / (count - 1) for part in range(count)]
