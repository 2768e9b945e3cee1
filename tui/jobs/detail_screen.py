"""The detail of one job, live: its spec, its timeline, its attempts, and the reason of its state."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from backend_client.errors import BackendError, fragment
from backend_client.models import Attempt, Event, Job
from backend_client.protocol import JobBackend
from tui.actions import Place
from tui.bindings import bindings
from tui.jobs.attempt_table import group_attempts, side_by_side, state_durations
from tui.jobs.columns import node_of
from tui.jobs.context_feed import ContextFeed
from tui.jobs.job_screen import JobScreen
from tui.jobs.store import Difference
from tui.jobs.timeline import command_line, exit_text, spec_fields_text, timeline
from tui.ui.footer import Footer
from tui.ui.format import fit, loss_text, progress_text, short_local_time
from tui.ui.sanitize import clean

_AGES_EVERY = 20.0


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


def describe(job: Job, events: Sequence[Event], trouble: str = "", width: int = 76) -> Content:
    """Return the whole page, laid out for `width` cells. `trouble`: why the events are not known."""
    far = (
        "  loss ".join(filter(None, (progress_text(job.progress), loss_text(job.progress.loss))))
        if job.progress
        else ""
    )
    about = [
        ("reason", clean(job.reason)),
        ("progress", far),
        ("owner", clean(job.owner)),
        ("node", node_of(job)),
    ]
    about += [("restarts", str(job.restarts or "")), ("next try", short_local_time(job.next_try))]
    about += [("url", clean(url)) for url in job.urls] + [("look only", clean(job.read_only))]
    lines = [*_fields(about), _heading("Command"), Content(command_line(job.spec))]
    if fields := spec_fields_text(job.spec):
        lines += [_heading("What was asked"), *_fields(fields)]
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

    def __init__(self, job: Job, backend: JobBackend, feed: ContextFeed) -> None:
        super().__init__()
        self._job = job
        self._backend = backend
        self._feed = feed
        self._events = self.EventsLoaded((), "")
        self._shown: tuple[Content, Content] | None = None
        self._gone = False

    @property
    def backend(self) -> JobBackend:
        return self._backend

    @property
    def job(self) -> Job:
        return self._job

    def deleted(self) -> None:
        if self.is_current:
            self.app.pop_screen()

    def compose(self) -> ComposeResult:
        yield Static(id="title")
        with VerticalScroll():
            yield Static(id="page")
        yield Footer(self.session)

    def on_mount(self) -> None:
        self._feed.changed.subscribe(self, self._follow)
        self._show()
        self._read_events()
        self.set_interval(_AGES_EVERY, self._show)

    def on_resize(self) -> None:
        self._show()

    def _follow(self, difference: Difference) -> None:
        uid = self._job.ref.uid
        if uid in difference.removed:
            self._gone = True
            self._show()
        elif uid in difference.changed:
            self._job = self._feed.store.jobs.get(uid, self._job)
            self._show()
            if difference.states_changed:
                self._read_events()

    @work(exclusive=True, group="events", exit_on_error=False)
    async def _read_events(self) -> None:
        try:
            self.post_message(self.EventsLoaded(await self._backend.events(self._job.ref), ""))
        except BackendError as error:
            self.post_message(self.EventsLoaded((), fragment(str(error))))

    def on_detail_screen_events_loaded(self, message: EventsLoaded) -> None:
        """Draw the page with the events that were read."""
        self._events = message
        self._show()

    def _show(self) -> None:
        style = self._job.state.style
        state = "deleted" if self._gone else self._job.state.value
        title = Content.assemble((f" {clean(self._job.name, 80)}", "bold"), f"  {style.symbol} {state}")
        room = self.query_one(VerticalScroll).scrollable_content_region.width
        page = describe(self._job, self._events.events, self._events.trouble, room or self.size.width - 3)
        if self._shown != (title, page):
            self._shown = title, page
            self.query_one("#title", Static).update(title)
            self.query_one("#page", Static).update(page)

    def action_scroll(self, lines: int) -> None:
        """Scroll the page by some lines."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_detail_back(self) -> None:
        self.app.pop_screen()
