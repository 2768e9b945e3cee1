"""The list of jobs: draws what is visible, repaints the cells that changed, keeps its cursor on its job."""

from collections.abc import Callable
from itertools import zip_longest
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from backend_client.models import Job
from tui.actions import Where
from tui.bindings import bindings
from tui.columns import Column, Row, fit, heading, layout, row
from tui.rows import Order, Rows
from tui.store import Difference, Store

_HEAD = 1
_AGES_EVERY = 20.0


def _moves(keys: str, rows: str) -> Binding:
    return Binding(keys, f"move({rows})", show=False)


class JobList(ScrollView, can_focus=True):
    """Shows the jobs of a `Store`; call `update` with what the store says has changed."""

    where = Where.LIST
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(Where.LIST, "screen"),
        _moves("up,k", "-1"),
        _moves("down,j", "1"),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        _moves("home", "-1000000000"),
        _moves("end", "1000000000"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "job-list--head",
        "job-list--empty",
        "job-list--cursor",
        "job-list--red",
        "job-list--green",
        "job-list--yellow",
        "job-list--blue",
        "job-list--cyan",
        "job-list--magenta",
        "job-list--white",
    }

    class Pointed(Message):
        """The cursor stands on another job (or none), or its job has changed."""

        def __init__(self, job: Job | None) -> None:
            super().__init__()
            self.job = job

    def __init__(self, store: Store, empty: Callable[[], str]) -> None:
        """`empty` says in words why there is nothing to see."""
        super().__init__()
        self._store = store
        self._empty = empty
        self.rows = Rows(store.jobs)
        self._uid = ""
        self._at = 0
        self._moved = False
        self._columns: tuple[Column, ...] = ()
        self._drawn: dict[str, Row] = {}

    def on_mount(self) -> None:
        self.set_interval(_AGES_EVERY, self._show_ages)

    @property
    def job(self) -> Job | None:
        """The job under the cursor."""
        return self._store.jobs.get(self._uid)

    # What changes it

    def update(self, difference: Difference) -> None:
        """Follow the store: repaint what is another, and nothing else."""
        if self.rows.update(difference):
            self._arrange()
        else:
            for uid in difference.changed:
                self._repaint(uid)
        if self._uid in difference.changed:
            self.post_message(self.Pointed(self.job))

    def set_filter(self, text: str) -> None:
        """Show only the jobs that have all these words."""
        self.rows.rearrange(words=tuple(text.lower().split()))
        self._arrange()

    def set_order(self, order: Order) -> None:
        """Show them in another order."""
        self.rows.rearrange(order=order)
        self._arrange()

    def point(self, uid: str) -> None:
        """Put the cursor on a job, now or when it comes."""
        self._moved = True
        self._set_cursor(uid)
        index = self.rows.index(uid)
        if index is not None:
            self._at = index
            self._reveal()

    def _arrange(self) -> None:
        """Rows came, went or moved: the cursor stays on its job, at its height on the screen."""
        height = self._at - self.scroll_offset.y
        seen = 0 <= height < self._page
        index = self.rows.index(self._uid) if self._moved else 0
        if index is None:
            index = min(self._at, len(self.rows) - 1)
        before, self._at = self._visible(), max(0, index)
        self._set_height()
        self._set_cursor(self.rows.uids[self._at] if self.rows.uids else "")
        if seen and (self.scroll_offset.y or self._at >= self._page):
            self.scroll_to(y=self._at - height, animate=False, immediate=True)
        self._repaint_moved(before)

    def _set_height(self) -> None:
        size = Size(self.size.width, len(self.rows) + _HEAD)
        if size != self.virtual_size:
            self.virtual_size = size

    def _set_cursor(self, uid: str) -> None:
        if uid != self._uid:
            old, self._uid = self._uid, uid
            self._repaint(old)
            self._repaint(uid)
            self.post_message(self.Pointed(self.job))

    # Keys and mouse

    def action_move(self, rows: int) -> None:
        """Put the cursor so many rows further down."""
        if self.rows.uids:
            self._moved = True
            self._at = max(0, min(len(self.rows) - 1, self._at + rows))
            self._set_cursor(self.rows.uids[self._at])
            self._reveal()

    def action_page(self, pages: int) -> None:
        """Put the cursor so many screens further down."""
        self.action_move(pages * max(1, self._page - 1))

    async def on_click(self, event: events.Click) -> None:
        """Put the cursor where the mouse is; a second click opens the job."""
        if event.y >= _HEAD and event.y - _HEAD + self.scroll_offset.y < len(self.rows):
            self.action_move(event.y - _HEAD + self.scroll_offset.y - self._at)
            if event.chain == 2:
                await self.screen.run_action("detail")

    def _reveal(self) -> None:
        top = self.scroll_offset.y
        if self._at < top:
            top = self._at
        elif self._at >= top + self._page:
            top = self._at - self._page + 1
        self.scroll_to(y=top, animate=False, immediate=True)

    # Drawing

    @property
    def _page(self) -> int:
        return max(1, self.size.height - _HEAD)

    def _visible(self) -> list[str]:
        top = self.scroll_offset.y
        return self.rows.uids[top : top + self._page]

    def _repaint_moved(self, before: list[str]) -> None:
        for y, (old, new) in enumerate(zip_longest(before, self._visible())):
            if old != new or self._changed(new):
                self.refresh(Region(0, y + _HEAD, self.size.width, 1))

    def _changed(self, uid: str) -> bool:
        return self._drawn.get(uid) != self._row(uid)

    def _repaint(self, uid: str) -> None:
        """Repaint a job's row, up to its last cell that is another."""
        index = self.rows.index(uid)
        if index is None or not 0 <= index - self.scroll_offset.y < self._page:
            return
        old, new = self._drawn.get(uid), self._row(uid)
        if old != new:
            y = index - self.scroll_offset.y + _HEAD
            self.refresh(Region(0, y, _changed_width(old, new) or self.size.width, 1))

    def _show_ages(self) -> None:
        for uid in self._visible():
            self._repaint(uid)

    def _row(self, uid: str) -> Row:
        mark = ">" if uid == self._uid else ""
        return row(self._store.jobs[uid], self._columns, self.size.width, mark)

    def on_resize(self) -> None:
        """Take the columns that fit now."""
        self._columns = layout(self.size.width)
        self._drawn.clear()
        self._set_height()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        """As many lines as there are jobs; the stylesheet has the limits."""
        return max(len(self.rows), 3) + _HEAD

    def render_line(self, y: int) -> Strip:
        base = self.rich_style
        if y < _HEAD:
            return self._line(heading(self._columns), self._style("head"), base)
        if not self.rows.uids:
            text = f"   {self._empty()}" if y == _HEAD + 1 else ""
            return self._line(fit(text, self.size.width).rstrip(), self._style("empty"), base)
        index = y - _HEAD + self.scroll_offset.y
        if index >= len(self.rows):
            return Strip.blank(self.size.width, base)
        return self._job_line(self.rows.uids[index], base)

    def _line(self, text: str, style: Style, base: Style) -> Strip:
        return Strip([Segment(text, style)]).adjust_cell_length(self.size.width, base)

    def _job_line(self, uid: str, base: Style) -> Strip:
        parts = self._row(uid)
        if len(self._drawn) > 4 * self._page:
            self._drawn.clear()
        self._drawn[uid] = parts
        style = base + self._style("cursor") if uid == self._uid else base
        state = style + self._style(self._store.jobs[uid].state.look.colour)
        segments = [Segment(parts.before, style), Segment(parts.state, state), Segment(parts.after, style)]
        return Strip(segments).adjust_cell_length(self.size.width, base)

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"job-list--{name}", partial=name not in ("head", "empty"))


def _changed_width(old: Row | None, new: Row) -> int:
    """How many cells from the left hold all that is another; 0 where that is not easy to say."""
    if old is None or old.before != new.before or not (old.after + new.after).isascii():
        return 0
    before, after = ("".join(parts) for parts in (old, new))
    last = max((i for i, (a, b) in enumerate(zip_longest(before, after)) if a != b), default=0)
    return last + 1
