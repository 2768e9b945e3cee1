"""The list of jobs: draws what is visible, repaints the cells that changed, keeps its cursor on its job."""

from collections.abc import Callable, Collection, Container
from itertools import zip_longest
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from backend_client.job_order import Group, Order
from backend_client.models import Job
from backend_client.text.job_cells import states_text
from backend_client.text.sanitize import clean
from backend_client.text.usage_cells import is_idle
from tui.actions import Place
from tui.bindings import bindings
from tui.jobs.columns import Column, Row, column_cells, heading, layout, row
from tui.jobs.rows import Heading, Rows
from tui.jobs.store import Difference, JobStore
from tui.settings.model import ListSettings
from tui.ui.format import fit

_HEAD = 1
_AGES_EVERY = 20.0
_FAR = 10_000
_OF_ONE_CELL = str.maketrans("", "", "\u2026\u2191\u2193")
"""Signs of ours that are no wider than a letter: ellipsis, arrows."""
_AS_EVER = ListSettings()


class JobList(ScrollView, can_focus=True):
    """Shows the jobs of a `JobStore`; call `update` with what the store says has changed.

    It is not Textual's DataTable, which paints the whole table anew when one cell changes: about 28 kB to a
    200x50 terminal, where a changed row here costs some 200 bytes; and which needs two seconds until 10,000
    rows are laid out. docs/BENCHMARKS.md has the figures of this list.
    """

    where = Place.LIST
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Place.LIST, "screen")]
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

    class CursorMoved(Message):
        """The cursor is on another job (or none), or its job has changed."""

    class VisibleJobsChanged(Message):
        """Other jobs than before are visible, or the same in other rows."""

    def __init__(
        self,
        store: JobStore,
        empty: Callable[[], str],
        shown: ListSettings = _AS_EVER,
        watched: Container[str] = frozenset(),
        *,
        all_namespaces: bool = False,
        order: Order = Order.ATTENTION,
    ) -> None:
        """Show a store. `empty` returns why there is nothing to see; `watched`: uids that get a `b`."""
        super().__init__()
        self._store = store
        self._empty = empty
        self._watched = watched
        self._column_names = shown.columns
        self._all_namespaces = all_namespaces
        self.rows = Rows(store.jobs, Group(shown.group), order)
        self._marks: set[str] = set()
        self._last_mark = ""
        self._uid = ""
        self._chosen_uid = ""
        """The job that the person put the cursor on: where it is hidden by the filter, the cursor is not."""
        self._index = 0
        self._cursor_line = 0
        self._moved = False
        self._awaited_uid = ""
        self._columns: tuple[Column, ...] = ()
        self._util = range(0)
        """The cells of the column of utilisation."""
        self._usage: bool | None = None
        """With the columns of use, or without them; None: as the settings have it."""
        self._painted: dict[int, tuple[str, Row]] = {}
        self._visible_uids: list[str] = []

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
    def visible_jobs(self) -> list[Job]:
        """The jobs in the rows that can be seen, from the top."""
        return [self._store.jobs[uid] for uid in self._visible_uids if uid in self._store.jobs]

    # What changes it

    def update(self, difference: Difference) -> None:
        """Update the rows from the store: repaint the cells that changed, and nothing else."""
        self._marks -= difference.removed
        if self.rows.update(difference):
            self._arrange()
        else:
            self._repaint(difference.changed)
        if self._uid in difference.changed:
            self.post_message(self.CursorMoved())

    def set_filter(self, text: str) -> None:
        """Show only the jobs that have all these words; the cursor returns to its job when that is shown."""
        self.rows.rearrange(words=tuple(text.lower().split()))
        self._arrange()

    def choose(self) -> None:
        """Take the job under the cursor for the one that the person wants, as if it had been moved there."""
        self.move(0)

    def set_order(self, order: Order) -> None:
        """Sort the jobs by another order."""
        self.rows.rearrange(order=order)
        self._arrange()

    def set_group(self, group: Group) -> None:
        """Group the jobs by something else."""
        self.rows.rearrange(group=group)
        self._arrange()

    def toggle_mark(self) -> None:
        """Mark the job under the cursor, or mark it no more, and go on to the next."""
        if self._uid:
            self._marks ^= {self._uid}
            self._last_mark = self._uid
            self.show_flags()
            self.move(1)

    def mark_range(self) -> None:
        """Mark all jobs from the one that was marked last to the one under the cursor."""
        start = self.rows.index(self._last_mark)
        if self._uid:
            first, last = sorted((self._index if start is None else start, self._index))
            self._marks |= set(self.rows.uids[first : last + 1])
            self._last_mark = self._uid
            self.show_flags()

    def toggle_all_marks(self) -> None:
        """Mark all jobs that are shown; where all are marked, none of them."""
        shown = set(self.rows.uids)
        self._marks = self._marks - shown if shown <= self._marks else self._marks | shown
        self.show_flags()

    def clear_marks(self) -> None:
        """Take the mark off every job."""
        self._marks.clear()
        self._last_mark = ""
        self.show_flags()

    def toggle_usage(self) -> None:
        """Show the columns of use at any width; where they are shown, take them away."""
        self._usage = not self._util
        self._lay_out()
        self.refresh()

    def show_flags(self) -> None:
        """Repaint the rows whose jobs are marked or watched, or are so no more."""
        self._repaint()

    def move_cursor(self, uid: str) -> None:
        """Move the cursor to a job, now or as soon as it is listed."""
        index = self.rows.index(uid)
        if index is None:
            self._awaited_uid = uid
        else:
            self.move(index - self._index)

    def _arrange(self) -> None:
        """Lay the rows out anew; the cursor stays on its job, at its height on the screen."""
        height = self._cursor_line - self.scroll_offset.y
        seen = 0 <= height < self._page
        index = self._wanted_index() if self._moved else 0
        self._set_index(index)
        self._set_height()
        self._set_cursor(self.rows.uids[self._index] if self.rows.uids else "")
        if seen and (self.scroll_offset.y or self._cursor_line >= self._page):
            self.scroll_to(y=self._cursor_line - height, animate=False, immediate=True)
        self._repaint()
        if self.rows.index(self._awaited_uid) is not None:
            self.move_cursor(self._awaited_uid)
            self._awaited_uid = ""

    def _wanted_index(self) -> int:
        """Return the row of the chosen job; where it is hidden, of that under the cursor, or of its place."""
        if self._chosen_uid not in self._store.jobs:
            self._chosen_uid = self._uid
        for uid in (self._chosen_uid, self._uid):
            index = self.rows.index(uid)
            if index is not None:
                return index
        return max(0, min(self._index, len(self.rows) - 1))

    def _set_index(self, index: int) -> None:
        self._index, self._cursor_line = index, self.rows.line(index)

    def _set_height(self) -> None:
        size = Size(self._room, len(self.rows.lines) + _HEAD)
        if size != self.virtual_size:
            self.virtual_size = size

    def _set_cursor(self, uid: str) -> None:
        if uid != self._uid:
            self._uid = uid
            self._repaint()
            self.post_message(self.CursorMoved())

    # Keys and mouse

    def move(self, rows: int) -> None:
        """Move the cursor down by some rows, as far as there are any."""
        if self.rows.uids:
            self._moved = True
            self._set_index(max(0, min(len(self.rows) - 1, self._index + rows)))
            self._chosen_uid = self.rows.uids[self._index]
            self._set_cursor(self._chosen_uid)
            self._reveal()

    def move_pages(self, pages: int) -> None:
        """Move the cursor down by some pages."""
        self.move(pages * max(1, self._page - 1))

    async def on_click(self, event: events.Click) -> None:
        """Move the cursor to the clicked row; a second click opens its job."""
        line = event.y - _HEAD + self.scroll_offset.y
        uid = self.rows.lines[line] if _HEAD <= event.y < self._end else None
        if isinstance(uid, str):
            self.move_cursor(uid)
            if event.chain == 2:
                await self.screen.run_action("detail")

    def _reveal(self) -> None:
        top, line = self.scroll_offset.y, self._cursor_line
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
        """Return the two cells before a row: is it marked or watched, and is the cursor on it."""
        flag = "*" if uid in self._marks else "b" if uid in self._watched else " "
        return flag + (">" if uid == self._uid else " ")

    def _line(self, y: int) -> tuple[str, Row]:
        """Return what belongs on a screen line now: a job's uid and its row, or "" and a plain sentence."""
        if y < _HEAD:
            return "", Row(heading(self._columns), "", "")
        if y < self._end:
            uid = self.rows.lines[y - _HEAD + self.scroll_offset.y]
            if isinstance(uid, Heading):
                counts = states_text(self._store.jobs[one] for one in uid.counted)
                words = f" {clean(uid.title, 60)} ({uid.size}) {counts}"
                return "", Row(fit(words, self._room).rstrip(), "", "")
            return uid, row(self._store.jobs[uid], self._columns, self._room, self._flags(uid))
        empty = not self.rows.uids and y == _HEAD + 1
        return "", Row(fit(f"   {self._empty()}", self._room).rstrip() if empty else "", "", "")

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._announce_visible()

    def _announce_visible(self) -> None:
        """Post a message where other rows than before are visible."""
        top = self.scroll_offset.y
        showing = [line for line in self.rows.lines[top : top + self._page] if isinstance(line, str)]
        if showing != self._visible_uids:
            self._visible_uids = showing
            self.post_message(self.VisibleJobsChanged())

    def _repaint(self, only: Collection[str] | None = None) -> None:
        """Repaint the lines that changed, each up to its last changed cell. `only`: uids to compare."""
        self._announce_visible()
        for y in range(_HEAD, self.size.height):
            old = self._painted.get(y)
            if only is not None and old and old[0] and old[0] not in only:
                continue
            new = self._line(y)
            if old != new:
                cells = _changed_cells(old, new, self._util)
                self.refresh(Region(cells.start, y, len(cells), 1))

    def _lay_out(self) -> None:
        """Choose the columns that fit now."""
        self._columns = layout(
            self._room, self._column_names, all_namespaces=self._all_namespaces, usage=self._usage
        )
        self._util = column_cells(self._columns, "util")

    def on_resize(self) -> None:
        """Lay the columns out anew."""
        self._lay_out()
        self._set_height()
        self._announce_visible()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002  Textual's signature
        """Return one line per job; the stylesheet has the limits."""
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
        strip = Strip(segments).adjust_cell_length(self._room, base)
        if uid and self._util and is_idle(self._store.jobs[uid].usage):
            start, end = self._util.start, self._util.stop
            yellow = self._style("yellow")
            idle = [Segment(text, (style or base) + yellow) for text, style, _ in strip.crop(start, end)]
            strip = Strip.join([strip.crop(0, start), Strip(idle), strip.crop(end)])
        return strip

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"job-list--{name}", partial=True)


def _changed_cells(old: tuple[str, Row] | None, new: tuple[str, Row], util: range) -> range:
    """Return cells that hold all that differs between two rows.

    Of the column `util`, whose colour goes by its figure, either all cells or none.
    """
    if old is None:
        return range(_FAR)
    before, after = ("".join(parts) for _, parts in (old, new))
    if old[0] != new[0] or old[1][:2] != new[1][:2]:
        return range(max(cell_len(before), cell_len(after)))
    left = cell_len(new[1].before)
    parts = [row.state + row.after for _, row in (old, new)]
    if not "".join(parts).translate(_OF_ONE_CELL).isascii():
        return range(left, max(cell_len(before), cell_len(after)))
    changed = [i for i, (a, b) in enumerate(zip_longest(*parts), left) if a != b] or [left]
    cells = range(changed[0], changed[-1] + 1)
    if cells.start < util.stop and util.start < cells.stop:
        return range(min(cells.start, util.start), max(cells.stop, util.stop))
    return cells
