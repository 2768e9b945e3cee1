"""The main screen: the jobs of one context, and the log of the job under the cursor."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from textual import work
from textual.app import ComposeResult
from textual.message import Message
from textual.signal import Signal
from textual.timer import Timer

from backend_client.errors import BackendError
from backend_client.models import Job, JobRef
from backend_client.protocol import Capacity, Feature, Freshness, FreshnessState, Use, Verb
from tui.jobs.bulk_actions import SelectionScreen, names
from tui.jobs.filter_line import FilterLine
from tui.jobs.header import Header
from tui.jobs.job_list import JobList
from tui.jobs.rows import Order
from tui.jobs.store import Difference, JobStore
from tui.jobs.watched import WatchedJobs
from tui.log.tiles import LogTiles
from tui.messages import SendToTerminal
from tui.ui.footer import Footer
from tui.ui.notify import bell_and_notification
from tui.ui.sanitize import clean

_CAPACITY_EVERY = 2.0
_RETRY_AT_MOST = 60.0
_LOOK_AFTER = 0.3
"""Seconds from a change of the rows on the screen until its context is told: scrolling changes many."""
_FRAME = 0.002
"""Seconds in which the thread that writes to the terminal gets the first frame out, undisturbed."""


class MainScreen(SelectionScreen):
    """Opens its context after the first frame; whatever happens to the network, what was seen stays."""

    AUTO_FOCUS = "JobList"

    class Counted(Message):
        """GPUs were counted."""

        def __init__(self, capacity: Capacity) -> None:
            super().__init__()
            self.capacity = capacity

    def __init__(self, context: str) -> None:
        super().__init__()
        self.context = context
        self.store = JobStore()
        self.watched = WatchedJobs(self.session.watched[context])
        self.changed: Signal[Difference] = Signal(self, "changed")
        """Published when the store has changed, on the screen's own time."""
        self._flush_timer: Timer | None = None
        self._flushed = 0.0
        self._counted = 0.0
        self._count_timer: Timer | None = None
        self._look_timer: Timer | None = None
        self._looked_at: set[JobRef] = set()

    @property
    def job(self) -> Job | None:
        return self.query_one(JobList).job

    @property
    def marked(self) -> list[Job]:
        return self.query_one(JobList).marked

    def drop_marks(self) -> None:
        self.query_one(JobList).drop_marks()
        self._note()

    def compose(self) -> ComposeResult:
        yield Header(self.context, read_only=self.session.read_only)
        shown, everywhere = self.session.settings.list, self.session.all_namespaces
        yield JobList(self.store, self._nothing, shown, self.watched, all_namespaces=everywhere)
        yield FilterLine()
        yield LogTiles(self.context)
        yield Footer(self.session)

    def on_mount(self) -> None:
        self.call_after_refresh(self._follow)

    def created(self, job: Job) -> None:
        self.query_one(JobList).point(job.ref.uid)

    # What the backend says

    @work(exclusive=True, group="watch", exit_on_error=False)
    async def _follow(self) -> None:
        """Open the context and watch it; a fault is said and tried again, for ever."""
        await asyncio.sleep(_FRAME)
        wait = 1.0
        while True:
            try:
                if self.backend is None:
                    self.backend = self.session.contexts.open(self.context)
                    self.session.use_backend(self.backend)
                self._count()
                async for events in self.backend.watch([self.session.scope(self.backend)]):
                    wait = 1.0
                    self.store.apply(events)
                    self._flush_soon()
            except BackendError as error:
                self.store.apply([self._broken(error)])
                self._flush_soon()
                if await self.session.login_prompt.wait_for_login(error):
                    continue
            await asyncio.sleep(wait)
            wait = min(_RETRY_AT_MOST, 2 * wait)

    def _place(self) -> str:
        """Context and namespace, as far as there are any."""
        namespace = self.session.scope(self.backend).namespace if self.backend else ""
        if self.session.all_namespaces and self.backend and Feature.NAMESPACES in self.backend.features:
            namespace = "all namespaces"
        return f"{self.context}/{namespace}" if namespace else self.context

    def _broken(self, error: BackendError) -> Freshness:
        old = self.store.link
        since = old.since if old and old.state is not FreshnessState.LIVE else datetime.now(UTC)
        return Freshness(FreshnessState.STALE, since, str(error))

    @property
    def _is_leaving(self) -> bool:
        """Another context was chosen: what is drawn has gone, and what was on its way still comes."""
        return self not in self.app.screen_stack

    def _flush_soon(self) -> None:
        """Show what has come: at once where it was quiet, else at the next tick."""
        if self._flush_timer is None:
            due = self._flushed + self.session.tick - time.monotonic()
            self._flush_timer = self.set_timer(max(0.001, due), self._flush)

    def _flush(self) -> None:
        self._flush_timer = None
        self._flushed = time.monotonic()
        difference = self.store.take()
        if not difference or self._is_leaving:
            return
        self.query_one(JobList).update(difference)
        if self.backend:
            self.query_one(LogTiles).update(self.store.jobs, self.backend, synced=self.store.synced)
        self._note()
        self._tell_ends()
        if difference.link and self.store.link and self.store.link.state is FreshnessState.LIVE:
            self.session.login_prompt.login_ok()
            self.session.recheck_permissions()
        header = self.query_one(Header)
        header.link, header.place = self.store.link, self._place()
        self.changed.publish(difference)
        if difference.states:
            self._count()

    def _count(self) -> None:
        """Count the free GPUs, now or when the last count is old enough."""
        if self._count_timer is None:
            due = self._counted + _CAPACITY_EVERY - time.monotonic()
            self._count_timer = self.set_timer(max(0.001, due), self._ask_capacity)

    @work(exclusive=True, group="capacity", exit_on_error=False)
    async def _ask_capacity(self) -> None:
        self._count_timer = None
        self._counted = time.monotonic()
        if self.backend:
            try:
                capacity = await self.backend.capacity(self.session.scope(self.backend))
            except BackendError as error:
                capacity = Capacity(unknown_because=str(error))
            self.post_message(self.Counted(capacity))

    def on_main_screen_counted(self, message: Counted) -> None:
        """Show the figures."""
        if not self._is_leaving:
            self.query_one(Header).capacity = message.capacity

    # What the person does

    def on_job_list_showing(self) -> None:
        """Tell the context which jobs are looked at, soon."""
        if self._look_timer is None:
            self._look_timer = self.set_timer(_LOOK_AFTER, self._look)

    @work(exclusive=True, group="look", exit_on_error=False)
    async def _look(self) -> None:
        self._look_timer = None
        refs = [job.ref for job in self.query_one(JobList).on_screen]
        if self.backend and set(refs) != self._looked_at:
            self._looked_at = set(refs)
            await self.backend.set_visible_jobs(refs)

    def _nothing(self) -> str:
        if self.store.jobs:
            return f"None of {len(self.store.jobs)} jobs has these words. Escape in the filter shows all."
        link = self.store.link
        if link and link.state is not FreshnessState.LIVE:
            return f"The jobs of {clean(self.context)} cannot be read: {link.why or link.state}"
        if not self.store.synced:
            return f"Reading the jobs of {clean(self.context)} ..."
        if self.session.read_only or self.session.permissions.why_not(Verb.CREATE):
            return "No jobs yet."
        example = self.backend and self.backend.fields["image"].use is Use.REFUSED
        return f"No jobs yet. n makes one{'; the example trains in a minute' if example else ''}."

    def on_job_list_pointed(self) -> None:
        """The log follows the cursor, when the list is painted."""
        self.call_after_refresh(self._show_log)

    def _show_log(self) -> None:
        if self.backend and not self._is_leaving:
            self.query_one(LogTiles).show(self.job, self.backend)

    def on_filter_line_typed(self, message: FilterLine.Typed) -> None:
        """The list follows the typing."""
        self.query_one(JobList).set_filter(message.text)
        self._note()

    def on_filter_line_left(self) -> None:
        """Back to the list."""
        self.query_one(JobList).focus()

    def on_log_pane_back(self) -> None:
        """From the log to the list."""
        self.query_one(JobList).focus()

    def _note(self) -> None:
        jobs = self.query_one(JobList)
        rows, marks = jobs.rows, len(jobs.marked)
        shown = f"{len(rows)} of {len(self.store.jobs)} jobs" if rows.words else ""
        order = str(rows.order) if rows.order is not Order.ATTENTION else ""
        marked = f"{marks} marked" if marks else ""
        self.query_one(Header).status = ", ".join(filter(None, (marked, shown, order)))

    def _tell_ends(self) -> None:
        """Say which watched jobs have ended, aloud."""
        told = self.watched.take_ended(self.store)
        for words in told:
            self.app.notify(words, timeout=60)
        if told:
            self.query_one(JobList).show_flags()
            self._call(told)

    @work(group="call", exit_on_error=False)
    async def _call(self, told: Sequence[str]) -> None:
        more = f", and {len(told) - 1} more" if len(told) > 1 else ""
        self.session.request(SendToTerminal(await bell_and_notification(f"{told[0]}{more}")))

    def action_tile(self) -> None:
        if self.job and self.backend:
            self.query_one(LogTiles).toggle(self.job, self.backend)

    def action_filter(self) -> None:
        self.query_one(FilterLine).open()

    def action_order(self) -> None:
        rows = self.query_one(JobList)
        rows.set_order(rows.rows.order.following)
        self._note()

    def action_group(self) -> None:
        rows = self.query_one(JobList)
        rows.set_group(rows.rows.group.following)

    def action_mark(self) -> None:
        self.query_one(JobList).toggle_mark()
        self._note()

    def action_unmark(self) -> None:
        self.drop_marks()

    def action_watch(self) -> None:
        meant = self.marked or ([self.job] if self.job else [])
        jobs = [job for job in meant if not job.ended]
        if jobs:
            watch = self.watched.toggle(jobs)
            self.app.notify(f"{'You are told when it ends' if watch else 'Watched no more'}: {names(jobs)}")
            self.query_one(JobList).show_flags()
        elif meant:
            self.app.notify(f"Ended already: {names(meant)}")

    def action_new(self) -> None:
        if not self.blocked(Verb.CREATE):
            self.open_form()

    def action_history(self) -> None:
        if self.backend and not self.blocked(Feature.HISTORY):
            from tui.history.history_screen import HistoryScreen

            self.app.push_screen(HistoryScreen(self.backend))

    def action_detail(self) -> None:
        if self.job and self.backend:
            from tui.jobs.detail_screen import DetailScreen

            self.app.push_screen(DetailScreen(self.job, self.backend, self.store, self.changed))

    async def on_unmount(self) -> None:
        if self.backend:
            await self.backend.aclose()
