"""The main screen: the jobs of one context, and the log of the job under the cursor."""

import asyncio
from collections.abc import Sequence

from textual import work
from textual.app import ComposeResult

from backend_client.job_order import Order
from backend_client.models import Job
from backend_client.protocol import Feature, FreshnessState, JobBackend, Use, Verb
from backend_client.text.questions import job_names, too_many_to_compare
from backend_client.text.sanitize import clean
from tui.alerts.alert_feed import AlertFeed
from tui.jobs.ask_namespace import ask_namespace
from tui.jobs.bulk_actions import SelectionScreen
from tui.jobs.context_feed import ContextFeed, OpenDetail, OpenWhy
from tui.jobs.header import Header
from tui.jobs.job_list import JobList
from tui.jobs.kept_order import keep_order, last_order
from tui.jobs.store import Difference
from tui.jobs.watched import WatchedJobs
from tui.log.tiles import LogTiles
from tui.messages import (
    OpenAlerts,
    OpenCompare,
    OpenGpus,
    OpenHistory,
    OpenQueues,
    OpenReport,
    SendToTerminal,
    SwitchNamespace,
)
from tui.ui.filter_line import FilterLine
from tui.ui.footer import Footer
from tui.ui.notify import bell_and_notification


class MainScreen(SelectionScreen):
    """The layout and the keys of one context. Opens it after the first frame; jobs once seen stay."""

    AUTO_FOCUS = "JobList"

    def __init__(self, context: str) -> None:
        super().__init__()
        self.feed = ContextFeed(self, self.session, context, self._show)
        self.store = self.feed.store
        self.watched = WatchedJobs(self.session.watched[context], self.session.announced_ends[context])

    @property
    def backend(self) -> JobBackend | None:
        return self.feed.backend

    @property
    def is_opening(self) -> bool:
        """True until the context is open, or why it is not is known."""
        return self.backend is None and self.store.freshness is None

    @property
    def job(self) -> Job | None:
        return self.query_one(JobList).job

    @property
    def selected(self) -> list[Job]:
        return self.query_one(JobList).selected

    def clear_marks(self) -> None:
        self.query_one(JobList).clear_marks()
        self._show_status()

    def compose(self) -> ComposeResult:
        yield Header(self.feed.context, read_only=self.session.read_only)
        yield JobList(
            self.store,
            self._nothing,
            self.session.settings.list,
            self.watched,
            all_namespaces=self.session.all_namespaces,
            order=last_order(),
        )
        yield FilterLine("name, state, owner, label=value")
        yield LogTiles(self.feed.context)
        yield Footer(self.session)

    def on_mount(self) -> None:
        self.call_after_refresh(self.feed.start)

    def created(self, job: Job) -> None:
        self.query_one(JobList).move_cursor(job.ref.uid)

    # What the feed says

    def _show(self, difference: Difference) -> None:
        """Bring every widget up to date with the store."""
        self.query_one(JobList).update(difference)
        if self.backend:
            self.query_one(LogTiles).update(self.store.jobs, self.backend, synced=self.store.synced)
        self._show_status()
        self._announce_ends()
        header = self.query_one(Header)
        header.freshness, header.place = self.store.freshness, self.feed.place

    def on_screen_resume(self) -> None:
        """Say in the header how many ports are forwarded: another screen may have changed that."""
        self._show_status()

    def on_context_feed_capacity_loaded(self, message: ContextFeed.CapacityLoaded) -> None:
        """Show the capacity in the header."""
        if not self.feed.is_leaving:
            self.query_one(Header).capacity = message.capacity

    def on_alert_feed_counted(self, message: AlertFeed.Counted) -> None:
        """Show in the header how many alerts fire."""
        if not self.feed.is_leaving:
            self.query_one(Header).alerts = message.words

    def on_alert_feed_alerts_loaded(self, message: AlertFeed.AlertsLoaded) -> None:
        """Hand alerts that have changed to the feed, on this screen's own time."""
        if not self.feed.is_leaving:
            self.feed.alerts.take_loaded(message.alerts)

    def on_job_list_visible_jobs_changed(self) -> None:
        """Report the visible jobs to the context, soon."""
        rows = self.query_one(JobList)
        self.feed.report_visible_jobs(lambda: rows.visible_jobs)

    # What the person does

    def _nothing(self) -> str:
        if self.store.jobs:
            return f"None of {len(self.store.jobs)} jobs has these words. Escape in the filter shows all."
        freshness = self.store.freshness
        if freshness and freshness.state is FreshnessState.SYNCING:
            waits = f": {clean(freshness.why, 100)}" if freshness.why else ""
            return f"Reading the jobs of {clean(self.feed.context)}{waits} ..."
        if freshness and freshness.state is not FreshnessState.LIVE:
            return (
                f"The jobs of {clean(self.feed.context)} cannot be read: {freshness.why or freshness.state}"
            )
        if not self.store.synced:
            return f"Reading the jobs of {clean(self.feed.context)} ..."
        if self.session.read_only or self.session.permissions.why_not(Verb.CREATE):
            return "No jobs yet."
        example = self.backend and self.backend.fields["image"].use is Use.REFUSED
        return f"No jobs yet. n makes one{'; the example trains in a minute' if example else ''}."

    def on_job_list_cursor_moved(self) -> None:
        """Show the log of the job under the cursor, as soon as the list is painted."""
        self.call_after_refresh(self._show_log)

    def _show_log(self) -> None:
        if self.backend and not self.feed.is_leaving:
            self.query_one(LogTiles).show(self.job, self.backend)

    def on_filter_line_edited(self, message: FilterLine.Edited) -> None:
        """Filter the list while the words are typed."""
        self.query_one(JobList).set_filter(message.text)
        self._show_status()

    def on_filter_line_closed(self, message: FilterLine.Closed) -> None:
        """Give the keys back to the list; where the filter is kept, the job under the cursor is chosen."""
        rows = self.query_one(JobList)
        if message.kept:
            rows.choose()
        rows.focus()

    def on_log_pane_back(self) -> None:
        """Give the keys of the log to the list."""
        self.query_one(JobList).focus()

    def _show_status(self) -> None:
        jobs = self.query_one(JobList)
        rows, marks = jobs.rows, len(jobs.marked)
        shown = f"{len(rows)} of {len(self.store.jobs)} jobs" if rows.filter_words else ""
        order = str(rows.order) if rows.order is not Order.ATTENTION else ""
        marked = f"{marks} marked" if marks else ""
        ports = len(self.session.forwards.running)
        forwards = f"{ports} port{'s' if ports > 1 else ''} forwarded" if ports else ""
        self.query_one(Header).status = ", ".join(filter(None, (marked, shown, order, forwards)))

    def _announce_ends(self) -> None:
        """Announce the watched jobs that have ended: on the screen, by the bell, by a notification."""
        sentences = self.watched.take_ended(self.store)
        for sentence in sentences:
            self.app.notify(sentence, timeout=60)
        if sentences:
            self.query_one(JobList).show_flags()
            self._notify_terminal(sentences)

    @work(group="call", exit_on_error=False)
    async def _notify_terminal(self, sentences: Sequence[str]) -> None:
        more = f", and {len(sentences) - 1} more" if len(sentences) > 1 else ""
        self.session.request(SendToTerminal(await bell_and_notification(f"{sentences[0]}{more}")))

    def action_tile(self) -> None:
        if self.job and self.backend:
            self.query_one(LogTiles).toggle(self.job, self.backend)

    def action_filter(self) -> None:
        self.query_one(FilterLine).open()

    def action_order(self) -> None:
        rows = self.query_one(JobList)
        rows.set_order(rows.rows.order.following)
        self._keep_order(rows.rows.order)
        self._show_status()

    @work(exclusive=True, group="order", exit_on_error=False)
    async def _keep_order(self, order: Order) -> None:
        await asyncio.to_thread(keep_order, order)

    def action_group(self) -> None:
        rows = self.query_one(JobList)
        rows.set_group(rows.rows.group.following)

    def action_usage(self) -> None:
        if not self.blocked(Feature.METRICS):
            self.query_one(JobList).toggle_usage()

    def action_refresh(self) -> None:
        self.feed.refresh()
        self.app.notify(f"Asking {clean(self.feed.context)} anew.", timeout=2)

    def action_mark(self) -> None:
        self.query_one(JobList).toggle_mark()
        self._show_status()

    def action_mark_range(self) -> None:
        self.query_one(JobList).mark_range()
        self._show_status()

    def action_mark_all(self) -> None:
        self.query_one(JobList).toggle_all_marks()
        self._show_status()

    def action_unmark(self) -> None:
        self.clear_marks()

    def action_up(self) -> None:
        self.query_one(JobList).move(-1)

    def action_down(self) -> None:
        self.query_one(JobList).move(1)

    def action_page_up(self) -> None:
        self.query_one(JobList).move_pages(-1)

    def action_page_down(self) -> None:
        self.query_one(JobList).move_pages(1)

    def action_top(self) -> None:
        rows = self.query_one(JobList)
        rows.move(-len(rows.rows.lines))

    def action_bottom(self) -> None:
        rows = self.query_one(JobList)
        rows.move(len(rows.rows.lines))

    def action_watch(self) -> None:
        jobs = self.selected or ([self.job] if self.job else [])
        running = [job for job in jobs if not job.ended]
        if running:
            watch = self.watched.toggle(running)
            self.app.notify(
                f"{'You are told when it ends' if watch else 'Watched no more'}: {job_names(running)}"
            )
            self.query_one(JobList).show_flags()
        elif jobs:
            self.app.notify(f"Ended already: {job_names(jobs)}")

    def action_compare(self) -> None:
        """Open the figures of the marked jobs, or of the group or the job under the cursor."""
        jobs = self.selected or ([self.job] if self.job else [])
        if why := too_many_to_compare(len(jobs)):
            self.app.notify(why)
        elif jobs and self.backend:
            self.session.request(OpenCompare(jobs, self.backend))

    def action_new(self) -> None:
        if not self.blocked(Verb.CREATE):
            self.open_form()

    def action_history(self) -> None:
        if self.backend and not self.blocked(Feature.HISTORY):
            self.session.request(OpenHistory(self.backend))

    def action_report(self) -> None:
        if self.backend and not self.blocked(Feature.ACCOUNTING):
            self.session.request(OpenReport(self.backend))

    def action_queues(self) -> None:
        if self.backend and not self.blocked(Feature.QUEUE):
            self.session.request(OpenQueues(self.backend, self.session.scope(self.backend)))

    def action_gpus(self) -> None:
        if self.backend:
            self.session.request(OpenGpus(self.backend, self.store.jobs, self._open_detail))

    def action_alerts(self) -> None:
        alerts = self.feed.alerts
        if self.backend and alerts.source:
            jobs = self.store.jobs
            self.session.request(
                OpenAlerts(alerts.source, self.backend, jobs, self._open_detail, alerts.recount)
            )

    @work(group="call", exit_on_error=False)
    async def action_namespace(self) -> None:
        if self.backend and not self.blocked(Feature.NAMESPACES):
            name = await ask_namespace(self.app, self.backend, self.session.scope(self.backend).namespace)
            if name is not None:
                self.session.request(SwitchNamespace(name))

    def action_detail(self) -> None:
        rows = self.query_one(JobList)
        if rows.group:
            rows.toggle_fold()
        elif self.job:
            self._open_detail(self.job)

    def _open_detail(self, job: Job) -> None:
        if self.backend:
            self.session.request(OpenDetail(job, self.backend, self.feed, self.created))

    def action_why(self) -> None:
        if self.job and self.backend:
            self.session.request(OpenWhy(self.job, self.backend, self.feed, self.created))

    async def on_unmount(self) -> None:
        await self.feed.aclose()
