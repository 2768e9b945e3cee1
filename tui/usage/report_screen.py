"""The screen of what was held and used: a line for each group, the total below."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
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
from backend_client.protocol import JobBackend
from backend_client.text.sanitize import clean
from backend_client.text.usage_report import (
    GROUPS,
    NOTHING,
    PERIODS,
    TITLES,
    cells,
    group_text,
    notes,
    period_words,
    title,
)
from backend_client.usage_report import HasAccounting, ReportQuery, UsageReport
from tui.actions import Place
from tui.bindings import bindings
from tui.session import session_of
from tui.ui.footer import Footer
from tui.ui.format import fit
from tui.ui.rows import Rows
from tui.usage.local_zone import local_zone

_WIDTHS = (8, 8, 6, 10, 8, 8, 6)
_NARROWEST = 14


def format_row(texts: list[str], width: int) -> str:
    """Return one row of `width` cells: the group has what the figures leave."""
    room = max(_NARROWEST, min(40, width - sum(_WIDTHS) - len(_WIDTHS) - 2))
    parts = [fit(text, size, right=True) for text, size in zip(texts[1:], _WIDTHS, strict=True)]
    return " " + " ".join([fit(texts[0], room), *parts])


class ReportScreen(Screen[None]):
    """Asks for a report of a period by a key of groups; the last one stays while another is awaited."""

    CSS_PATH = "report_screen.tcss"
    AUTO_FOCUS = "OptionList"
    where = Place.REPORT
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(Place.REPORT, "screen"),
        Binding("q", "screen.report_back", show=False),
    ]

    @dataclass(eq=False)
    class Loaded(Message):
        """A report, or why there is none."""

        answer: UsageReport | BackendError

    def __init__(self, backend: JobBackend) -> None:
        super().__init__()
        self._backend = cast("HasAccounting", backend)
        self._context_name = backend.context
        self._by, self._days = GROUPS[0], PERIODS[1]
        self._report: UsageReport | None = None
        self._failed: BackendError | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="title")
        yield Static(id="head")
        yield Rows()
        yield Static(id="total")
        yield Static(id="status")
        yield Footer(session_of(self))

    def on_mount(self) -> None:
        self.call_after_refresh(self._ask)

    # What is asked

    def _ask(self) -> None:
        hours = f"GPU-hours of {period_words(self._days)}, by {title(self._by)}"
        words = f" {clean(self._context_name, 40)}  {hours}"
        self.query_one("#title", Static).update(Content.styled(words, "bold"))
        self._show_status("reading ...")
        since = datetime.now(UTC) - timedelta(days=self._days)
        self._read(ReportQuery(by=self._by, since=since, zone=local_zone()))

    @work(exclusive=True, group="report", exit_on_error=False)
    async def _read(self, query: ReportQuery) -> None:
        try:
            answer: UsageReport | BackendError = await self._backend.usage_report(query)
        except BackendError as error:
            answer = error
        self.post_message(self.Loaded(answer))

    def on_report_screen_loaded(self, message: Loaded) -> None:
        """Show the report, or why there is none; what was read before stays."""
        if isinstance(message.answer, BackendError):
            self._failed = message.answer
            self._show_status(str(message.answer), wrong=True)
            session_of(self).login_prompt.ask(message.answer)
            return
        self._failed, self._report = None, message.answer
        self._show()

    def on_screen_resume(self) -> None:
        """Ask again after a login."""
        if isinstance(self._failed, LoginNeeded):
            self._ask()

    # What is shown

    def _show_status(self, words: str, *, wrong: bool = False) -> None:
        status = self.query_one("#status", Static)
        status.set_class(wrong, "wrong")
        status.update(Content(f" {clean(words, 400)}"))

    def _show(self) -> None:
        report, width = self._report, self.size.width
        if report is None:
            return
        head = format_row([title(report.by).upper(), *TITLES], width)
        self.query_one("#head", Static).update(Content.styled(head, "bold"))
        rows = self.query_one(OptionList)
        lines = [[group_text(report.by, row.group), *cells(row)] for row in report.rows]
        rows.clear_options()
        rows.add_options([Option(Content(format_row(line, width))) for line in lines])
        if lines:
            rows.highlighted = 0
        total = format_row(["total", *cells(report.total)], width) if lines else ""
        self.query_one("#total", Static).update(Content(total))
        nothing = "" if lines else NOTHING
        self._show_status(nothing or "; ".join(notes(report)))

    def on_resize(self) -> None:
        """Lay every row out anew."""
        self._show()

    # Keys

    def action_report_group(self) -> None:
        """Put together by the next key."""
        self._by = GROUPS[(GROUPS.index(self._by) + 1) % len(GROUPS)]
        self._ask()

    def action_report_period(self) -> None:
        """Look at the next longer period, and after the longest at the shortest."""
        self._days = PERIODS[(PERIODS.index(self._days) + 1) % len(PERIODS)]
        self._ask()

    def action_report_refresh(self) -> None:
        self._ask()

    def action_report_back(self) -> None:
        self.dismiss(None)
