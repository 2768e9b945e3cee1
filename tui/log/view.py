"""A log on the screen: draws what is visible, repaints what has changed, and sleeps while nothing comes."""

import textwrap
import time
from collections.abc import Collection, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.timer import Timer

from backend_client.logs import LineFilter, LogBuffer, Search
from backend_client.protocol import LogItem
from tui.log.render import LineLayout, Styles, draw
from tui.log.scroll import LogScroll, Row

_RANKS = [f"rank{number}" for number in range(5)]


class LogView(LogScroll):
    """Shows a `LogBuffer`; `append` gives it more."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"log-view--{part}" for part in ("quiet", "match", "current", "marked", *_RANKS)
    }

    class Moved(Message):
        """It may follow now, or not; lines may have come, or another number of them is below."""

    def __init__(self, buffer: LogBuffer | None = None) -> None:
        super().__init__(buffer)
        self.empty = ""
        """Why there is nothing to see, in words."""
        self.tick = 0.1
        """Seconds between two repaints of what has come."""
        self.search: Search | None = None
        self._current = -1
        self._marked: Collection[int] = ()
        self._changed: int | None = None
        self._flushed = 0.0
        self._timer: Timer | None = None
        self._drawn: dict[Row, Strip] = {}
        self._shape: LineLayout | None = None
        self._strips: list[Strip] = []
        self._theme: Styles | None = None

    # What comes

    def append(self, items: Sequence[LogItem]) -> None:
        """Take a batch; it is drawn at once where it was quiet, else at the next tick."""
        changed = self.buffer.append(items)
        self._changed = changed if self._changed is None else min(changed, self._changed)
        if self._timer is None:
            due = self._flushed + self.tick - time.monotonic()
            self._timer = self.set_timer(max(0.001, due), self.flush)

    def flush(self) -> None:
        """Draw what has come."""
        if self._timer is not None:
            self._timer.stop()
        self._timer = None
        self._flushed = time.monotonic()
        changed, self._changed = self._changed, None
        self._arrange(self.buffer.end if changed is None else changed)

    def show(self, buffer: LogBuffer) -> None:
        """Another log, from its end."""
        self.buffer, self.following, self._place, self._left = buffer, True, (buffer.end, 0), 0
        self.search, self._current, self._changed, self._marked = None, -1, None, ()
        self.sieve, self.paused = LineFilter(), False
        self.redraw()

    # What is drawn

    def settle(self) -> None:
        self._arrange(self.buffer.end)

    def redraw(self) -> None:
        """Lay all of it out anew: the shape has changed, the search, or the reason for being empty."""
        self._drawn.clear()
        self.settle()

    def set_search(self, search: Search | None, current: int = -1) -> None:
        """Mark what matches; line `current` stands out: its match, or all of it."""
        self.search, self._current = search, current
        self.redraw()

    def set_marked(self, numbers: Collection[int]) -> None:
        """Mark these lines, as the person did."""
        self._marked = numbers
        self.redraw()

    def set_sieve(self, sieve: LineFilter) -> None:
        """Show only what passes; where it was before, as near as that comes."""
        self.sieve = sieve
        self.settle()

    @property
    def chosen(self) -> int:
        """The line that is meant: the one that stands out and is seen, else the last one on the screen."""
        seen = any(number == self._current for number, _ in self._rows)
        return self._current if seen else self.window[1]

    def _arrange(self, changed: int) -> None:
        """Settle what is where; lines from `changed` on are other ones. Repaint rows that look different."""
        if self._shape != self.shape:  # the first line of a second rank brings the column of ranks
            self._shape = self.shape
            self._drawn.clear()
        self._rows = self._in_sight()
        if self._rows:
            self._place = self._rows[0]
        self._drawn = {row: self._drawn[row] for row in self._rows if row in self._drawn and row[0] < changed}
        before, self._strips = self._strips, [self._row(y) for y in range(self.size.height)]
        rows = [y for y, strip in enumerate(self._strips) if before[y : y + 1] != [strip]]
        if rows:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in rows))
        self.post_message(self.Moved())

    def on_resize(self) -> None:
        self._strips = []
        self.redraw()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._theme = None
        if self._strips:
            self.redraw()

    @property
    def _styles(self) -> Styles:
        if self._theme is None:
            style = self._style
            named = style("quiet"), style("match"), style("current"), style("marked")
            self._theme = Styles(self.rich_style, *named, tuple(map(style, _RANKS)))
        return self._theme

    def _style(self, part: str) -> Style:
        return self.get_component_rich_style(f"log-view--{part}")

    def render_line(self, y: int) -> Strip:
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.size.width, self._styles.base)

    def _row(self, y: int) -> Strip:
        if y >= len(self._rows):
            return self._blank(y)
        row = self._rows[y]
        if row not in self._drawn:
            spans = self.search.spans if self.search else None
            line, current, marked = self._lines[row[0]], row[0] == self._current, row[0] in self._marked
            self._drawn[row] = draw(
                line, row[1], self.shape, self._styles, spans, current=current, marked=marked
            )
        return self._drawn[row]

    def _blank(self, y: int) -> Strip:
        """What stands where no line is: in an empty log, why it is empty."""
        width = self.size.width
        words = textwrap.wrap(self.empty, max(10, width - 2)) if not self._rows else []
        text = " " + words[y] if y < len(words) else ""
        style = self._styles.quiet if text else self._styles.base
        return Strip([Segment(text.ljust(width)[:width], style)], width)
