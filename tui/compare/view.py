"""How series stand over one another: over steps or time, smoothed, linear or logarithmic; drawn. Pure."""

from collections.abc import Sequence
from math import log10

from msgspec import Struct

from backend_client.models import Job
from backend_client.progress.points import NO_STEP, Points
from backend_client.progress.smooth import smoothed
from backend_client.text.axes import Axis, elapsed_labels, loss_labels, step_labels, tick_count, ticks
from tui.ui.plot import Run, draw_lettered

WEIGHTS = (0.0, 0.6, 0.9, 0.97, 0.99)
"""Of the moving average, one after the other."""

Line = list[tuple[float, float]]


class View(Struct, frozen=True):
    """What a person has chosen."""

    over_time: bool = False
    weight: float = 0.0
    logarithmic: bool = False

    @property
    def words(self) -> list[str]:
        """The same in words."""
        place = "over the time since each began" if self.over_time else "over the steps"
        smooth = f"smoothed {self.weight:g}" if self.weight else ""
        return [word for word in (place, smooth, "log scale" if self.logarithmic else "") if word]


def line_of(points: Points, view: View, start: float) -> Line:
    """Return a series as a line: its places and its figures, smoothed. `start`: when its job began."""
    if view.over_time:
        placed: Line = [(time - start, figure) for time, figure in points.in_time]
    else:
        placed = [(step, figure) for step, figure in points.points if step != NO_STEP]
    line = smoothed(placed, view.weight)
    return [(place, figure) for place, figure in line if figure > 0] if view.logarithmic else line


def began(job: Job, first_time: float) -> float:
    """Return when a job began, in seconds: its start, or its first line where that is older."""
    started = job.started.timestamp() if job.started else first_time
    return min(filter(None, (started, first_time)), default=0.0)


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
    axis = Axis(at, loss_labels([10**exponent for exponent in at]))
    return draw_lettered(powers, width, height, across, axis)


def _across(low: float, high: float, view: View) -> Axis:
    if view.over_time:
        at = ticks(low, high)
        return Axis(at, elapsed_labels(at))
    whole = sorted({round(tick) for tick in ticks(low, high)})
    return Axis(whole, step_labels(whole))
