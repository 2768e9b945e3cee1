"""The detail of one job, live: its spec, its timeline, its attempts, and the reason of its state."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from backend_client.errors import BackendError, Invalid, fragment
from backend_client.models import Attempt, Event, Job
from backend_client.models.fields import field_text
from backend_client.protocol import Feature, JobBackend, Verb
from tui.actions import Place
from tui.bindings import bindings
from tui.form.spec_file import no_spec, with_changes
from tui.jobs.attempt_table import group_attempts, side_by_side, state_durations
from tui.jobs.columns import node_of
from tui.jobs.context_feed import ContextFeed, OpenDetail, OpenWhy
from tui.jobs.job_screen import JobScreen
from tui.jobs.receipt_section import ReceiptSection
from tui.jobs.store import Difference
from tui.jobs.timeline import command_line, exit_text, spec_fields_text, timeline
from tui.messages import OpenAlerts, OpenForm
from tui.ui.footer import Footer
from tui.ui.format import fit, loss_text, progress_text, short_local_time, starts_text
from tui.ui.sanitize import clean
from tui.usage.usage_section import UsagePlots, UsageSection

_AGES_EVERY = 20.0
_EDGES = 3
"""Cells of the page that no text is in: its padding, and its scrollbar where it has one."""
_WIDE = 160
"""Cells of a screen from which on there are plots beside the text."""
_RECEIPT_EVERY = 30.0


def _heading(words: str) -> Content:
    return Content.styled(f"\n{words}", "bold $primary")


def _fields(pairs: Iterable[tuple[str, str]]) -> list[Content]:
    return [Content.assemble((fit(name, 14), "$text-muted"), value) for name, value in pairs if value]


def _attempts(job: Job, width: int) -> list[Content]:
    if not job.attempts:
        return []
    lines = [_heading("Attempts"), *map(Content, side_by_side(job, width))]
    last = group_attempts(job)[-1]
    if len(last.ranks) > 1:
        lines += [_heading(f"Ranks of attempt {last.number}"), *map(_rank, last.ranks)]
    return lines


def _rank(rank: Attempt) -> Content:
    where = clean(rank.pod or rank.node, 60) + (f" pid {rank.pid}" if rank.pid else "")
    times = f"{short_local_time(rank.started):15}  {short_local_time(rank.finished):15}"
    return Content(f"{rank.rank:>4}  {times}  {exit_text(rank):9}  {where}")


def about(job: Job, why_key: str = "") -> Content:
    """Return what stands above all: how the job stands. `why_key`: the key that says more of the reason."""
    far = (
        "  loss ".join(filter(None, (progress_text(job.progress), loss_text(job.progress.loss))))
        if job.progress
        else ""
    )
    pairs = [
        ("reason", clean(job.reason) + (f"  ({why_key} says more)" if job.reason and why_key else "")),
        ("starts", starts_text(job.queue.starts) if job.queue else ""),
        ("progress", far),
        ("owner", clean(job.owner)),
        ("node", node_of(job)),
    ]
    pairs += [("restarts", str(job.restarts or "")), ("next try", short_local_time(job.next_try))]
    pairs += [("url", clean(url)) for url in job.urls]
    pairs += [("in cluster", clean(address)) for address in job.internal_addresses] + [
        ("look only", clean(job.read_only))
    ]
    return Content("\n").join(_fields(pairs))


def describe(
    job: Job,
    events: Sequence[Event],
    trouble: str = "",
    width: int = 76,
    *,
    receipt: Sequence[Content] = (),
) -> Content:
    """Return the rest of the page, laid out for `width` cells.

    `trouble`: why the events are not known; `receipt`: the lines of what the job has cost.
    """
    lines = [_heading("Command"), Content(command_line(job.spec))]
    if fields := spec_fields_text(job.spec):
        lines += [_heading("What was asked"), *_fields(fields)]
    lines += receipt
    lines += [_heading("Time in each state"), *_fields(state_durations(job, datetime.now(UTC)))]
    lines.append(_heading("What happened"))
    for event in timeline(job, events):
        style = "$warning" if event.warning else ""
        lines.append(
            Content.assemble((f"{short_local_time(event.time)}  ", "$text-muted"), (event.text, style))
        )
    if trouble:
        lines.append(Content.styled(f"its events cannot be read: {clean(trouble)}", "$warning"))
    return Content("\n").join([*lines, *_attempts(job, width)])


class Page(VerticalScroll):
    """The text, beside the plots."""

    class Resized(Message):
        """There is other room for the text than before."""

    def on_resize(self) -> None:
        """Tell the screen, which lays the text out."""
        self.post_message(self.Resized())


class DetailScreen(JobScreen):
    """Follows its job while it is open; a job that is gone stays as it was last seen."""

    CSS_PATH = "detail_screen.tcss"
    AUTO_FOCUS = "Page"
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

    @property
    def backend(self) -> JobBackend:
        return self._backend

    @property
    def job(self) -> Job:
        return self._job

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
            with Page():
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
        self.call_after_refresh(self._read_receipt)  # what grows before the first layout is not laid out anew
        self.set_interval(_AGES_EVERY, self._show)
        self.set_interval(_RECEIPT_EVERY, self._read_receipt)

    def _ranks_key(self) -> str:
        if self.session.permissions.why_not(Feature.RANKS):
            return ""
        return self.session.keys.get("ranks", "R")

    def on_resize(self) -> None:
        self._plot()

    def on_page_resized(self) -> None:
        """Lay the text out in the room that it has now."""
        self._show()

    def on_usage_section_history_changed(self) -> None:
        """Plot beside the text what the job has used, where there is room, when the text is painted."""
        self.call_after_refresh(self._plot)

    def _plot(self) -> None:
        width = self.size.width if self.size.width >= _WIDE else 0
        history = self.query_one(UsageSection).history
        self.query_one(UsagePlots).draw(history, width // 2 - 2, self.size.height - 3)

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
        room = self.query_one(Page).scrollable_content_region.width
        above = about(self._job, "" if self._gone else self.session.keys.get("detail_why", "w"))
        page = describe(
            self._job,
            self._events.events,
            self._events.trouble,
            room or self.size.width - 3,
            receipt=self._receipt.lines(_heading, self._advice_key()),
        )
        self.query_one(UsageSection).draw((self.query_one(Page).outer_size.width or self.size.width) - _EDGES)
        if self._shown != (title, above, page):
            self._shown = title, above, page
            for name, content in (("#title", title), ("#about", above), ("#page", page)):
                self.query_one(name, Static).update(content)
            self.query_one("#about").display = bool(above.plain)

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
        self.query_one(Page).scroll_relative(y=lines, animate=False)

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
