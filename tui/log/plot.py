"""A curve in characters. Pure; loads plotext when the first one is drawn."""

from collections.abc import Sequence

from tui.ui.format import loss_text, short

_TICKS = 5


def draw(points: Sequence[tuple[int, float]], width: int, height: int) -> str:
    """Loss over steps, as lines of at most `width` cells; one point at least is needed."""
    import plotext  # noqa: PLC0415  it takes as long to load as all else

    steps, losses = [step for step, _ in points], [loss for _, loss in points]
    plotext.clear_figure()
    plotext.limitsize(False, False)
    plotext.plotsize(width, height)
    plotext.theme("clear")
    plotext.plot(steps, losses, marker="braille")
    marks = _between(min(losses), max(losses), min(_TICKS, max(2, height // 3)))
    plotext.yticks(marks, [loss_text(mark).rjust(6) for mark in marks])
    marks = _between(steps[0], steps[-1], _TICKS)
    plotext.xticks(marks, [short(round(mark)) for mark in marks])
    return "\n".join(line.rstrip() for line in plotext.uncolorize(plotext.build()).splitlines())


def _between(low: float, high: float, count: int) -> list[float]:
    """So many marks from the lowest to the highest; one where these are the same."""
    if low == high:
        return [low]
    return [low + (high - low) * part / (count - 1) for part in range(count)]
