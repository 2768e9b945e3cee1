"""The detail of one job, live: its spec, its timeline, its attempts, and the reason of its state."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from backend_client.errors import BackendError, Invalid, fragment
from backend_client.models import Event, Job, JobState
from backend_client.models.fields import field_text
from backend_client.protocol import Feature, JobBackend, Verb
from backend_client.spec_file import no_spec, with_changes
from backend_client.text.sanitize import clean
from tui.actions import Action, Place
from tui.bindings import bindings
from tui.jobs.context_feed import ContextFeed, OpenDetail, OpenWhy
from tui.jobs.detail_text import about, describe
from tui.jobs.job_screen import JobScreen
from tui.jobs.receipt_section import ReceiptSection
from tui.jobs.store import Difference
from tui.messages import OpenAlerts, OpenForm
from tui.ui.footer import Footer
from tui.ui.show_text import show_text
from tui.usage.usage_section import UsagePlots, UsageSection

_AGES_EVERY = 20.0
_EDGES = 3
"""Cells of the page that no text is in: its padding, and its scrollbar, which it may have or not."""
_WIDE = 160
"""Cells of a screen from which on there are plots beside the text."""
_RECEIPT_EVERY = 30.0


class DetailScreen(JobScreen):
    """Follows its job while it is open; a job that is gone stays as it was last seen."""

    CSS_PATH = "detail_screen.tcss"
    AUTO_FOCUS = "VerticalScroll"
    where = Place.DETAIL
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(Place.DETAIL, "screen"),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

    @dataclass(eq=False)
    class EventsLoaded(Message):
        """The job's events were read, or why not."""

        events: Sequence[Event]
        trouble: str

    class ReceiptLoaded(Message):
        """The receipt is another one."""

    def __init__(
        self, job: Job, backend: JobBackend, feed: ContextFeed, opener: Callable[[Job], None]
    ) -> None:
        """Show a job. `opener` is told of a job that is made like it."""
        super().__init__()
        self._opener = opener
        self._job = job
        self._backend = backend
        self._feed = feed
        self._events = self.EventsLoaded((), "")
        self._receipt = ReceiptSection(backend)
        self._shown: tuple[Content, ...] | None = None
        self._gone = False
        self._laid_out = 0

    @property
    def backend(self) -> JobBackend:
        return self._backend

    @property
    def job(self) -> Job:
        return self._job

    def label_of(self, action: Action) -> str:
        """Return what the footer calls an action; "" for one that this job, as it is now, has no use for."""
        job, does = self._job, action.handler
        idle = (does == "stop" and job.ended) or (does == "resume" and job.state is not JobState.STOPPED)
        refused = isinstance(action.needs, Verb) and job.refuses(action.needs)
        return "" if idle or refused else action.label

    def created(self, job: Job) -> None:
        """Go back with the new job to where this was opened."""
        if self.is_current:
            self.app.pop_screen()
        self._opener(job)

    def deleted(self) -> None:
        if self.is_current:
            self.app.pop_screen()

    def compose(self) -> ComposeResult:
        yield Static(id="title")
        with Horizontal():
            with VerticalScroll():
                yield Static(id="about")
                yield UsageSection(self._job, self._backend, self._ranks_key)
                yield Static(id="page")
            yield UsagePlots()
        yield Footer(self.session)

    def on_mount(self) -> None:
        self._feed.changed.subscribe(self, self._follow)
        self._job = self._feed.store.jobs.get(self._job.ref.uid, self._job)  # what came while this was opened
        self._show()
        self._read_events()
        self._read_receipt()
        self.set_interval(_AGES_EVERY, self._show_ages)
        self.set_interval(_RECEIPT_EVERY, self._read_receipt)

    def _ranks_key(self) -> str:
        if self.session.permissions.why_not(Feature.RANKS):
            return ""
        return self.session.keys.get("ranks", "R")

    def on_resize(self) -> None:
        """Lay the text out in the room that there is now, and then the plots."""
        if self._room != self._laid_out:
            self._show()
        self.call_after_refresh(self._plot)

    def on_usage_section_history_changed(self) -> None:
        """Plot beside the text what the job has used, where there is room, when the text is painted."""
        self.call_after_refresh(self._plot)

    def _plot(self) -> None:
        """Draw the plots; where they come or go, the text has other room."""
        plots, width = self.query_one(UsagePlots), self.size.width
        history = self.query_one(UsageSection).history if width >= _WIDE else None
        before = plots.display
        plots.draw(history, width // 2 - 2, self.size.height - 3)
        if plots.display != before:
            self._show()

    @property
    def _room(self) -> int:
        """The cells of a line of the text; told by the screen, as the page has its size too late."""
        plotted = self.query_one(UsagePlots).display
        return (self.size.width // 2 if plotted else self.size.width) - _EDGES

    def _follow(self, difference: Difference) -> None:
        uid = self._job.ref.uid
        if uid in difference.removed:
            self._gone = True
            self.query_one(UsageSection).follow(self._job, gone=True)
            self._show()
        elif uid in difference.changed:
            self._job = self._feed.store.jobs.get(uid, self._job)
            self.query_one(UsageSection).follow(self._job)
            self._show()
            if difference.states_changed:
                self.query_one(Footer).refresh()
                self._read_events()
                self._read_receipt()

    @work(exclusive=True, group="events", exit_on_error=False)
    async def _read_events(self) -> None:
        try:
            self.post_message(self.EventsLoaded(await self._backend.events(self._job.ref), ""))
        except BackendError as error:
            self.post_message(self.EventsLoaded((), fragment(str(error))))

    @work(exclusive=True, group="receipt", exit_on_error=False)
    async def _read_receipt(self) -> None:
        if not self._receipt.is_settled and await self._receipt.read(self._job):
            self.post_message(self.ReceiptLoaded())

    def on_detail_screen_receipt_loaded(self) -> None:
        """Draw the page with the receipt that was read."""
        self._show()

    def on_detail_screen_events_loaded(self, message: EventsLoaded) -> None:
        """Draw the page with the events that were read."""
        self._events = message
        self._show()

    def _show(self) -> None:
        style = self._job.state.style
        state = "deleted" if self._gone else self._job.state.value
        title = Content.assemble((f" {clean(self._job.name, 80)}", "bold"), f"  {style.symbol} {state}")
        room = self._laid_out = self._room
        above = about(self._job, "" if self._gone else self.session.keys.get("detail_why", "w"), room)
        page = describe(
            self._job,
            self._events.events,
            self._events.trouble,
            room,
            receipt=self._receipt.lines(self._advice_key(), room),
        )
        self.query_one(UsageSection).lay_out(room)
        if self._shown != (title, above, page):
            self._shown = title, above, page
            for name, content in (("#title", title), ("#about", above), ("#page", page)):
                show_text(self.query_one(name, Static), content)
            self.query_one("#about").display = bool(above.plain)

    def _show_ages(self) -> None:
        """Show all ages as they are now."""
        self.query_one(UsageSection).draw()
        self._show()

    def _advice_key(self) -> str:
        can = not self.session.read_only and not no_spec(self._job)
        return self.session.keys.get("advice", "1") if can else ""

    def action_advice(self) -> None:
        """Open the form, filled in like the job, with the change that its receipt advises marked."""
        if self.blocked(Verb.CREATE) or self._not_of_a_spec(self._job):
            return
        found = self._receipt.receipt
        changes = found.advice.changes if found and found.advice else {}
        if not changes:
            self.app.notify("Nothing is advised.")
            return
        spec = self._job.spec
        try:
            changed = with_changes(spec, changes)
        except Invalid as error:
            self._show_failure(f"{clean(self._job.name)} cannot be changed like this", error)
            return
        before = {name: field_text(name, getattr(spec, name)) for name in changes}
        self.session.request(OpenForm(self._backend, changed, self.created, before))

    def action_scroll(self, lines: int) -> None:
        """Scroll the page by some lines."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_why(self) -> None:
        self.session.request(OpenWhy(self._job, self._backend, self._feed, self.created))

    def action_alerts(self) -> None:
        """Open the alerts, at those of this job."""
        alerts, jobs = self._feed.alerts, self._feed.store.jobs
        if alerts.source:
            self.session.request(
                OpenAlerts(
                    alerts.source, self._backend, jobs, self._open_job, alerts.recount, self._job.ref.uid
                )
            )

    def _open_job(self, job: Job) -> None:
        self.session.request(OpenDetail(job, self._backend, self._feed, self.created))

    def action_detail_back(self) -> None:
        self.app.pop_screen()
