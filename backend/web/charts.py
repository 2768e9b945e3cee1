"""Charts as inline SVG: lines over an axis, and the small one of a table's row. Pure.

The SVG has shapes alone and takes whatever size the page gives it; what stands at its axes is HTML, which
keeps its size on a phone. Values come from logs and measurements: only what is finite is
taken for a number.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from math import isfinite, log10
from typing import NamedTuple

from markupsafe import Markup, escape

from backend_client.text.axes import Axis

WIDTH, HEIGHT = 640, 200
_SPARK_WIDTH, _SPARK_HEIGHT = 160, 24
_BUCKET = 4
"""Pixels of which the lowest and the highest value are drawn: so at most one point each two."""
_MOST_ROWS = 60
"""Rows of the table beside a chart."""

Point = tuple[float, float | None]
"""A place on the axis, and the value there; None: nobody told one, which is a gap in the line."""


class Line(NamedTuple):
    """One line of a chart; its name stands in the table and, of several, below the chart."""

    points: Sequence[Point]
    name: str = ""
    style: str = ""
    """The class of its shape, where it is one of equals; else the middle one stands out."""


class Chart(NamedTuple):
    """What is drawn, and how it is called."""

    id: str
    """Of its element: what somebody has unfolded stays so when the page is read again."""
    label: str
    lines: Sequence[Line]
    y: Axis
    text: Callable[[float], str]
    """Formats a value."""
    place: Callable[[float], str | Markup]
    """Formats a place on the axis below."""
    below: str = ""
    """What the axis below is."""
    logarithmic: bool = False


class _Scale(NamedTuple):
    low: float
    high: float
    size: int

    def at(self, value: float) -> float:
        """Return where a value is drawn, the nearest place for what is beyond the ends."""
        whole = self.high / 2 - self.low / 2  # halves: the whole of two large figures may be none
        share = (value / 2 - self.low / 2) / whole if whole > 0 else 0.5
        return max(0.0, min(1.0, share)) * self.size


def line_chart(chart: Chart) -> Markup:
    """Draw a chart with its axes, and its numbers as a table to unfold."""
    rows = [_numbers(line.points) for line in chart.lines]
    drawn = [_only_above_zero(row) if chart.logarithmic else row for row in rows]
    told = [point for row in drawn for point in row if point[1] is not None]
    if not told:
        left = ("nothing that can be drawn", *_left_out(chart, rows, drawn))
        return Markup('<p class="notice">{}: {}</p>').format(chart.label, "; ".join(left))
    places = [place for place, _ in told]
    across = _Scale(min(places), max(places), WIDTH)
    up = _up(chart, [value for _, value in told if value is not None])
    height: Callable[[float], float] = log10 if chart.logarithmic else float
    main = len(rows) // 2
    shapes = Markup().join(
        _polylines(row, across, up, height, faint=number != main and not line.style, style=line.style)
        for number, (row, line) in enumerate(zip(drawn, chart.lines, strict=True))
    )
    grid = Markup().join(
        Markup('<line class="axis" x1="0" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(WIDTH, y, y)
        for y in (HEIGHT - up.at(height(tick)) for tick in chart.y.at if not chart.logarithmic or tick > 0)
    )
    left_out = _left_out(chart, rows, drawn)
    said = _summary(chart.label, drawn[main], chart.text, left_out)
    return Markup(
        '<figure class="chart"><figcaption>{}</figcaption><div class="plot">'
        '<div class="y" aria-hidden="true">{}</div>'
        '<svg class="chart" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">'
        '{}{}</svg></div><div class="x"><span>{}</span><span>{}</span><span>{}</span></div>{}{}</figure>'
    ).format(
        chart.label,
        Markup().join(Markup("<span>{}</span>").format(label) for label in reversed(chart.y.labels)),
        WIDTH,
        HEIGHT,
        said,
        grid,
        shapes,
        chart.place(across.low),
        chart.below,
        chart.place(across.high) if across.high > across.low else "",
        _notes(left_out),
        _table(chart, rows),
    )


def spark(
    values: Sequence[float | None], label: str, text: Callable[[float], str], top: float = 0.0
) -> Markup:
    """Draw values as a small line, from 0 to `top` where that is known, else to the highest."""
    row = _numbers([*enumerate(values)])
    told = [value for _, value in row if value is not None]
    if not told:
        return Markup()
    across = _Scale(0, max(1, len(row) - 1), _SPARK_WIDTH)
    low = min(0.0, *told)
    up = _Scale(low, max(top, *told), _SPARK_HEIGHT)
    shapes = _polylines(row, across, up, float)
    return Markup(
        '<svg class="spark" viewBox="0 -1 {} {}" preserveAspectRatio="none" role="img"'
        ' aria-label="{}">{}</svg>'
    ).format(_SPARK_WIDTH, _SPARK_HEIGHT + 2, _summary(label, row, text, ()), shapes)


# Values


def _numbers(points: Iterable[tuple[float, float | None]]) -> list[Point]:
    """Return the points whose place is a number, in the order of these; what is none is a gap."""
    kept = [(_finite(place), _finite(value)) for place, value in points]
    return sorted(((place, value) for place, value in kept if place is not None), key=lambda point: point[0])


def _finite(value: float | None) -> float | None:
    try:
        number = None if value is None else float(value)
    except OverflowError:  # a whole number may be larger than any of these
        return None
    return number if number is not None and isfinite(number) else None


def _only_above_zero(row: Sequence[Point]) -> list[Point]:
    return [(place, value if value is not None and value > 0 else None) for place, value in row]


def _left_out(chart: Chart, rows: Sequence[Sequence[Point]], drawn: Sequence[Sequence[Point]]) -> list[str]:
    """Say how many values are not drawn, and why."""
    nan = sum(
        value is not None and _finite(value) is None for line in chart.lines for _, value in line.points
    )
    below = sum(
        value is not None and shown is None
        for row, kept in zip(rows, drawn, strict=True)
        for (_, value), (_, shown) in zip(row, kept, strict=True)
    )
    return [
        *([f"{nan} values are no numbers"] if nan > 1 else ["1 value is no number"] if nan else []),
        *([f"{below} values are not above 0"] if below > 1 else ["1 value is not above 0"] if below else []),
    ]


def thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the lowest and the highest of each `_BUCKET` pixels, and both ends: a spike stays."""
    kept = []
    for _, group in groupby(points, key=lambda point: int(point[0] // _BUCKET)):
        bucket = list(group)
        lowest = min(range(len(bucket)), key=lambda at: bucket[at][1])
        highest = max(range(len(bucket)), key=lambda at: bucket[at][1])
        kept += [bucket[at] for at in sorted({lowest, highest})]
    return [*({points[0]: None, **dict.fromkeys(kept), points[-1]: None})] if points else []


# Shapes


def _up(chart: Chart, told: Sequence[float]) -> _Scale:
    low = min(told) if chart.y.low is None else chart.y.low
    high = max(told) if chart.y.high is None else chart.y.high
    return _Scale(log10(low), log10(high), HEIGHT) if chart.logarithmic else _Scale(low, high, HEIGHT)


def _parts(row: Sequence[Point]) -> Iterator[list[tuple[float, float]]]:
    """Yield the parts of a line between its gaps."""
    for is_gap, group in groupby(row, key=lambda point: point[1] is None):
        if not is_gap:
            yield [(place, value) for place, value in group if value is not None]


def _polylines(
    row: Sequence[Point],
    across: _Scale,
    up: _Scale,
    height: Callable[[float], float],
    *,
    faint: bool = False,
    style: str = "",
) -> Markup:
    made = []
    for part in _parts(row):
        spots = thinned([(across.at(place), up.size - up.at(height(value))) for place, value in part])
        if len(spots) == 1:  # a line of no length is not drawn
            spots = [spots[0], (spots[0][0] + 0.5, spots[0][1])]
        made.append(" ".join(f"{x:.1f},{y:.1f}" for x, y in spots))
    return Markup().join(
        Markup(
            '<polyline points="{}" fill="none" stroke="currentColor" stroke-width="{}" stroke-linecap="round"'
            ' stroke-linejoin="round" vector-effect="non-scaling-stroke"{}{}/>'
        ).format(
            spots,
            1 if faint else 2,
            Markup(' opacity="0.55"') if faint else "",
            Markup(' class="{}"').format(style) if style else "",
        )
        for spots in made
    )


# Words


def _summary(label: str, row: Sequence[Point], text: Callable[[float], str], more: Iterable[str]) -> str:
    """Return what a chart shows, for who does not see it."""
    told = [value for _, value in row if value is not None]
    if not told:
        return "; ".join((label, *more))
    figures = f"first {text(told[0])}, last {text(told[-1])}, lowest {text(min(told))}"
    return "; ".join((f"{label}: {figures}", *more))


def _notes(sentences: Sequence[str]) -> Markup:
    return Markup('<p class="quiet">{}</p>').format("; ".join(sentences)) if sentences else Markup()


def _table(chart: Chart, rows: Sequence[Sequence[Point]]) -> Markup:
    """Return the numbers, to be read and copied; of many every so many-th."""
    by_place: dict[float, list[float | None]] = {}
    for number, row in enumerate(rows):
        for place, value in row:
            by_place.setdefault(place, [None] * len(rows))[number] = value
    places = sorted(by_place)
    every = -(-len(places) // _MOST_ROWS)
    names = [line.name or chart.label for line in chart.lines]
    head = Markup().join(Markup('<th scope="col" class="number">{}</th>').format(name) for name in names)
    body = "".join(_table_row(chart, place, by_place[place]) for place in places[::every])
    caption = f"one of {every} values" if every > 1 else f"{len(places)} values"
    return Markup(
        '<details id="{}-numbers"><summary>Numbers</summary><div class="scroll"><table>'
        "<caption>{}: {}</caption><thead><tr>"
        '<th scope="col">{}</th>{}</tr></thead><tbody>{}</tbody></table></div></details>'
    ).format(chart.id, chart.label, caption, chart.below, head, Markup(body))  # noqa: S704  each cell is escaped


def _table_row(chart: Chart, place: float, values: Sequence[float | None]) -> str:
    """Return a row of HTML: put together by hand, as there are hundreds on a page."""
    cells = "".join(
        f'<td class="number">{escape("" if value is None else chart.text(value))}</td>' for value in values
    )
    return f'<tr><th scope="row">{escape(chart.place(place))}</th>{cells}</tr>'
