"""The points of one series of figures over its steps and over the time, in bounded room (pure)."""

from math import isfinite

MOST = 4096
"""Points of one series that are kept; where there would be more, every second one goes."""
NO_STEP = -1
"""The step of a point before which no line has told one."""


class Points:
    """Grows by `add`. Steps rise, figures are finite; where steps go back, that part is told anew."""

    def __init__(self, most: int = MOST) -> None:
        self.points: list[tuple[int, float]] = []
        self.times: list[float] = []
        """When each of them was written, in seconds since the epoch; 0 where that is not known."""
        self.last: tuple[int, float] | None = None
        self.lowest: tuple[int, float] | None = None
        self.highest: tuple[int, float] | None = None
        """These three are exact, of all points, kept or not."""
        self.not_finite: tuple[int, str] | None = None
        """Since which step the figure is no number, and which word it is: "nan", "inf", "-inf"."""
        self._most = most
        self._every = 1
        self._left_out = 0

    @property
    def in_time(self) -> list[tuple[float, float]]:
        """The (time, figure) of points whose time is known; the times rise."""
        told = [(time, figure) for time, (_, figure) in zip(self.times, self.points, strict=True) if time]
        return sorted(
            told, key=lambda point: point[0]
        )  # those of one moment stay in the order of their steps

    @property
    def is_thinned(self) -> bool:
        """Whether points were left out."""
        return self._every > 1

    def add(self, step: int, figure: float, time: float) -> None:
        """Add a point, which nan and inf are not."""
        if not isfinite(figure):
            self.not_finite = self.not_finite or (step, str(figure))
            return
        self.not_finite = None
        back = step != NO_STEP and self.last is not None and step <= self.last[0]
        if back:
            self._go_back(step)
        self._left_out += 1
        if back or self._left_out >= self._every:
            self._left_out = 0
            self.points.append((step, figure))
            self.times.append(time)
        if len(self.points) >= self._most:
            self.points, self.times = self.points[::2], self.times[::2]
            self._every *= 2
        self._take(step, figure)

    def _go_back(self, step: int) -> None:
        while self.points and step <= self.points[-1][0]:
            self.points.pop()
            self.times.pop()
        self.lowest = min(self.points, key=lambda point: point[1], default=None)
        self.highest = max(self.points, key=lambda point: point[1], default=None)

    def _take(self, step: int, figure: float) -> None:
        self.last = (step, figure)
        if self.lowest is None or figure < self.lowest[1]:
            self.lowest = self.last
        if self.highest is None or figure > self.highest[1]:
            self.highest = self.last
