"""The list of jobs: draws what is visible, repaints the cells that changed, the cursor stays on its job."""

from collections.abc import Callable, Collection, Container, Iterable
from typing import ClassVar

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
from tui.jobs.changed_cells import changed_cells
from tui.jobs.columns import Column, Row, column_cells, heading, layout, row
from tui.jobs.marks import Marks
from tui.jobs.rows import Heading, LineKey, Rows
from tui.jobs.store import Difference, JobStore
from tui.settings.model import ListSettings
from tui.ui.format import fit

_HEAD = 1
_AGES_EVERY = 20.0
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
        """The cursor is on another job, a group or nothing; or its job has changed."""

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
        self._marks = Marks()
        self._key: LineKey = ""
        """What the cursor is on: a job, a group, or nothing."""
        self._chosen_key: LineKey = ""
        """What the person put the cursor on: where a filter or a fold hides it, the cursor is elsewhere."""
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
        """The job under the cursor; None where that is on the heading of a group."""
        return self._store.jobs.get(self._key) if isinstance(self._key, str) else None

    @property
    def group(self) -> Heading | None:
        """The heading under the cursor."""
        found = None if isinstance(self._key, str) else self.rows.lines[self._cursor_line]
        return found if isinstance(found, Heading) else None

    @property
    def marked(self) -> list[Job]:
        """The marked jobs by name, wherever the cursor and the filter are."""
        return self._by_name(self._marks)

    @property
    def selected(self) -> list[Job]:
        """The jobs that a key means together: the marked, else those of the group under the cursor."""
        return self.marked or self._by_name(self.group.uids if self.group else ())

    def _by_name(self, uids: Iterable[str]) -> list[Job]:
        return sorted((self._store.jobs[uid] for uid in uids), key=lambda job: job.ref)

    @property
    def visible_jobs(self) -> list[Job]:
        """The jobs in the rows that can be seen, from the top."""
        return [self._store.jobs[uid] for uid in self._visible_uids if uid in self._store.jobs]

    # What changes it

    def update(self, difference: Difference) -> None:
        """Update the rows from the store: repaint the cells that changed, and nothing else."""
        self._marks.discard(difference.removed)
        if self.rows.update(difference):
            self._arrange()
        else:
            self._repaint(difference.changed)
        if self._key in difference.changed:
            self.post_message(self.CursorMoved())

    def set_filter(self, text: str) -> None:
        """Show only the jobs that have all these words; the cursor returns to its job when that is shown."""
        self.rows.rearrange(words=tuple(text.lower().split()))
        self._arrange()

    def choose(self) -> None:
        """Take what is under the cursor for what the person wants, as if it had been moved there."""
        self.move(0)

    def set_order(self, order: Order) -> None:
        """Sort the jobs by another order."""
        self.rows.rearrange(order=order)
        self._arrange()

    def set_group(self, group: Group) -> None:
        """Group the jobs by something else."""
        self.rows.rearrange(group=group)
        self._arrange()

    def toggle_fold(self) -> None:
        """Fold the group under the cursor, or unfold it."""
        if self.group:
            self.choose()
            self.rows.toggle_fold(self.group.key)
            self._arrange()

    def toggle_mark(self) -> None:
        """Mark the job or the group under the cursor, or mark it no more, and go on to the next line."""
        if self._key:
            self._marks.toggle(self.rows, self._cursor_line)
            self.show_flags()
            self.move(1)

    def mark_range(self) -> None:
        """Mark all jobs from the line that was marked last to the one under the cursor."""
        if self._key:
            self._marks.add_range(self.rows, self._cursor_line)
            self.show_flags()

    def toggle_all_marks(self) -> None:
        """Mark all jobs of the list; where all are marked, none of them."""
        self._marks.toggle_all(self.rows)
        self.show_flags()

    def clear_marks(self) -> None:
        """Take the mark off every job."""
        self._marks.clear()
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
        """Move the cursor to a job, now or as soon as it is listed; unfolds its group."""
        if self.rows.unfold_job(uid):
            self._arrange()
        line = self.rows.line(uid)
        if line is None:
            self._awaited_uid = uid
        else:
            self.move(line - self._cursor_line)

    def _arrange(self) -> None:
        """Lay the rows out anew; the cursor stays on its job or group, at its height on the screen."""
        height = self._cursor_line - self.scroll_offset.y
        seen = 0 <= height < self._page
        self._cursor_line = self._wanted_line() if self._moved else self._first_line()
        self._set_height()
        self._set_cursor(self.rows.key(self._cursor_line) if self.rows.lines else "")
        if seen and (self.scroll_offset.y or self._cursor_line >= self._page):
            self.scroll_to(y=self._cursor_line - height, animate=False, immediate=True)
        self._repaint()
        if self.rows.line(self._awaited_uid) is not None:
            uid, self._awaited_uid = self._awaited_uid, ""
            self.move_cursor(uid)

    def _first_line(self) -> int:
        """Return the line of the first job, or of a folded group above it."""
        first = self.rows.lines[0] if self.rows.lines else ""
        return int(isinstance(first, Heading) and not first.folded)

    def _wanted_line(self) -> int:
        """Return the line of what was chosen; where that is hidden, of what has the cursor, or its place."""
        if self._is_gone(self._chosen_key):
            self._chosen_key = self._key
        for key in (self._chosen_key, self._key):
            line = self.rows.line(key)
            if line is not None:
                return line
        return max(0, min(self._cursor_line, len(self.rows.lines) - 1))

    def _is_gone(self, key: LineKey) -> bool:
        """Return True for a job that is no more, and for a group without a job that is not for the filter."""
        if isinstance(key, str):
            return key not in self._store.jobs
        return self.rows.line(key) is None and not self.rows.filter_words

    def _set_height(self) -> None:
        size = Size(self._room, len(self.rows.lines) + _HEAD)
        if size != self.virtual_size:
            self.virtual_size = size

    def _set_cursor(self, key: LineKey) -> None:
        if key != self._key:
            self._key = key
            self._repaint()
            self.post_message(self.CursorMoved())

    # Keys and mouse

    def move(self, rows: int) -> None:
        """Move the cursor down by some rows, as far as there are any; headings are rows too."""
        if self.rows.lines:
            self._moved = True
            self._cursor_line = max(0, min(len(self.rows.lines) - 1, self._cursor_line + rows))
            self._chosen_key = self.rows.key(self._cursor_line)
            self._set_cursor(self._chosen_key)
            self._reveal()

    def move_pages(self, pages: int) -> None:
        """Move the cursor down by some pages."""
        self.move(pages * max(1, self._page - 1))

    async def on_click(self, event: events.Click) -> None:
        """Move the cursor to the clicked row; a second click opens its job, or folds or unfolds its group."""
        if _HEAD <= event.y < self._end:
            self.move(event.y - _HEAD + self.scroll_offset.y - self._cursor_line)
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
        return flag + (">" if uid == self._key else " ")

    def _heading(self, group: Heading) -> str:
        """Return the line above a group: is it marked, is the cursor on it, is it folded, what is in it."""
        flags = ("*" if self._marks.hold_all(group.uids) else " ") + (">" if group.key == self._key else " ")
        counts = states_text(self.rows.states(group))
        if self.rows.group is Group.STATE:  # the title says the rest
            counts = counts.partition(":")[0]
        return f"{flags}{'+' if group.folded else '-'} {clean(group.title, 60)}  {counts}"

    def _line(self, y: int) -> tuple[str, Row]:
        """Return what belongs on a screen line now: a job's uid and its row, or "" and a plain sentence."""
        if y < _HEAD:
            return "", Row(heading(self._columns), "", "")
        if y < self._end:
            uid = self.rows.lines[y - _HEAD + self.scroll_offset.y]
            if isinstance(uid, Heading):
                return "", Row(fit(self._heading(uid), self._room).rstrip(), "", "")
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
                cells = changed_cells(old, new, self._util)
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
            if self.group and y == self._cursor_line - self.scroll_offset.y + _HEAD:
                style += self._style("cursor")
            segments = [Segment("".join(parts), style)]
        else:
            state = base + self._style(self._store.jobs[uid].state.style.colour)
            if uid == self._key:  # one segment: every one costs its own colours on the way to the terminal
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
