"""A log on the screen: draws what is in sight, repaints what has changed, and sleeps while nothing comes."""

import time
from collections.abc import Collection
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

from backend_client.logs import Line, LineFilter, LogBuffer, Search
from backend_client.logs.source_or_copy import Batch
from tui.actions import Place
from tui.log.render import Styles
from tui.log.row_cache import RowCache
from tui.log.viewport import Viewport
from tui.ui.once import once

_RANKS = [f"rank{number}" for number in range(5)]


def _scroll(keys: str, action: str) -> Binding:
    return Binding(keys, action, show=False)


class LogView(Widget, can_focus=True):
    """Shows a `LogBuffer` through a `Viewport`; `append` adds to it.

    Why it is neither of Textual's widgets for logs. `RichLog` lays a line out once, when it is written, and
    keeps the strips: another width changes no old row, and a million lines cost many times their text. `Log`
    keeps the text, but neither wraps it nor draws its colours. In both a written line stays as it is: no
    progress bar that writes over itself, and no filter or choice of a rank without filling the widget anew.
    And both repaint as a whole wherever they scroll. Here the buffer holds the bytes of the lines in blocks,
    little more than their text, which search and filter scan block by block; only rows in sight are laid
    out, and only those that look different now are sent, as bytes are dear on a slow link.
    """

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"log-view--{part}" for part in ("quiet", "match", "current", "marked", *_RANKS)
    }
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

    class Moved(Message):
        """Lines have come, or others are in sight, or it follows the end now, or no more."""

    def __init__(self) -> None:
        super().__init__()
        self.viewport = Viewport()
        """What is in sight; the methods of the view change it."""
        self.tick = 0.1
        """Seconds between two repaints of what has come."""
        self._changed: int | None = None
        """The first line that is new or has changed since the last repaint."""
        self._flushed = 0.0
        self._timer: Timer | None = None
        self._row_cache = RowCache()
        self._strips: list[Strip] = []
        """The rows as they were sent, from the top."""
        self._theme: Styles | None = None

    # What comes

    @property
    def buffer(self) -> LogBuffer:
        """The lines of the log that is shown."""
        return self.viewport.buffer

    def show(self, buffer: LogBuffer) -> None:
        """Show another log, from its end."""
        self.viewport.show(buffer)
        self._changed = None
        self._row_cache.search, self._row_cache.current, self._row_cache.bookmarks = None, -1, ()
        self.redraw()

    def append(self, items: Batch) -> None:
        """Append a batch; it is drawn at once where it was quiet, else at the next tick."""
        changed = self.buffer.append(items)
        self._changed = changed if self._changed is None else min(changed, self._changed)
        if self._timer is None:
            due = self._flushed + self.tick - time.monotonic()
            self._timer = once(self, max(0.001, due), self._flush)

    def _flush(self) -> None:
        """Draw what has come."""
        self._timer, self._flushed = None, time.monotonic()
        changed, self._changed = self._changed, None
        self._repaint(self.buffer.end if changed is None else changed)

    # What is shown of it

    def set_search(self, search: Search | None, current: int = -1) -> None:
        """Mark what matches; the line `current` stands out: its match, or all of it."""
        self._row_cache.search, self._row_cache.current = search, current
        self.redraw()

    def set_bookmarks(self, numbers: Collection[int]) -> None:
        """Mark the lines that have a bookmark."""
        self._row_cache.bookmarks = numbers
        self.redraw()

    def set_empty_reason(self, sentence: str) -> None:
        """Say why there is no line, where there is none."""
        if sentence != self._row_cache.empty_reason:
            self._row_cache.empty_reason = sentence
            if not self.viewport.rows:
                self.redraw()

    def set_filter(self, line_filter: LineFilter) -> None:
        """Show only the lines that pass, as near to where it was as that comes."""
        self.viewport.line_filter = line_filter
        self._update()

    def reveal(self, number: int) -> None:
        """Bring a line into sight, into the middle where it was not."""
        self.viewport.reveal(number)
        self._update()

    @property
    def selected_line(self) -> Line | None:
        """The line that stands out, where it is in sight, else the last one on the screen."""
        lines = self.viewport.lines()
        return next(
            (line for line in lines if line.number == self._row_cache.current), lines[-1] if lines else None
        )

    # Keys and mouse

    def action_scroll(self, rows: int) -> None:
        """Go so many rows down."""
        if self.viewport.scroll(rows):
            self._update()

    def action_page(self, pages: int) -> None:
        """Go so many screens down."""
        if self.viewport.page(pages):
            self._update()

    def action_first(self) -> None:
        """Go to the oldest line in the buffer."""
        self.viewport.go_to_first()
        self._update()

    def action_follow(self) -> None:
        """Go to the end, and stay there."""
        self.viewport.follow()
        self._update()

    def action_pause(self) -> None:
        """Stop following, or follow again."""
        self.viewport.toggle_pause()
        self._update()

    def action_sideways(self, pages: int) -> None:
        """Move the text half a screen to the left or right, where it is not wrapped."""
        if self.viewport.sideways(pages):
            self.redraw()

    def action_wrap(self) -> None:
        """Wrap long lines, or cut them at the edge."""
        self.viewport.set_wrap(not self.viewport.wrap)
        self.redraw()

    def action_timestamps(self) -> None:
        """Show when each line was written, or hide it."""
        self.viewport.set_times(not self.viewport.times)
        self.redraw()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Go three rows up."""
        event.stop()
        self.action_scroll(-3)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Go three rows down."""
        event.stop()
        self.action_scroll(3)

    # Drawing

    def redraw(self) -> None:
        """Draw all rows anew: the layout has changed, the search, or the reason for being empty."""
        self._row_cache.clear()
        self._update()

    def _update(self) -> None:
        """Draw what is in sight now, where no line has changed."""
        self._repaint(self.buffer.end)

    def _repaint(self, changed: int) -> None:
        """Draw what is in sight, lines from `changed` on anew, and send the rows that look different."""
        viewport, (width, height) = self.viewport, self.size
        viewport.width, viewport.height = width, height
        viewport.arrange()
        before = self._strips
        # Without a height there may be no styles yet.
        self._strips = self._row_cache.paint(viewport, self._styles, changed) if height else []
        rows = [y for y, strip in enumerate(self._strips) if before[y : y + 1] != [strip]]
        if rows:
            self.refresh(*(Region(0, y, width, 1) for y in rows))
        self.post_message(self.Moved())

    def on_resize(self) -> None:
        """Draw all rows anew, in the new size."""
        self._strips = []
        self.redraw()

    def notify_style_update(self) -> None:
        """Draw all rows anew, in the colours of the new theme."""
        super().notify_style_update()
        self._theme = None
        if self._strips:
            self.redraw()

    @property
    def _styles(self) -> Styles:
        if self._theme is None:
            style = self._component_style
            named = style("quiet"), style("match"), style("current"), style("marked")
            self._theme = Styles(self.rich_style, *named, tuple(map(style, _RANKS)))
        return self._theme

    def _component_style(self, part: str) -> Style:
        return self.get_component_rich_style(f"log-view--{part}")

    def render_line(self, y: int) -> Strip:
        """Return what is drawn already: Textual asks for a row whenever it paints one."""
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.size.width, self._styles.base)
