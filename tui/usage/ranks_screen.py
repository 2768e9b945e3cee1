"""The ranks of one job side by side, live: steps and silence from its log, use where the context tells it."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from backend_client.errors import BackendError, fragment
from backend_client.logs import follow
from backend_client.models import Job
from backend_client.progress.rank_pace import KEPT, RankPaces
from backend_client.progress.rank_table import HISTORY
from backend_client.progress.slow_rank import slow_rank
from backend_client.protocol import Feature, JobBackend, Lines, LogQuery
from backend_client.usage import HasUsage, Usage, UsageHistory
from tui.actions import Place
from tui.bindings import bindings
from tui.session import session_of
from tui.ui.footer import Footer
from tui.ui.sanitize import clean
from tui.usage.ranks_text import HEAD, rank_line, rank_rows_of, slow_words

_DRAW_SECONDS = 2.0
_USAGE_SECONDS = 30.0


class RanksScreen(Screen[None]):
    """Follows the log of all ranks for as long as it is open."""

    CSS_PATH = "ranks_screen.tcss"
    AUTO_FOCUS = "VerticalScroll"
    where = Place.RANKS
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Place.RANKS, "screen")]

    @dataclass(eq=False)
    class UsageRead(Message):
        """What the ranks use now, and have used; or why that is not known."""

        usage: Usage | None = None
        history: UsageHistory | None = None
        trouble: str = ""

    @dataclass(eq=False)
    class LogEnded(Message):
        """There will be no more lines, and why."""

        why: str

    def __init__(self, job: Job, backend: JobBackend) -> None:
        super().__init__()
        self._job, self._backend = job, backend
        self._paces = RankPaces()
        self._usage: Usage | None = None
        self._history: UsageHistory | None = None
        self._trouble = ""
        self._end = ""
        self._shown: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        yield Static(id="title")
        yield Static(id="slow")
        with VerticalScroll():
            yield Static(Content(" Reading the logs ..."), id="rows")
        yield Static(id="status")
        yield Footer(session_of(self))

    def on_mount(self) -> None:
        self._read_log()
        if isinstance(self._backend, HasUsage) and Feature.METRICS in self._backend.features:
            self._read_usage(self._backend)
        else:
            self._trouble = self._backend.missing_features.get(Feature.METRICS, "")
        self.set_interval(_DRAW_SECONDS, self._draw)

    @work(exclusive=True, group="log", exit_on_error=False)
    async def _read_log(self) -> None:
        query = LogQuery(ref=self._job.ref, follow=True, tail=KEPT)
        try:
            login = session_of(self).login_prompt.wait_for_login
            async with aclosing(follow(self._backend, query, login=login)) as batches:
                async for items in batches:
                    for batch in items:
                        if isinstance(batch, Lines):
                            self._paces.feed(batch)
                            await asyncio.sleep(0)
            self.post_message(self.LogEnded("ended"))
        except BackendError as error:
            self.post_message(self.LogEnded(str(error)))

    @work(exclusive=True, group="usage", exit_on_error=False)
    async def _read_usage(self, backend: HasUsage) -> None:
        while True:
            try:
                usage = await backend.usage(self._job.ref)
                history = await backend.usage_history(self._job.ref, datetime.now(UTC) - HISTORY)
            except BackendError as error:
                self.post_message(self.UsageRead(trouble=fragment(error.title)))
            else:
                self.post_message(self.UsageRead(usage, history))
            await asyncio.sleep(_USAGE_SECONDS)

    def on_ranks_screen_usage_read(self, message: UsageRead) -> None:
        """Show what the ranks use; figures that cannot be read any more are taken away, not kept."""
        self._usage, self._history, self._trouble = message.usage, message.history, message.trouble
        self._draw()

    def on_ranks_screen_log_ended(self, message: LogEnded) -> None:
        """Say why no more lines come."""
        self._end = message.why
        self._draw()

    def on_resize(self) -> None:
        """Lay the rows out anew."""
        self._draw()

    def _draw(self) -> None:
        paces = self._paces.ranks
        slow = slow_rank(paces.values(), self._history)
        rows = rank_rows_of(self._job, paces, self._usage, datetime.now(UTC))
        width = self.size.width
        lines = [
            rank_line(HEAD, width),
            *(rank_line(row, width, slow=slow is not None and row.rank == slow.rank) for row in rows),
        ]
        words, status = slow_words(slow, self._job), self._status()
        if (shown := (lines, words, status)) == self._shown:
            return
        self._shown = shown
        title = f" {clean(self._job.name, 60)}  {len(rows)} rank{'s' * (len(rows) != 1)}"
        self.query_one("#title", Static).update(Content.styled(title, "bold"))
        self.query_one("#slow", Static).update(Content.styled(f" {words}" if words else "", "$warning"))
        content = Content("\n").join([Content.styled(lines[0], "bold $text-muted"), *map(Content, lines[1:])])
        self.query_one("#rows", Static).update(content)
        self.query_one("#status", Static).update(Content(f" {status}" if status else ""))

    def _status(self) -> str:
        missing = [source.missing for source in self._usage.sources if source.missing] if self._usage else []
        return clean("; ".join(filter(None, (self._end, self._trouble, *missing))), 300)

    def action_ranks_back(self) -> None:
        """Go back to the screen before."""
        self.dismiss()
