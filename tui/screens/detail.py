"""Everything about one job, live: what was asked, what happened, why it is as it is."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.signal import Signal
from textual.widgets import Static

from backend_client.errors import BackendError
from backend_client.models import Event, Job
from backend_client.protocol import JobBackend
from tui.actions import Where
from tui.acts import JobScreen
from tui.bindings import bindings
from tui.columns import fit, loss_text, node_of, progress_text
from tui.store import Difference, Store
from tui.story import asked, command_line, how_ended, timeline
from tui.terminal import clean
from tui.widgets.footer import Footer


def _moment(time: datetime | None) -> str:
    return time.astimezone().strftime("%d %b %H:%M:%S") if time else ""


def _heading(words: str) -> Content:
    return Content.styled(f"\n{words}", "bold $primary")


def _fields(pairs: Iterable[tuple[str, str]]) -> list[Content]:
    return [Content.assemble((fit(name, 14), "$text-muted"), value) for name, value in pairs if value]


def _attempts(job: Job) -> list[Content]:
    if not job.attempts:
        return []
    lines = [
        _heading("Attempts"),
        Content.styled("  #  rank  started          ended            end        where", "$text-muted"),
    ]
    for one in job.attempts:
        where = clean(one.pod or one.node, 60) + (f" pid {one.pid}" if one.pid else "")
        times = f"{_moment(one.started):15}  {_moment(one.finished):15}"
        lines.append(Content(f"{one.number:>3}  {one.rank:>4}  {times}  {how_ended(one):9}  {where}"))
    return lines


def describe(job: Job, events: Sequence[Event], trouble: str = "") -> Content:
    """The whole page. `trouble`: why the events are not known."""
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
    about += [("restarts", str(job.restarts or "")), ("next try", _moment(job.next_try))]
    about += [("url", clean(url)) for url in job.urls] + [("look only", clean(job.read_only))]
    lines = [*_fields(about), _heading("Command"), Content(command_line(job.spec))]
    lines += [_heading("What was asked"), *_fields(asked(job.spec))] if asked(job.spec) else []
    lines.append(_heading("What happened"))
    for moment in timeline(job, events):
        style = "$warning" if moment.warning else ""
        lines.append(Content.assemble((f"{_moment(moment.time)}  ", "$text-muted"), (moment.words, style)))
    if trouble:
        lines.append(Content.styled(f"its events cannot be read: {clean(trouble)}", "$warning"))
    return Content("\n").join([*lines, *_attempts(job)])


class DetailScreen(JobScreen):
    """Follows its job while it is open; keeps showing the last that was known when the job is gone."""

    CSS_PATH = "detail.tcss"
    AUTO_FOCUS = "VerticalScroll"
    where = Where.DETAIL
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(Where.DETAIL, "screen"),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

    class Told(Message):
        """The job's events were read, or why not."""

        def __init__(self, events: Sequence[Event], trouble: str) -> None:
            super().__init__()
            self.events = events
            self.trouble = trouble

    def __init__(self, job: Job, backend: JobBackend, store: Store, changed: Signal[Difference]) -> None:
        super().__init__()
        self.backend = self._source = backend
        self._job = job
        self._store = store
        self._changed = changed
        self._told = self.Told((), "")
        self._gone = False

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
        yield Footer()

    def on_mount(self) -> None:
        self._changed.subscribe(self, self._follow)
        self._show()
        self._read_events()

    def _follow(self, difference: Difference) -> None:
        uid = self._job.ref.uid
        if uid in difference.removed:
            self._gone = True
            self._show()
        elif uid in difference.changed:
            self._job = self._store.jobs.get(uid, self._job)
            self._show()
            if difference.states:
                self._read_events()

    @work(exclusive=True, group="events", exit_on_error=False)
    async def _read_events(self) -> None:
        try:
            self.post_message(self.Told(await self._source.events(self._job.ref), ""))
        except BackendError as error:
            self.post_message(self.Told((), str(error)))

    def on_detail_screen_told(self, message: Told) -> None:
        """Tell the story anew."""
        self._told = message
        self._show()

    def _show(self) -> None:
        look = self._job.state.look
        state = "deleted" if self._gone else self._job.state.value
        title = Content.assemble((f" {clean(self._job.name, 80)}", "bold"), f"  {look.symbol} {state}")
        self.query_one("#title", Static).update(title)
        self.query_one("#page", Static).update(describe(self._job, self._told.events, self._told.trouble))

    def action_scroll(self, lines: int) -> None:
        """Scroll by lines."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_detail_back(self) -> None:
        self.app.pop_screen()

    def action_detail_log(self) -> None:
        self.action_log()

    def action_detail_yaml(self) -> None:
        self.action_yaml()

    def action_detail_again(self) -> None:
        self.action_again()

    def action_detail_resume(self) -> None:
        self.action_resume()

    def action_detail_as_job(self) -> None:
        self.action_as_job()

    def action_detail_stop(self) -> None:
        self.action_stop()

    def action_detail_delete(self) -> None:
        self.action_delete()
