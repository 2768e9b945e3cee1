"""Draws the rows of a log line: wrapped text with its colours, time and rank, and the matches of a search."""

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
from backend_client.logs.shown_line import shown_pieces, shown_text
from backend_client.logs.text import Colour, SgrStyle

_TIME, _RANK = 9, 4
"""Cells of the columns before the text."""


class Styles(NamedTuple):
    """The styles of a theme: of plain text, of what stands back, of matches and bookmarks, of each rank."""

    base: Style
    quiet: Style
    match: Style
    current: Style
    marked: Style
    ranks: tuple[Style, ...]


class LineLayout(NamedTuple):
    """How lines are laid out in `width` cells. `left`: cells scrolled out of sight, without wrap."""

    width: int
    wrap: bool = True
    times: bool = False
    ranks: bool = False
    left: int = 0

    @property
    def prefix(self) -> int:
        """Cells before the text."""
        return _TIME * self.times + _RANK * self.ranks

    @property
    def room(self) -> int:
        """Cells of a row that text gets."""
        return max(1, self.width - self.prefix)


Spans = Callable[[str], Iterable[tuple[int, int]]]
"""Finds the (start, end) of every match in a text."""


def wrap_offsets(text: str, room: int) -> list[int]:
    """Return where the rows of a wrapped text begin, in cells; a wide character is not cut in two."""
    total = cell_len(text)
    if total == len(text) or room < 2:
        return list(range(0, total, room)) or [0]
    starts, cell = [0], 0
    for character in text:
        size = get_character_cell_size(character)
        if cell + size - starts[-1] > room:
            starts.append(cell)
        cell += size
    return starts


def row_count(line: Line, layout: LineLayout) -> int:
    """Return how many rows a line takes."""
    # No character is wider than two cells: most lines need not be measured.
    if not layout.wrap or len(line.text) * 2 <= layout.room:
        return 1
    return len(wrap_offsets(shown_text(line), layout.room))


def draw_row(
    line: Line,
    row: int,
    layout: LineLayout,
    styles: Styles,
    spans: Spans | None,
    *,
    current: bool = False,
    bookmarked: bool = False,
) -> Strip:
    """Draw one row of a line, exactly as wide as the layout."""
    text = shown_text(line)
    pieces = _pieces(line, text, styles)
    if bookmarked:
        pieces = [(piece, style + styles.marked) for piece, style in pieces]
    matches = list(spans(text)) if spans else []
    if current:
        pieces = _highlight(pieces, matches or [(0, len(text))], styles.current)
    elif matches:
        pieces = _highlight(pieces, matches, styles.match)
    start, stop = layout.left, layout.left + layout.room
    if layout.wrap:
        starts = [*wrap_offsets(text, layout.room), cell_len(text)]
        start, stop = starts[row], starts[row + 1]
    cells = Strip(Segment(piece, style) for piece, style in pieces if piece).crop(start, stop)
    prefix = _prefix(line, layout, styles) if row == 0 else [Segment(" " * layout.prefix, styles.base)]
    strip = Strip([*prefix, *cells], layout.prefix + cells.cell_length)
    return strip.adjust_cell_length(layout.width, styles.base).simplify()


def _prefix(line: Line, layout: LineLayout, styles: Styles) -> list[Segment]:
    segments = []
    if layout.times:
        clock = time.strftime("%H:%M:%S ", time.localtime(line.time / 1000)) if line.time else " " * _TIME
        segments.append(Segment(clock, styles.quiet))
    if layout.ranks:
        rank, colours = line.source.rank if line.source else -1, styles.ranks
        style = colours[rank % len(colours)] if rank >= 0 else styles.quiet
        segments.append(Segment(f"{rank:>3} " if rank >= 0 else " " * _RANK, style))
    return segments


def _pieces(line: Line, text: str, styles: Styles) -> list[tuple[str, Style]]:
    if line.notice:
        return [(text, styles.quiet)]
    return [(piece, styles.base + _style(sgr)) for piece, sgr in shown_pieces(line, text)]


def _highlight(
    pieces: Sequence[tuple[str, Style]], spans: Iterable[tuple[int, int]], style: Style
) -> list[tuple[str, Style]]:
    """Lay `style` over the spans of a text in pieces."""
    edges = [edge for span in spans for edge in span]
    highlighted, offset = [], 0
    for text, own in pieces:
        end = offset + len(text)
        stops = [offset, *(edge for edge in edges if offset < edge < end), end]
        for start, stop in pairwise(stops):
            # Inside a span an odd number of edges lies behind.
            inside = sum(edge <= start for edge in edges) % 2
            highlighted.append((text[start - offset : stop - offset], own + style if inside else own))
        offset = end
    return highlighted


@lru_cache(512)
def _style(sgr: SgrStyle) -> Style:
    return Style(
        color=_colour(sgr.fg),
        bgcolor=_colour(sgr.bg),
        bold=sgr.bold or None,
        dim=sgr.dim or None,
        italic=sgr.italic or None,
        underline=sgr.underline or None,
        reverse=sgr.reverse or None,
        strike=sgr.strike or None,
    )


def _colour(colour: Colour) -> Color | None:
    if colour is None:
        return None
    return Color.from_rgb(*colour) if isinstance(colour, tuple) else Color.from_ansi(colour)
