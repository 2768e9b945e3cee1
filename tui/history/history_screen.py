"""What was: the jobs that a server remembers, newest first, also those that are deleted."""

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
from tui.actions import Place
from tui.bindings import bindings
from tui.history.history_text import cells, query_of
from tui.jobs.columns import fit
from tui.session import session_of
from tui.ui.footer import Footer
from tui.ui.inputs import LineInput
from tui.ui.sanitize import clean

WIDTHS = (18, 9, 8, 4, 6, 4, 5)
"""Cells of name, state, owner, GPUs, GPU-hours, age and time it took; how it ended has the rest."""
_TITLES = ("NAME", "STATE", "OWNER", "GPUS", "GPU-H", "AGE", "TOOK", "HOW IT ENDED")
_RIGHT = (3, 4, 5, 6)


def line_of(texts: tuple[str, ...] | list[str], width: int, wide: int = 0) -> str:
    """One row. `wide`: cells more for the name, where there is room."""
    widths = (WIDTHS[0] + wide, *WIDTHS[1:])
    parts = [
        fit(text, size, right=at in _RIGHT)
        for at, (text, size) in enumerate(zip(texts[:-1], widths, strict=True))
    ]
    rest = max(1, width - sum(widths) - len(widths) - 1)
    return " " + " ".join([*parts, fit(texts[-1], rest)])


class HistoryScreen(Screen[None]):
    """A list with a filter line. It is as it was when it was asked for; what was typed asks again."""

    CSS_PATH = "history_screen.tcss"
    AUTO_FOCUS = "OptionList"
    where = Place.HISTORY
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(Place.HISTORY, "screen"),
        Binding("j", "down", show=False),
        Binding("k", "up", show=False),
        Binding("q", "screen.history_back", show=False),
    ]

    @dataclass
    class Read(Message):
        """A page, or why there is none."""

        query: HistoryQuery
        after: str
        page: HistoryPage | BackendError

    def __init__(self, backend: JobBackend) -> None:
        super().__init__()
        self._backend = cast("HasHistory", backend)
        self._place = backend.context
        self._query = HistoryQuery()
        self._past: list[HistoryEntry] = []
        self._next = ""
        self._failed: BackendError | None = None

    def compose(self) -> ComposeResult:
        yield Static(Content.styled(f" {clean(self._place, 40)}  history", "bold"), id="title")
        yield LineInput("", "words   user:ada   state:failed   since:7d   until:2026-11-30")
        yield Static(id="head")
        yield OptionList()
        yield Static(id="status")
        yield Footer(session_of(self))

    def on_mount(self) -> None:
        self.call_after_refresh(self._ask)

    # What was asked

    def on_input_changed(self, _event: LineInput.Changed) -> None:
        """Say at once what cannot be understood."""
        try:
            query_of(self.query_one(LineInput).value)
        except ValueError as error:
            self._say(str(error), wrong=True)
        else:
            self._say("enter asks for these")

    def on_input_submitted(self, _event: LineInput.Submitted) -> None:
        """Ask for what was typed."""
        try:
            self._query = query_of(self.query_one(LineInput).value)
        except ValueError as error:
            self._say(str(error), wrong=True)
        else:
            self._ask()
            self.query_one(OptionList).focus()

    def _ask(self) -> None:
        self._failed = None
        self._say("reading ...")
        self._read(self._query, "")

    @work(exclusive=True, group="history", exit_on_error=False)
    async def _read(self, query: HistoryQuery, after: str) -> None:
        try:
            page: HistoryPage | BackendError = await self._backend.history(query, after=after)
        except BackendError as error:
            page = error
        self.post_message(self.Read(query, after, page))

    def on_history_screen_read(self, message: Read) -> None:
        """Show the page, or why there is none; what was read before stays."""
        if isinstance(message.page, BackendError):
            self._failed = message.page
            self._say(str(message.page), wrong=True)
            session_of(self).login_prompt.ask(message.page)
            return
        if not message.after:
            self._past = []
        self._past += message.page.items
        self._next = message.page.next
        self._fill(len(self._past) - len(message.page.items))
        self._say(self._count())

    def on_screen_resume(self) -> None:
        """Back from a login: ask again."""
        if isinstance(self._failed, LoginNeeded):
            self._ask()

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """At the last one, read on."""
        if self._next and event.option_index == len(self._past) - 1:
            self._say("reading ...")
            self._read(self._query, self._next)

    # What is shown

    def _say(self, words: str, *, wrong: bool = False) -> None:
        status = self.query_one("#status", Static)
        status.set_class(wrong, "wrong")
        status.update(Content(f" {clean(words, 300)}"))

    def _count(self) -> str:
        number = len(self._past)
        if not number:
            return "There was no job like that." if self._query != HistoryQuery() else "No job yet."
        jobs = "1 job" if number == 1 else f"{number} jobs"
        return f"{jobs}; older ones come at the end" if self._next else jobs

    def _fill(self, start: int) -> None:
        """Show the jobs from `start` on; those before are shown already."""
        rows, now, width = self.query_one(OptionList), datetime.now(UTC), self.size.width
        wide = max(0, min(22, width - 100))
        self.query_one("#head", Static).update(Content.styled(line_of(_TITLES, width, wide), "bold"))
        if not start:
            rows.clear_options()
        lines = (line_of(cells(one, now), width, wide) for one in self._past[start:])
        rows.add_options([Option(Content(line)) for line in lines])
        if self._past and rows.highlighted is None:
            rows.highlighted = 0

    def on_resize(self) -> None:
        """Every row anew."""
        at = self.query_one(OptionList).highlighted
        self._fill(0)
        self.query_one(OptionList).highlighted = at

    # Keys

    def action_history_filter(self) -> None:
        """Type what to look for."""
        self.query_one(LineInput).focus()

    def action_down(self) -> None:
        """One job further down."""
        self.query_one(OptionList).action_cursor_down()

    def action_up(self) -> None:
        """One job further up."""
        self.query_one(OptionList).action_cursor_up()

    def action_history_back(self) -> None:
        """From the filter to the list, from the list to the jobs."""
        if self.query_one(LineInput).has_focus:
            self.query_one(OptionList).focus()
        else:
            self.dismiss(None)
