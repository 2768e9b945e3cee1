"""Where a log stands on the screen, and the keys that move it.

The place is a line and a row in it, never a height of all lines: a million wrapped lines cost nothing.
"""

from collections.abc import Iterable
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.widget import Widget

from backend_client.logs import Line, LineFilter, LogBuffer
from tui.actions import Place
from tui.log.render import LineLayout, height

Row = tuple[int, int]
"""A line's number, and the row in it."""


def _scroll(keys: str, action: str) -> Binding:
    return Binding(keys, action, show=False)


class LogScroll(Widget, can_focus=True):
    """Says which rows are in sight. It follows the end until somebody scrolls up."""

    where = Place.LOG
    BINDINGS: ClassVar[list[BindingType]] = [
        _scroll("up,k", "scroll(-1)"),
        _scroll("down,j", "scroll(1)"),
        _scroll("pageup,ctrl+u", "page(-1)"),
        _scroll("pagedown,ctrl+d", "page(1)"),
        _scroll("home,g", "first"),
        _scroll("end", "follow"),
        _scroll("left", "sideways(-1)"),
        _scroll("right", "sideways(1)"),
    ]

    def __init__(self, buffer: LogBuffer | None = None) -> None:
        super().__init__()
        self.buffer = buffer or LogBuffer()
        self.sieve = LineFilter()
        self.following = True
        self.paused = False
        """It stands still by the person's word, not by scrolling."""
        self.wrap, self.times = True, False
        self._left = 0
        self._place: Row = (0, 0)
        self._rows: list[Row] = []
        self._lines: dict[int, Line] = {}

    def settle(self) -> None:
        """Settle what is where, and draw what is another."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Lay all of it out anew."""
        raise NotImplementedError

    # Where it is

    @property
    def shape(self) -> LineLayout:
        return LineLayout(max(1, self.size.width), self.wrap, self.times, self.buffer.ranks > 1, self._left)

    @property
    def below(self) -> int:
        """Lines below the last one that is seen."""
        return self.sieve.count_after(self.buffer, self._rows[-1][0]) if self._rows else 0

    @property
    def window(self) -> tuple[int, int]:
        """(first, last) line that is seen."""
        return (self._rows[0][0], self._rows[-1][0]) if self._rows else (0, -1)

    def seen(self) -> list[Line]:
        """The lines on the screen."""
        return [self._lines[number] for number in dict.fromkeys(number for number, _ in self._rows)]

    def _rows_of(self, lines: Iterable[Line]) -> list[Row]:
        shape = self.shape
        rows = []
        for line in lines:
            self._lines[line.number] = line
            rows += [(line.number, row) for row in range(height(line, shape))]
        return rows

    def _bottom(self) -> list[Row]:
        page = self.size.height
        lines = self.sieve.before(self.buffer, self.buffer.end, page)
        return self._rows_of(lines)[-page:] if page else []

    def _in_sight(self) -> list[Row]:
        """The rows to draw now."""
        self._lines.clear()
        if not self.following:
            page, (number, row) = self.size.height, max(self._place, (self.buffer.first, 0))
            rows = self._rows_of(self.sieve.after(self.buffer, number, page))
            skip = min(row, max(0, len(rows) - 1)) if rows and rows[0][0] == number else 0
            if len(rows) - skip >= page:
                return rows[skip : skip + page]
        return self._bottom()

    # Keys and mouse

    def action_scroll(self, rows: int) -> None:
        """Go so many rows down."""
        if not self._rows or (rows > 0 and self.following):
            return
        number, row = self._place
        reach = abs(rows) + 1
        before = self.sieve.before(self.buffer, number, reach)
        around = self._rows_of([*before, *self.sieve.after(self.buffer, number, reach + 1)])
        at = around.index((number, row)) + rows if (number, row) in around else 0
        self._place = around[max(0, min(len(around) - 1, at))]
        bottom = self._bottom()
        self.paused = False
        self.following = rows > 0 and bool(bottom) and self._place >= bottom[0]
        self.settle()

    def action_page(self, pages: int) -> None:
        """Go so many screens down."""
        self.action_scroll(pages * max(1, self.size.height - 1))

    def action_first(self) -> None:
        """To the oldest line that is kept."""
        self._place, self.following, self.paused = (self.buffer.first, 0), False, False
        self.settle()

    def action_follow(self) -> None:
        """To the end, and stay there."""
        self.following, self.paused = True, False
        self.settle()

    def action_pause(self) -> None:
        """Stand still where it is, or follow again."""
        if not self.following:
            self.action_follow()
            return
        self.following, self.paused = False, True
        self.settle()

    def action_sideways(self, pages: int) -> None:
        """Move the text half a screen to the left or right, where it is not wrapped."""
        left = max(0, self._left + pages * self.shape.room // 2)
        if not self.wrap and left != self._left:
            self._left = left
            self.redraw()

    def reveal(self, number: int) -> None:
        """Bring a line into sight, into the middle where it was not seen."""
        first, last = self.window
        self.following = self.paused = False
        if not first <= number <= last or (number, 0) not in self._rows:
            half = self.size.height // 2
            above = self._rows_of(self.sieve.before(self.buffer, number, half))[-half:] if half else []
            self._place = above[0] if above else (number, 0)
        self.settle()

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
