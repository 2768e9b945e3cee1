"""From a log line to what is drawn of it: rows of cells, with colours, its time, and what was searched."""

import time
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from rich.cells import cell_len, get_character_cell_size
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from backend_client.logs import Line
from backend_client.logs.text import Colour, SgrStyle, styled_runs

LONGEST = 2_000
"""Characters of a line that are drawn."""
_TIME = 9


class Styles(NamedTuple):
    """What a theme gives."""

    base: Style
    quiet: Style
    match: Style
    current: Style
    marked: Style
    ranks: tuple[Style, ...]


class LineLayout(NamedTuple):
    """How lines are laid out in `width` cells. `left`: cells that are scrolled out of sight, without wrap."""

    width: int
    wrap: bool = True
    times: bool = False
    ranks: bool = False
    left: int = 0

    @property
    def prefix(self) -> int:
        """Cells before the text."""
        return _TIME * self.times + 4 * self.ranks

    @property
    def room(self) -> int:
        """Cells of a row that text gets."""
        return max(1, self.width - self.prefix)


Spans = Callable[[str], Iterable[tuple[int, int]]]


def shown(line: Line) -> str:
    """The text as it is drawn: cut where it is too long."""
    if line.notice:
        return f"-- {line.text[:LONGEST]} --"
    if len(line.text) <= LONGEST:
        return line.text
    return f"{line.text[:LONGEST]} … +{len(line.text) - LONGEST:,}"


def cuts(text: str, room: int) -> list[int]:
    """Where the rows of a wrapped text begin, in cells; a wide character is not cut in two."""
    total = cell_len(text)
    if total == len(text) or room < 2:
        return list(range(0, total, room)) or [0]
    starts, at = [0], 0
    for character in text:
        size = get_character_cell_size(character)
        if at + size - starts[-1] > room:
            starts.append(at)
        at += size
    return starts


def height(line: Line, shape: LineLayout) -> int:
    """Rows that the line takes."""
    if not shape.wrap or len(line.text) * 2 <= shape.room:
        return 1
    return len(cuts(shown(line), shape.room))


def draw(
    line: Line,
    row: int,
    shape: LineLayout,
    styles: Styles,
    spans: Spans | None,
    *,
    current: bool = False,
    marked: bool = False,
) -> Strip:
    """One row of a line, exactly as wide as the shape."""
    text = shown(line)
    pieces = _pieces(line, text, styles)
    if marked:
        pieces = [(piece, style + styles.marked) for piece, style in pieces]
    found = list(spans(text)) if spans else []
    if current:
        pieces = _marked(pieces, found or [(0, len(text))], styles.current)
    elif found:
        pieces = _marked(pieces, found, styles.match)
    start, stop = shape.left, shape.left + shape.room
    if shape.wrap:
        starts = [*cuts(text, shape.room), cell_len(text)]
        start, stop = starts[row], starts[row + 1]
    cells = Strip(Segment(piece, style) for piece, style in pieces if piece).crop(start, stop)
    prefix = _prefix(line, shape, styles) if row == 0 else [Segment(" " * shape.prefix, styles.base)]
    strip = Strip([*prefix, *cells], shape.prefix + cells.cell_length)
    return strip.adjust_cell_length(shape.width, styles.base).simplify()


def _prefix(line: Line, shape: LineLayout, styles: Styles) -> list[Segment]:
    segments = []
    if shape.times:
        clock = time.strftime("%H:%M:%S ", time.localtime(line.time / 1000)) if line.time else " " * _TIME
        segments.append(Segment(clock, styles.quiet))
    if shape.ranks:
        rank, colours = line.source.rank if line.source else -1, styles.ranks
        style = colours[rank % len(colours)] if rank >= 0 else styles.quiet
        segments.append(Segment(f"{rank:>3} " if rank >= 0 else "    ", style))
    return segments


def _pieces(line: Line, text: str, styles: Styles) -> list[tuple[str, Style]]:
    if line.notice:
        return [(text, styles.quiet)]
    if not line.styled:
        return [(text, styles.base)]
    pieces, left = [], LONGEST
    for piece, look in styled_runs(line.styled):
        pieces.append((piece[:left], styles.base + _style(look)))
        left -= len(piece)
        if left <= 0:
            break
    return [*pieces, (text[LONGEST:], styles.base)]


def _marked(
    pieces: Sequence[tuple[str, Style]], spans: Iterable[tuple[int, int]], style: Style
) -> list[tuple[str, Style]]:
    """The pieces with `style` over the spans."""
    edges = [edge for span in spans for edge in span]
    marked, at = [], 0
    for text, own in pieces:
        stops = [at, *(edge for edge in edges if at < edge < at + len(text)), at + len(text)]
        for start, stop in pairwise(stops):
            inside = sum(edge <= start for edge in edges) % 2
            marked.append((text[start - at : stop - at], own + style if inside else own))
        at += len(text)
    return marked


@lru_cache(512)
def _style(look: SgrStyle) -> Style:
    return Style(
        color=_colour(look.fg),
        bgcolor=_colour(look.bg),
        bold=look.bold or None,
        dim=look.dim or None,
        italic=look.italic or None,
        underline=look.underline or None,
        reverse=look.reverse or None,
        strike=look.strike or None,
    )


def _colour(colour: Colour) -> Color | None:
    if colour is None:
        return None
    return Color.from_rgb(*colour) if isinstance(colour, tuple) else Color.from_ansi(colour)
