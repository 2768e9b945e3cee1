"""The history screen: jobs that a server remembers, newest first, deleted ones too."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, cast

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from backend_client.errors import BackendError, LoginNeeded
from backend_client.history import HasHistory, HistoryEntry, HistoryPage, HistoryQuery
from backend_client.protocol import JobBackend
from backend_client.text.history import EXAMPLE, TITLES, cells, nothing_found, parse_query
from backend_client.text.sanitize import clean
from tui.actions import Place
from tui.bindings import bindings
from tui.session import session_of
from tui.ui.footer import Footer
from tui.ui.format import fit
from tui.ui.inputs import LineInput
from tui.ui.rows import Rows

WIDTHS = (18, 9, 8, 4, 6, 4, 5)
"""Cells of name, state, owner, GPUs, GPU-hours, age and time it took; how it ended has the rest."""
_RIGHT = (3, 4, 5, 6)


def format_row(texts: tuple[str, ...] | list[str], width: int, wide: int = 0) -> str:
    """Return one row of `width` cells. `wide`: more cells for the name, where there is room."""
    widths = (WIDTHS[0] + wide, *WIDTHS[1:])
    parts = [
        fit(text, size, right=at in _RIGHT)
        for at, (text, size) in enumerate(zip(texts[:-1], widths, strict=True))
    ]
    rest = max(1, width - sum(widths) - len(widths) - 1)
    return " " + " ".join([*parts, fit(texts[-1], rest)])


class HistoryScreen(Screen[None]):
    """A list with a filter line. It shows the time of its query; enter in the filter asks again."""

    CSS_PATH = "history_screen.tcss"
    AUTO_FOCUS = "OptionList"
    where = Place.HISTORY
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(Place.HISTORY, "screen"),
        Binding("q", "screen.history_back", show=False),
    ]

    @dataclass(eq=False)
    class PageLoaded(Message):
        """A page, or why there is none."""

        query: HistoryQuery
        after: str
        page: HistoryPage | BackendError

    def __init__(self, backend: JobBackend) -> None:
        super().__init__()
        self._backend = cast("HasHistory", backend)
        self._context_name = backend.context
        self._query = HistoryQuery()
        self._entries: list[HistoryEntry] = []
        self._next_cursor = ""
        self._failed: BackendError | None = None

    def compose(self) -> ComposeResult:
        yield Static(Content.styled(f" {clean(self._context_name, 40)}  history", "bold"), id="title")
        yield LineInput("", EXAMPLE)
        yield Static(id="head")
        yield Rows()
        yield Static(id="status")
        yield Footer(session_of(self))

    def on_mount(self) -> None:
        self.call_after_refresh(self._reload)

    # What was asked

    def on_input_changed(self, _event: LineInput.Changed) -> None:
        """Show at once what cannot be understood in the filter."""
        try:
            parse_query(self.query_one(LineInput).value)
        except ValueError as error:
            self._show_status(str(error), wrong=True)
        else:
            self._show_status("enter asks for these")

    def on_input_submitted(self, _event: LineInput.Submitted) -> None:
        """Query the history for what was typed."""
        try:
            self._query = parse_query(self.query_one(LineInput).value)
        except ValueError as error:
            self._show_status(str(error), wrong=True)
        else:
            self._reload()
            self.query_one(OptionList).focus()

    def _reload(self) -> None:
        self._failed = None
        self._show_status("reading ...")
        self._read(self._query, "")

    @work(exclusive=True, group="history", exit_on_error=False)
    async def _read(self, query: HistoryQuery, after: str) -> None:
        try:
            page: HistoryPage | BackendError = await self._backend.history(query, after=after)
        except BackendError as error:
            page = error
        self.post_message(self.PageLoaded(query, after, page))

    def on_history_screen_page_loaded(self, message: PageLoaded) -> None:
        """Show the page, or why there is none; what was read before stays."""
        if isinstance(message.page, BackendError):
            self._failed = message.page
            self._show_status(str(message.page), wrong=True)
            session_of(self).login_prompt.ask(message.page)
            return
        if not message.after:
            self._entries = []
        self._entries += message.page.items
        self._next_cursor = message.page.next
        self._fill(len(self._entries) - len(message.page.items))
        self._show_status(self._summary())

    def on_screen_resume(self) -> None:
        """Ask again after a login."""
        if isinstance(self._failed, LoginNeeded):
            self._reload()

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Read the next page at the last entry."""
        if self._next_cursor and event.option_index == len(self._entries) - 1:
            self._show_status("reading ...")
            self._read(self._query, self._next_cursor)

    # What is shown

    def _show_status(self, words: str, *, wrong: bool = False) -> None:
        status = self.query_one("#status", Static)
        status.set_class(wrong, "wrong")
        status.update(Content(f" {clean(words, 300)}"))

    def _summary(self) -> str:
        number = len(self._entries)
        if not number:
            return nothing_found(self._query)
        jobs = "1 job" if number == 1 else f"{number} jobs"
        return f"{jobs}; older ones come at the end" if self._next_cursor else jobs

    def _fill(self, start: int) -> None:
        """Add the rows from `start` on; those before are shown already."""
        rows, now, width = self.query_one(OptionList), datetime.now(UTC), self.size.width
        wide = max(0, min(22, width - 100))
        self.query_one("#head", Static).update(Content.styled(format_row(TITLES, width, wide), "bold"))
        if not start:
            rows.clear_options()
        lines = (format_row(cells(one, now), width, wide) for one in self._entries[start:])
        rows.add_options([Option(Content(line)) for line in lines])
        if self._entries and rows.highlighted is None:
            rows.highlighted = 0

    def on_resize(self) -> None:
        """Lay every row out anew."""
        at = self.query_one(OptionList).highlighted
        self._fill(0)
        self.query_one(OptionList).highlighted = at

    # Keys

    def action_history_filter(self) -> None:
        """Focus the filter."""
        self.query_one(LineInput).focus()

    def action_history_back(self) -> None:
        """Go back from the filter to the list, from the list to the jobs."""
        if self.query_one(LineInput).has_focus:
            self.query_one(OptionList).focus()
        else:
            self.dismiss(None)
