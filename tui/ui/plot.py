"""Draws lines over an axis in characters, with braille dots: 2 x 4 to a cell. Pure.

Why no library: plotext, made for this, took 15 ms for the three plots of a job's use and 320 ms for a long
noisy loss, in which no key is answered; here it is 4 and 7. It draws into one figure for the whole program,
so that it could not be given to a thread either.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby, pairwise
from math import isfinite
from string import ascii_uppercase
from typing import NamedTuple

from backend_client.text.axes import Axis, ticks

_LABEL = 6
"""Cells of what stands at the ticks of the upright axis: plots above each other are then in line."""
_DAY = 86_400.0
_BLANK = 0x2800
_LEFT, _RIGHT = (
    [sum(dot for bit, dot in enumerate(dots) if part & 1 << bit) for part in range(16)]
    for dots in ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
)
"""Four dots above each other, as the bits of a number -> the dots of a braille character."""

_LETTER_GAP = 24
"""Columns between two letters on one line."""

_Place = tuple[float, float]
Point = tuple[float, float | None]
"""A place on the axis, and the figure there; None: nobody told one, which is a gap in the line."""


class Run(NamedTuple):
    """Cells beside each other that belong to one line, by its number, or to none."""

    text: str
    line: int | None = None


class _Scale(NamedTuple):
    """From what is on an axis to the dots along it."""

    low: float
    high: float
    dots: int

    def dot(self, value: float) -> int:
        """Return the dot of a value, the nearest one for what is beyond the ends."""
        size = self.high / 2 - self.low / 2  # halves: the whole of two large figures may be none
        share = (value / 2 - self.low / 2) / size if size else 0.5
        return round(max(0.0, min(1.0, share)) * (self.dots - 1))


class _Frame(NamedTuple):
    """What stands around the lines."""

    across: _Scale
    up: _Scale
    margin: int
    beside: dict[int, str]
    """Row -> what stands left of it."""
    edge: str
    names: str

    @property
    def columns(self) -> int:
        return self.across.dots // 2

    def around(self, rows: Iterable[list[Run]], height: int) -> list[list[Run]]:
        """Return the rows with all that stands around them, as at most `height` rows."""
        drawn: list[list[Run]] = [[Run(f"{'':{self.margin}}┌{'─' * self.columns}┐")]]
        for row, runs in enumerate(rows):
            left = f"{self.beside.get(row, ''):>{self.margin}}{'┤' if row in self.beside else '│'}"
            drawn.append([Run(left), *runs, Run("│")])
        return [*drawn, [Run(f"{'':{self.margin}}└{self.edge}┘")], [Run(self.names)]][:height]


def _frame(parts: Sequence[Sequence[_Place]], width: int, height: int, x: Axis, y: Axis) -> _Frame:
    labels = [label.rjust(_LABEL) for label in y.labels]
    margin = max(map(len, labels), default=0)
    columns, rows = max(1, width - margin - 2), max(1, height - 3)
    across = _scale(x, [place for part in parts for place, _ in part], 2 * columns)
    up = _scale(y, [figure for part in parts for _, figure in part], 4 * rows)
    beside = {rows - 1 - up.dot(tick) // 4: label for tick, label in zip(y.at, labels, strict=True)}
    return _Frame(across, up, margin, beside, *_foot(x, across, margin, width))


def draw_lines(lines: Sequence[Sequence[Point]], width: int, height: int, x: Axis, y: Axis) -> str:
    """Draw lines, with one point at least, as at most `height` lines of at most `width` cells."""
    parts = [part for line in lines for part in _parts(line)]
    frame = _frame(parts, width, height, x, y)
    rows = ([Run(text)] for text in _dots(parts, frame).rows())
    return "\n".join("".join(run.text for run in row) for row in frame.around(rows, height))


def draw_lettered(
    lines: Sequence[Sequence[Point]], width: int, height: int, x: Axis, y: Axis
) -> list[list[Run]]:
    """Draw lines as `draw_lines` does, each with its letter (A, B, ...) at its end and along it.

    A cell that several lines share belongs to the last of them.
    """
    parts = [list(_parts(line)) for line in lines]
    frame = _frame([part for line in parts for part in line], width, height, x, y)
    cells = [[Run(" ")] * frame.columns for _ in range(frame.up.dots // 4)]
    dots = [list(_dots(line, frame).rows()) for line in parts]
    for number, rows in enumerate(dots):
        for row, text in enumerate(rows):
            for column, sign in enumerate(text):
                if sign != " ":
                    below = ord(cells[row][column].text.replace(" ", chr(_BLANK)))
                    cells[row][column] = Run(chr(below | ord(sign)), number)
    for number, rows in enumerate(dots):
        for row, column in _letter_places(rows, number, len(lines), cells):
            cells[row][column] = Run(ascii_uppercase[number], number)
    return frame.around((_joined(row) for row in cells), height)


def _letter_places(
    rows: Sequence[str], number: int, count: int, cells: Sequence[Sequence[Run]]
) -> Iterator[tuple[int, int]]:
    """Yield the cells of a line that its letter takes: every few columns, no two lines in the same one."""
    columns = len(cells[0])
    touched = [next((row for row, text in enumerate(rows) if text[at] != " "), None) for at in range(columns)]
    gap = max(_LETTER_GAP, 2 * count)
    for column in range(gap * (2 * number + 1) // (2 * count), columns - count, gap):
        if (row := touched[column]) is not None:
            yield row, column
    for column in range(columns - 1, -1, -1):
        row = touched[column]
        if row is not None and not cells[row][column].text.isalpha():
            yield row, column
            return


def _joined(row: Sequence[Run]) -> list[Run]:
    """Join the cells of one line that stand beside each other."""
    groups = groupby(row, key=lambda cell: cell.line)
    return [Run("".join(cell.text for cell in cells), line) for line, cells in groups]


def _dots(parts: Sequence[Sequence[_Place]], frame: _Frame) -> "_Dots":
    dots = _Dots(frame.across.dots, frame.up.dots)
    for part in parts:
        dots.draw([(frame.across.dot(place), frame.up.dot(figure)) for place, figure in part])
    return dots


def _scale(axis: Axis, values: Sequence[float], dots: int) -> _Scale:
    low = min(values) if axis.low is None else axis.low
    high = max(values) if axis.high is None else axis.high
    return _Scale(low, high, dots)


def _foot(axis: Axis, across: _Scale, margin: int, width: int) -> tuple[str, str]:
    """Return the edge below a plot, with its ticks, and what stands below these, as far as there is room."""
    edge, names = ["─"] * (across.dots // 2), ""
    for tick, label in zip(axis.at, axis.labels, strict=True):
        column = across.dot(tick) // 2
        start = max(0, min(margin + 1 + column - len(label) // 2, width - len(label)))
        if not names or start > len(names):
            edge[column] = "┬"
            names = f"{names:{start}}{label}"
    return "".join(edge), names


class _Dots:
    """Dots in columns: each is a number with a bit for each dot, the lowest for the uppermost."""

    def __init__(self, width: int, height: int) -> None:
        self._columns, self._height = [0] * width, height

    def draw(self, points: Sequence[tuple[int, int]]) -> None:
        """Draw a line through points (column, dots from below)."""
        top = self._height - 1
        column, dot = points[0]
        self._columns[column] |= 1 << top - dot
        for (start, first), (end, last) in pairwise(sorted(points, key=lambda point: point[0])):
            self._join(start, top - first, end, top - last)

    def _join(self, start: int, first: int, end: int, last: int) -> None:
        """Set the dots between two points: one in each column, or one in each row where it is steep."""
        across, down = end - start, last - first
        if abs(down) <= across:
            for step in range(1, across + 1):
                self._columns[start + step] |= 1 << first + round(down * step / across)
            return
        at, way = first, 1 if down > 0 else -1
        for step in range(across + 1):
            to = last if step == across else first + round(down * (step + 0.5) / across)
            low, high = min(at, to), max(at, to)
            self._columns[start + step] |= ((1 << high - low + 1) - 1) << low
            at = to + way

    def rows(self) -> Iterator[str]:
        """Yield the rows of characters, from above."""
        pairs = list(zip(self._columns[::2], self._columns[1::2], strict=True))
        for shift in range(0, self._height, 4):
            yield "".join(
                chr(_BLANK | _LEFT[left >> shift & 15] | _RIGHT[right >> shift & 15]) for left, right in pairs
            ).replace(chr(_BLANK), " ")


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


def time_axis(start: float, end: float, count: int = 5) -> Axis:
    """Return an axis of time between two points in time (seconds since the epoch), in the local zone."""
    at = ticks(start, end, count)
    pattern = "%d %b %H:%M" if end - start > _DAY else "%H:%M" if end - start >= 60 * count else "%H:%M:%S"
    labels = [datetime.fromtimestamp(moment).astimezone().strftime(pattern) for moment in at]
    return Axis(at, labels, start, end if end > start else start + 1.0)
