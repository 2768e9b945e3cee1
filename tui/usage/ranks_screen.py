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

from backend_client.errors import BackendError
from backend_client.job_use import measuring
from backend_client.logs import follow_lines
from backend_client.models import Job
from backend_client.progress.rank_pace import KEPT, RankPaces
from backend_client.progress.rank_table import put_together
from backend_client.protocol import Feature, JobBackend, LogQuery, Verb
from backend_client.text.ranks import rank_rows_of, slow_words
from backend_client.text.sanitize import clean
from backend_client.text.usage import source_lines
from backend_client.usage import HasUsage
from backend_client.usage_reading import EVERY, Reading, read_anew
from tui.actions import Place
from tui.bindings import bindings
from tui.messages import OpenShell
from tui.session import Guarded, session_of
from tui.ui.footer import Footer
from tui.usage.ranks_text import HEAD, rank_line

_DRAW_SECONDS = 2.0


class RanksScreen(Screen[None], Guarded):
    """Follows the log of all ranks for as long as it is open."""

    CSS_PATH = "ranks_screen.tcss"
    AUTO_FOCUS = "VerticalScroll"
    where = Place.RANKS
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Place.RANKS, "screen")]

    @dataclass(eq=False)
    class UsageRead(Message):
        """What is known now of what the ranks use, and have used."""

        reading: Reading

    @dataclass(eq=False)
    class LogEnded(Message):
        """There will be no more lines, and why."""

        why: str

    def __init__(self, job: Job, backend: JobBackend) -> None:
        super().__init__()
        self._job, self._backend = job, backend
        self._paces = RankPaces()
        self._reading = Reading()
        self._sources = ""
        """Who tells what they use, how old that was when it was read, and what is not known."""
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
        if backend := measuring(self._backend):
            self._read_usage(backend)
        else:
            self._sources = self._backend.missing_features.get(Feature.METRICS, "")
        self.set_interval(_DRAW_SECONDS, self._draw)

    @work(exclusive=True, group="log", exit_on_error=False)
    async def _read_log(self) -> None:
        query = LogQuery(ref=self._job.ref, follow=True, tail=KEPT)
        try:
            login = session_of(self).login_prompt.wait_for_login
            async with aclosing(follow_lines(self._backend, query, login=login)) as batches:
                async for batch in batches:
                    self._paces.feed(batch)
                    await asyncio.sleep(0)
            self.post_message(self.LogEnded("ended"))
        except BackendError as error:
            self.post_message(self.LogEnded(str(error)))

    @work(exclusive=True, group="usage", exit_on_error=False)
    async def _read_usage(self, backend: HasUsage) -> None:
        while True:
            self.post_message(self.UsageRead(await read_anew(self._reading, backend, self._job)))
            if self._job.ended:
                return
            await asyncio.sleep(EVERY)

    def on_ranks_screen_usage_read(self, message: UsageRead) -> None:
        """Show what the ranks use, and how old it is; ages go on with the next reading."""
        self._reading = message.reading
        self._sources = "; ".join(line.text for line in source_lines(self._reading, datetime.now(UTC)))
        self._draw()

    def on_ranks_screen_log_ended(self, message: LogEnded) -> None:
        """Say why no more lines come."""
        self._end = message.why
        self._draw()

    def on_resize(self) -> None:
        """Lay the rows out anew."""
        self._draw()

    def _draw(self) -> None:
        table = put_together(self._paces, self._reading.usage, self._reading.history)
        slow, rows = table.slow, rank_rows_of(self._job, table, datetime.now(UTC))
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
        return clean("; ".join(filter(None, (self._end, self._sources))), 300)

    def action_shell(self) -> None:
        """Open a shell in one of the ranks; say why not where that is not possible."""
        if why := self.session.permissions.why_not(Verb.EXEC):
            self.notify(why)
        else:
            self.session.request(OpenShell(self._job))

    def action_ranks_back(self) -> None:
        """Go back to the screen before."""
        self.dismiss()
