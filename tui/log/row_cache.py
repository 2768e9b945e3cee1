"""Paints the rows in sight of a log, and keeps their strips as long as they look the same. Pure."""

import textwrap
from collections.abc import Collection

from rich.segment import Segment
from textual.strip import Strip

from backend_client.logs import Search
from tui.log.render import LineLayout, Styles, draw_row
from tui.log.viewport import Row, Viewport


class RowCache:
    """Draws each row once; `clear` it when what its public fields say, or the styles, has changed."""

    def __init__(self) -> None:
        self.search: Search | None = None
        """Its matches are marked."""
        self.current = -1
        """The line that stands out: its match, or all of it."""
        self.bookmarks: Collection[int] = ()
        """The lines that have a bookmark."""
        self.empty_reason = ""
        """Why there is no line, as a sentence."""
        self._layout: LineLayout | None = None
        self._drawn: dict[Row, Strip] = {}

    def clear(self) -> None:
        """Draw all rows anew the next time."""
        self._drawn.clear()

    def paint(self, viewport: Viewport, styles: Styles, changed: int) -> list[Strip]:
        """Return the strips of all rows of the viewport; the lines from `changed` on are different ones."""
        if self._layout != viewport.layout:  # the first line of a second rank brings the column of ranks
            self._layout = viewport.layout
            self._drawn.clear()
        drawn, self._drawn = self._drawn, {}
        for row in viewport.rows:
            same = row in drawn and row[0] < changed
            self._drawn[row] = drawn[row] if same else self._draw(row, viewport, styles)
        strips = [self._drawn[row] for row in viewport.rows]
        return strips + self._empty_rows(viewport, styles)[len(strips) :]

    def _draw(self, row: Row, viewport: Viewport, styles: Styles) -> Strip:
        number, row_of_line = row
        return draw_row(
            viewport.line(number),
            row_of_line,
            viewport.layout,
            styles,
            self.search.spans if self.search else None,
            current=number == self.current,
            bookmarked=number in self.bookmarks,
        )

    def _empty_rows(self, viewport: Viewport, styles: Styles) -> list[Strip]:
        """Draw the rows of a viewport without lines: why there are none, or nothing."""
        width, height = viewport.width, viewport.height
        sentence = textwrap.wrap(self.empty_reason, max(10, width - 2)) if not viewport.rows else []
        texts = [f" {text}" for text in sentence[:height]]
        quiet = [Strip([Segment(text.ljust(width)[:width], styles.quiet)], width) for text in texts]
        blank = Strip([Segment(" " * width, styles.base)], width)
        return quiet + [blank] * (height - len(quiet))
