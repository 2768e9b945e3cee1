"""The list of jobs: draws what is visible, repaints the cells that changed, keeps its cursor on its job."""

from collections.abc import Callable, Collection, Container
from itertools import zip_longest
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from backend_client.models import Job
from tui.actions import Place
from tui.bindings import bindings
from tui.jobs.columns import Column, Row, fit, heading, layout, row
from tui.jobs.rows import Group, Heading, Order, Rows
from tui.jobs.store import Difference, JobStore
from tui.settings.model import ListSettings
from tui.ui.sanitize import clean

_HEAD = 1
_AGES_EVERY = 20.0
_FAR = 10_000
_AS_EVER = ListSettings()


def _moves(keys: str, rows: str) -> Binding:
    return Binding(keys, f"move({rows})", show=False)


class JobList(ScrollView, can_focus=True):
    """Shows the jobs of a `Store`; call `update` with what the store says has changed."""

    where = Place.LIST
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(Place.LIST, "screen"),
        _moves("up,k", "-1"),
        _moves("down,j", "1"),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        _moves("home", "-1000000000"),
        _moves("end", "1000000000"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "job-list--head",
        "job-list--group",
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

    class Showing(Message):
        """Other jobs than before are on the screen, or the same in other rows."""

    def __init__(
        self,
        store: JobStore,
        empty: Callable[[], str],
        shown: ListSettings = _AS_EVER,
        watched: Container[str] = frozenset(),
        *,
        all_namespaces: bool = False,
    ) -> None:
        """`empty` says in words why there is nothing to see; `watched`: the uids of jobs that show it."""
        super().__init__()
        self._store = store
        self._empty = empty
        self._watched = watched
        self._wanted = shown.columns
        self._all_namespaces = all_namespaces
        self.rows = Rows(store.jobs, Group(shown.group))
        self._marks: set[str] = set()
        self._uid = ""
        self._at = 0
        self._at_line = 0
        self._moved = False
        self._awaited = ""
        self._columns: tuple[Column, ...] = ()
        self._painted: dict[int, tuple[str, Row]] = {}
        self._showing: list[str] = []

    def on_mount(self) -> None:
        self.set_interval(_AGES_EVERY, self._repaint)

    @property
    def job(self) -> Job | None:
        """The job under the cursor."""
        return self._store.jobs.get(self._uid)

    @property
    def marked(self) -> list[Job]:
        """The marked jobs by name, wherever the cursor and the filter are."""
        return sorted((self._store.jobs[uid] for uid in self._marks), key=lambda job: job.ref)

    @property
    def on_screen(self) -> list[Job]:
        """The jobs in the rows that can be seen, from the top."""
        return [self._store.jobs[uid] for uid in self._showing if uid in self._store.jobs]

    # What changes it

    def update(self, difference: Difference) -> None:
        """Follow the store: repaint what is another, and nothing else."""
        self._marks -= difference.removed
        if self.rows.update(difference):
            self._arrange()
        else:
            self._repaint(difference.changed)
        if self._uid in difference.changed:
            self.post_message(self.Pointed())

    def set_filter(self, text: str) -> None:
        """Show only the jobs that have all these words."""
        self.rows.rearrange(words=tuple(text.lower().split()))
        self._arrange()

    def set_order(self, order: Order) -> None:
        """Show them in another order."""
        self.rows.rearrange(order=order)
        self._arrange()

    def set_group(self, group: Group) -> None:
        """Put them together by something else."""
        self.rows.rearrange(group=group)
        self._arrange()

    def toggle_mark(self) -> None:
        """Mark the job under the cursor, or mark it no more, and go on to the next."""
        if self._uid:
            self._marks ^= {self._uid}
            self.show_flags()
            self.action_move(1)

    def drop_marks(self) -> None:
        """Mark none."""
        self._marks.clear()
        self.show_flags()

    def show_flags(self) -> None:
        """Other jobs than before are marked, or watched."""
        self._repaint()

    def point(self, uid: str) -> None:
        """Put the cursor on a job, now or when it comes."""
        index = self.rows.index(uid)
        if index is None:
            self._awaited = uid
        else:
            self.action_move(index - self._at)

    def _arrange(self) -> None:
        """Rows came, went or moved: the cursor stays on its job, at its height on the screen."""
        height = self._at_line - self.scroll_offset.y
        seen = 0 <= height < self._page
        index = self.rows.index(self._uid) if self._moved else 0
        if index is None:
            index = min(self._at, len(self.rows) - 1)
        self._put(max(0, index))
        self._set_height()
        self._set_cursor(self.rows.uids[self._at] if self.rows.uids else "")
        if seen and (self.scroll_offset.y or self._at_line >= self._page):
            self.scroll_to(y=self._at_line - height, animate=False, immediate=True)
        self._repaint()
        if self.rows.index(self._awaited) is not None:
            self.point(self._awaited)
            self._awaited = ""

    def _put(self, index: int) -> None:
        self._at, self._at_line = index, self.rows.line(index)

    def _set_height(self) -> None:
        size = Size(self._room, len(self.rows.lines) + _HEAD)
        if size != self.virtual_size:
            self.virtual_size = size

    def _set_cursor(self, uid: str) -> None:
        if uid != self._uid:
            self._uid = uid
            self._repaint()
            self.post_message(self.Pointed())

    # Keys and mouse

    def action_move(self, rows: int) -> None:
        """Put the cursor so many rows further down."""
        if self.rows.uids:
            self._moved = True
            self._put(max(0, min(len(self.rows) - 1, self._at + rows)))
            self._set_cursor(self.rows.uids[self._at])
            self._reveal()

    def action_page(self, pages: int) -> None:
        """Put the cursor so many screens further down."""
        self.action_move(pages * max(1, self._page - 1))

    async def on_click(self, event: events.Click) -> None:
        """Put the cursor where the mouse is; a second click opens the job."""
        line = event.y - _HEAD + self.scroll_offset.y
        uid = self.rows.lines[line] if _HEAD <= event.y < self._end else None
        if isinstance(uid, str):
            self.point(uid)
            if event.chain == 2:
                await self.screen.run_action("detail")

    def _reveal(self) -> None:
        top, line = self.scroll_offset.y, self._at_line
        first = line - 1 if line and isinstance(self.rows.lines[line - 1], Heading) else line
        if first < top:
            top = first
        elif line >= top + self._page:
            top = line - self._page + 1
        self.scroll_to(y=top, animate=False, immediate=True)

    # Drawing

    @property
    def _room(self) -> int:
        """Cells of a row, without the scrollbar."""
        return self.scrollable_content_region.width

    @property
    def _page(self) -> int:
        return max(1, self.size.height - _HEAD)

    @property
    def _end(self) -> int:
        """The first line of the screen that no row is on."""
        return _HEAD + len(self.rows.lines) - self.scroll_offset.y

    def _flags(self, uid: str) -> str:
        """Before a row: is it marked, or watched, and does the cursor stand on it?"""
        flag = "*" if uid in self._marks else "b" if uid in self._watched else " "
        return flag + (">" if uid == self._uid else " ")

    def _line(self, y: int) -> tuple[str, Row]:
        """What belongs on a screen line now: a job's uid and its row, or a plain sentence."""
        if y < _HEAD:
            return "", Row(heading(self._columns), "", "")
        if y < self._end:
            uid = self.rows.lines[y - _HEAD + self.scroll_offset.y]
            if isinstance(uid, Heading):
                return "", Row(f" {clean(uid.words, 60)} ({uid.size})", "", "")
            return uid, row(self._store.jobs[uid], self._columns, self._room, self._flags(uid))
        empty = not self.rows.uids and y == _HEAD + 1
        return "", Row(fit(f"   {self._empty()}", self._room).rstrip() if empty else "", "", "")

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._show()

    def _show(self) -> None:
        """Say so where other rows are on the screen."""
        top = self.scroll_offset.y
        showing = [line for line in self.rows.lines[top : top + self._page] if isinstance(line, str)]
        if showing != self._showing:
            self._showing = showing
            self.post_message(self.Showing())

    def _repaint(self, only: Collection[str] | None = None) -> None:
        """Repaint the lines that are another, each up to its last cell that is; of jobs `only` these."""
        self._show()
        for y in range(_HEAD, self.size.height):
            old = self._painted.get(y)
            if only is not None and old and old[0] and old[0] not in only:
                continue
            new = self._line(y)
            if old != new:
                self.refresh(Region(0, y, _changed_width(old, new), 1))

    def on_resize(self) -> None:
        """Take the columns that fit now."""
        self._columns = layout(self._room, self._wanted, all_namespaces=self._all_namespaces)
        self._set_height()
        self._show()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        """As many lines as there are jobs; the stylesheet has the limits."""
        return max(len(self.rows.lines), 3) + _HEAD

    def render_line(self, y: int) -> Strip:
        uid, parts = self._painted[y] = self._line(y)
        base = self.rich_style
        if not uid:
            style = base + self._style("head" if y < _HEAD else "group" if y < self._end else "empty")
            segments = [Segment("".join(parts), style)]
        else:
            state = base + self._style(self._store.jobs[uid].state.style.colour)
            if uid == self._uid:  # one segment: every one costs its own colours on the way to the terminal
                segments = [Segment("".join(parts), state + self._style("cursor"))]
            else:
                styles = (base, state, base)
                segments = [Segment(text, style) for text, style in zip(parts, styles, strict=True)]
        return Strip(segments).adjust_cell_length(self._room, base)

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"job-list--{name}", partial=True)


def _changed_width(old: tuple[str, Row] | None, new: tuple[str, Row]) -> int:
    """How many cells from the left hold all that is another."""
    before, after = ("".join(parts) for _, parts in (old or new, new))
    if old is None or old[0] != new[0] or old[1].before != new[1].before or not after.isascii():
        return max(cell_len(before), cell_len(after)) if old else _FAR
    return 1 + max((i for i, (a, b) in enumerate(zip_longest(before, after)) if a != b), default=0)
