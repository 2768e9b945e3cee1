"""How series stand over one another: over steps or time, smoothed, linear or logarithmic. Pure."""

from msgspec import Struct

from backend_client.models import Job
from backend_client.progress.points import NO_STEP, Points
from backend_client.progress.smooth import smoothed

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
