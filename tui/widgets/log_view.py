"""A log on the screen: draws what is visible, repaints what has changed, and sleeps while nothing comes.

The place is a line and a row in it, never a height of all lines: a million wrapped lines cost nothing.
"""

import textwrap
import time
from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

from backend_client.logs import Line, LogBuffer, Search
from backend_client.protocol import LogItem
from tui.actions import Where
from tui.strips import Shape, Styles, draw, height

Row = tuple[int, int]
"""A line's number, and the row in it."""


def _scroll(keys: str, action: str) -> Binding:
    return Binding(keys, action, show=False)


class LogView(Widget, can_focus=True):
    """Shows a `LogBuffer`; `append` gives it more. It follows the end until somebody scrolls up."""

    where = Where.LOG
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        _scroll("up,k", "scroll(-1)"),
        _scroll("down,j", "scroll(1)"),
        _scroll("pageup,ctrl+u", "page(-1)"),
        _scroll("pagedown,space,ctrl+d", "page(1)"),
        _scroll("home,g", "first"),
        _scroll("end", "follow"),
        _scroll("left", "sideways(-1)"),
        _scroll("right", "sideways(1)"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"log-view--quiet", "log-view--match", "log-view--current"}

    class Moved(Message):
        """It may follow now, or not; lines may have come, or another number of them is below."""

    def __init__(self, buffer: LogBuffer | None = None) -> None:
        super().__init__()
        self.buffer = buffer or LogBuffer()
        self.following = True
        self.wrap, self.times = True, False
        self.empty = ""
        """Why there is nothing to see, in words."""
        self.tick = 0.1
        """Seconds between two repaints of what has come."""
        self.search: Search | None = None
        self._current = -1
        self._left = 0
        self._place: Row = (0, 0)
        self._rows: list[Row] = []
        self._lines: dict[int, Line] = {}
        self._changed: int | None = None
        self._flushed = 0.0
        self._timer: Timer | None = None
        self._drawn: dict[Row, Strip] = {}
        self._shape: Shape | None = None
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
        self.search, self._current, self._changed = None, -1, None
        self.redraw()

    def redraw(self) -> None:
        """Lay all of it out anew: the shape has changed, the search, or the reason for being empty."""
        self._drawn.clear()
        self._arrange(self.buffer.end)

    def set_search(self, search: Search | None, current: int = -1) -> None:
        """Mark what matches; the match in line `current` stands out."""
        self.search, self._current = search, current
        self.redraw()

    # Where it is

    @property
    def shape(self) -> Shape:
        return Shape(max(1, self.size.width), self.wrap, self.times, self.buffer.ranks > 1, self._left)

    @property
    def below(self) -> int:
        """Lines below the last one that is seen."""
        return max(0, self.buffer.end - 1 - self._rows[-1][0]) if self._rows else 0

    @property
    def window(self) -> tuple[int, int]:
        """(first, last) line that is seen."""
        return (self._rows[0][0], self._rows[-1][0]) if self._rows else (0, -1)

    def seen(self) -> list[str]:
        """The plain text of the lines on the screen."""
        first, last = self.window
        return [line.text for line in self.buffer.lines(first, last + 1)]

    def _rows_of(self, start: int, stop: int) -> list[Row]:
        shape = self.shape
        rows = []
        for line in self.buffer.lines(start, stop):
            self._lines[line.number] = line
            rows += [(line.number, row) for row in range(height(line, shape))]
        return rows

    def _bottom(self) -> list[Row]:
        page = self.size.height
        return self._rows_of(self.buffer.end - page, self.buffer.end)[-page:] if page else []

    def _in_sight(self) -> list[Row]:
        """The rows to draw now."""
        self._lines.clear()
        if not self.following:
            page, (number, row) = self.size.height, max(self._place, (self.buffer.first, 0))
            rows = self._rows_of(number, number + page)
            skip = min(row, max(0, len(rows) - 1)) if rows and rows[0][0] == number else 0
            if len(rows) - skip >= page:
                return rows[skip : skip + page]
        return self._bottom()

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

    # Keys and mouse

    def action_scroll(self, rows: int) -> None:
        """Go so many rows down."""
        if not self._rows or (rows > 0 and self.following):
            return
        number, row = self._place
        reach = abs(rows) + 1
        around = self._rows_of(number - reach, number + reach + 1)
        at = around.index((number, row)) + rows if (number, row) in around else 0
        self._place = around[max(0, min(len(around) - 1, at))]
        bottom = self._bottom()
        self.following = rows > 0 and bool(bottom) and self._place >= bottom[0]
        self._arrange(self.buffer.end)

    def action_page(self, pages: int) -> None:
        """Go so many screens down."""
        self.action_scroll(pages * max(1, self.size.height - 1))

    def action_first(self) -> None:
        """To the oldest line that is kept."""
        self._place, self.following = (self.buffer.first, 0), False
        self._arrange(self.buffer.end)

    def action_follow(self) -> None:
        """To the end, and stay there."""
        self.following = True
        self._arrange(self.buffer.end)

    def action_sideways(self, pages: int) -> None:
        """Move the text half a screen to the left or right, where it is not wrapped."""
        left = max(0, self._left + pages * self.shape.room // 2)
        if not self.wrap and left != self._left:
            self._left = left
            self.redraw()

    def reveal(self, number: int) -> None:
        """Bring a line into sight, into the middle where it was not seen."""
        first, last = self.window
        self.following = False
        if not first <= number <= last or (number, 0) not in self._rows:
            self._place = (max(self.buffer.first, number - self.size.height // 2), 0)
        self._arrange(self.buffer.end)

    def set_wrap(self, wrap: bool) -> None:
        """Wrap long lines, or cut them at the edge."""
        self.wrap, self._left, self._place = wrap, 0, (self._place[0], 0)
        self.redraw()

    def set_times(self, times: bool) -> None:
        """Show when each line was written."""
        self.times, self._place = times, (self._place[0], 0)
        self.redraw()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Three rows up."""
        event.stop()
        self.action_scroll(-3)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Three rows down."""
        event.stop()
        self.action_scroll(3)

    # Drawing

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
            parts = (f"log-view--{part}" for part in ("quiet", "match", "current"))
            self._theme = Styles(self.rich_style, *(self.get_component_rich_style(part) for part in parts))
        return self._theme

    def render_line(self, y: int) -> Strip:
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.size.width, self._styles.base)

    def _row(self, y: int) -> Strip:
        if y >= len(self._rows):
            return self._blank(y)
        row = self._rows[y]
        if row not in self._drawn:
            spans = self.search.spans if self.search else None
            current = row[0] == self._current
            line = self._lines[row[0]]
            self._drawn[row] = draw(line, row[1], self.shape, self._styles, spans, current=current)
        return self._drawn[row]

    def _blank(self, y: int) -> Strip:
        """What stands where no line is: in an empty log, why it is empty."""
        width = self.size.width
        words = textwrap.wrap(self.empty, max(10, width - 2)) if not self._rows else []
        text = " " + words[y] if y < len(words) else ""
        style = self._styles.quiet if text else self._styles.base
        return Strip([Segment(text.ljust(width)[:width], style)], width)
