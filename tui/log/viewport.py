"""The part of a log that is in sight: which rows, and where scrolling leads. Pure.

The position is a line and a row in it, never a height of all lines: a million wrapped lines cost nothing.
"""

from collections.abc import Iterable

from backend_client.logs import Line, LineFilter, LogBuffer
from tui.log.render import LineLayout, row_count

Row = tuple[int, int]
"""A line's number, and the row in it."""


class Viewport:
    """A window of `width` x `height` cells onto a `LogBuffer`. It follows the end until somebody scrolls up.

    The methods that move it change the position; `arrange` then says which rows are in sight.
    """

    def __init__(self) -> None:
        self.buffer = LogBuffer()
        self.line_filter = LineFilter()
        """Which lines are shown."""
        self.width = self.height = 0
        self.rows: list[Row] = []
        """The rows in sight, from the top."""
        self.following = True
        self.paused = False
        """Pausing stopped it, not scrolling."""
        self.wrap, self.times = True, False
        self._left = 0
        self._position: Row = (0, 0)
        self._lines: dict[int, Line] = {}

    def show(self, buffer: LogBuffer) -> None:
        """Show another log, from its end and without a filter."""
        self.buffer, self.line_filter = buffer, LineFilter()
        self.following, self.paused = True, False
        self._position, self._left = (buffer.end, 0), 0

    # What is in sight

    @property
    def layout(self) -> LineLayout:
        """How a line is laid out in this width."""
        return LineLayout(max(1, self.width), self.wrap, self.times, self.buffer.ranks > 1, self._left)

    @property
    def lines_below(self) -> int:
        """The number of lines below the last one in sight."""
        return self.line_filter.count_after(self.buffer, self.rows[-1][0]) if self.rows else 0

    @property
    def first(self) -> int:
        """The number of the first line in sight; 0 where there is none."""
        return self.rows[0][0] if self.rows else 0

    @property
    def last(self) -> int:
        """The number of the last line in sight; -1 where there is none."""
        return self.rows[-1][0] if self.rows else -1

    def line(self, number: int) -> Line:
        """Return a line in sight."""
        return self._lines[number]

    def lines(self) -> list[Line]:
        """Return the lines in sight, from the top."""
        return [self._lines[number] for number in dict.fromkeys(number for number, _ in self.rows)]

    def arrange(self) -> None:
        """Work out the rows in sight, and stay with the first of them."""
        self.rows = self._rows_in_sight()
        if self.rows:
            self._position = self.rows[0]

    def _rows_in_sight(self) -> list[Row]:
        self._lines.clear()
        if not self.following:
            # The line at the top may have been dropped from the buffer since.
            number, row = max(self._position, (self.buffer.first, 0))
            rows = self._rows_of(self.line_filter.after(self.buffer, number, self.height))
            skip = min(row, max(0, len(rows) - 1)) if rows and rows[0][0] == number else 0
            if len(rows) - skip >= self.height:
                return rows[skip : skip + self.height]
        return self._last_rows()

    def _last_rows(self) -> list[Row]:
        lines = self.line_filter.before(self.buffer, self.buffer.end, self.height)
        return self._rows_of(lines)[-self.height :] if self.height else []

    def _rows_of(self, lines: Iterable[Line]) -> list[Row]:
        layout = self.layout
        rows = []
        for line in lines:
            self._lines[line.number] = line
            rows += [(line.number, row) for row in range(row_count(line, layout))]
        return rows

    # Moving

    def scroll(self, rows: int) -> bool:
        """Move so many rows down. Return False where it stays."""
        if not self.rows or (rows > 0 and self.following):
            return False
        number, row = self._position
        reach = abs(rows) + 1
        before = self.line_filter.before(self.buffer, number, reach)
        around = self._rows_of([*before, *self.line_filter.after(self.buffer, number, reach + 1)])
        index = around.index((number, row)) + rows if (number, row) in around else 0
        self._position = around[max(0, min(len(around) - 1, index))]
        last = self._last_rows()
        self.paused = False
        self.following = rows > 0 and bool(last) and self._position >= last[0]
        return True

    def page(self, pages: int) -> bool:
        """Move so many screens down, one row less each. Return False where it stays."""
        return self.scroll(pages * max(1, self.height - 1))

    def go_to_first(self) -> None:
        """Move to the oldest line in the buffer."""
        self._position, self.following, self.paused = (self.buffer.first, 0), False, False

    def follow(self) -> None:
        """Move to the end, and stay there."""
        self.following, self.paused = True, False

    def toggle_pause(self) -> None:
        """Stop following here, or follow again."""
        self.following, self.paused = not self.following, self.following

    def sideways(self, pages: int) -> bool:
        """Move the text half a screen to the left or right. Return False where it stays, or is wrapped."""
        left = max(0, self._left + pages * self.layout.room // 2)
        if self.wrap or left == self._left:
            return False
        self._left = left
        return True

    def reveal(self, number: int) -> None:
        """Bring a line into sight, into the middle where it was not."""
        self.following = self.paused = False
        if not self.first <= number <= self.last or (number, 0) not in self.rows:
            half = self.height // 2
            above = self._rows_of(self.line_filter.before(self.buffer, number, half))[-half:] if half else []
            self._position = above[0] if above else (number, 0)

    def set_wrap(self, wrap: bool) -> None:
        """Wrap long lines, or cut them at the edge."""
        self.wrap, self._left, self._position = wrap, 0, (self._position[0], 0)

    def set_times(self, times: bool) -> None:
        """Show when each line was written, or not."""
        self.times, self._position = times, (self._position[0], 0)

    def location(self) -> str:
        """Say where it stands while it does not follow the end, for a title."""
        below = self.lines_below
        count = f"{below:,} line{'s' * (below != 1)} below"
        stopped = f"{'paused' if self.paused else 'scrolled'}: {count}"
        place = stopped if below or self.paused else "at the end, not following"
        dropped = f"   {self.buffer.first:,} older ones dropped" * (self.first == self.buffer.first > 0)
        return place + dropped
