"""The feed of one context: opens it, watches its jobs, and polls its free GPUs and permissions."""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from textual.message import Message
from textual.screen import Screen
from textual.signal import Signal
from textual.timer import Timer

from backend_client.backoff import Backoff, no_jitter
from backend_client.errors import BackendError, fragment
from backend_client.models import Job, JobRef
from backend_client.protocol import Capacity, Feature, Freshness, FreshnessState, JobBackend
from backend_client.refresh import sleep_unless
from tui.alerts.alert_feed import AlertFeed
from tui.jobs.store import Difference, JobStore
from tui.messages import OpenScreen
from tui.session import Session
from tui.ui.once import once

_CAPACITY_EVERY = 2.0
_CAPACITY_AT_LEAST = 60.0
"""Seconds until the free GPUs are asked for though no job has changed: other people's jobs take some too."""
_RETRY_AT_MOST = 60.0
_REPORT_AFTER = 0.3
"""Seconds from a change of the rows on the screen until the context hears of it: scrolling changes many."""
_FRAME = 0.002
"""Seconds in which the thread that writes to the terminal gets the first frame out, undisturbed."""


class ContextFeed:
    """Keeps a store up to date for one screen, whose timers and workers it uses.

    Whatever happens to the network, the jobs that were seen stay in the store.
    """

    @dataclass(eq=False)
    class CapacityLoaded(Message):
        """GPUs were counted, or why they are not known."""

        capacity: Capacity

    def __init__(
        self, screen: Screen[None], session: Session, context: str, show: Callable[[Difference], None]
    ) -> None:
        """Make a feed for a screen. `show` draws a change of the store, before subscribers of `changed`."""
        self.context = context
        self.store = JobStore()
        self.backend: JobBackend | None = None
        """None until the context is open."""
        self.changed: Signal[Difference] = Signal(screen, "changed")
        """Published when the store has changed, on the screen's own time."""
        self.alerts = AlertFeed(screen, session, context)
        self._screen, self._session, self._show = screen, session, show
        self._flush_timer: Timer | None = None
        self._flushed = 0.0
        self._capacity_timer: Timer | None = None
        self._capacity_loaded = 0.0
        self._report_timer: Timer | None = None
        self._anew = asyncio.Event()
        """Set where a person wants the context asked now."""
        self._reported: set[JobRef] = set()

    def start(self) -> None:
        """Open the context and watch it, until the screen is removed."""
        self._screen.run_worker(self._follow(), exclusive=True, group="watch", exit_on_error=False)
        self._screen.set_interval(_CAPACITY_AT_LEAST, self.load_capacity)

    def refresh(self) -> None:
        """Ask the context for its jobs, its GPUs and the permissions anew, at once."""
        self._anew.set()
        self._capacity_loaded = 0.0
        self._screen.run_worker(self._refresh(), exclusive=True, group="refresh", exit_on_error=False)

    async def _refresh(self) -> None:
        if self.backend:
            await self.backend.refresh()
            self._session.recheck_permissions()
        self.load_capacity()

    async def aclose(self) -> None:
        """Close the backend, where it was opened."""
        self.alerts.close()
        if self.backend:
            await self.backend.aclose()

    @property
    def is_leaving(self) -> bool:
        """True once another context was chosen, or the program ends: the widgets go, and late events come."""
        return self._screen not in self._screen.app.screen_stack or not self._screen.is_attached

    @property
    def place(self) -> str:
        """Context and namespace, as far as they are known."""
        namespace = self._session.scope(self.backend).namespace if self.backend else ""
        if self._session.all_namespaces and self.backend and Feature.NAMESPACES in self.backend.features:
            namespace = "all namespaces"
        return f"{self.context}/{namespace}" if namespace else self.context

    # The watch

    async def _follow(self) -> None:
        """Open the context and watch it; show a fault as freshness, and try again for ever."""
        await asyncio.sleep(_FRAME)
        backoff = Backoff(first=1.0, longest=_RETRY_AT_MOST, healthy=math.inf, jitter=no_jitter)
        while True:
            try:
                backend = self._open()
                async for events in backend.watch([self._session.scope(backend)]):
                    backoff.reset()
                    self.store.queue(events)
                    self.alerts.queue(events)
                    self._flush_soon()
            except BackendError as error:
                stale = [self._stale(error)]
                self.store.queue(stale)
                self.alerts.queue(stale)
                self._flush_soon()
                if await self._session.login_prompt.wait_for_login(error):
                    continue
            await sleep_unless(self._anew, backoff.next())
            self._anew.clear()

    def _open(self) -> JobBackend:
        """Return the backend, opened where it is not yet. Raises BackendError."""
        if self.backend is None:
            self.backend = self._session.contexts.open(self.context)
            self._session.use_backend(self.backend)
        self.load_capacity()
        return self.backend

    def _stale(self, error: BackendError) -> Freshness:
        old = self.store.freshness
        since = old.since if old and old.state is not FreshnessState.LIVE else datetime.now(UTC)
        return Freshness(FreshnessState.STALE, since, fragment(str(error).replace("\n", " ")))

    def _flush_soon(self) -> None:
        """Show what has come: at once where it was quiet, else at the next tick."""
        if self._flush_timer is None:
            due = self._flushed + self._session.tick - time.monotonic()
            self._flush_timer = once(self._screen, max(0.001, due), self._flush)

    def _flush(self) -> None:
        self._flush_timer = None
        self._flushed = time.monotonic()
        difference = self.store.drain()
        if not difference or self.is_leaving:
            return
        self._show(difference)
        if self.backend:
            self.alerts.update(self.backend, states_changed=difference.states_changed)
        if (
            difference.freshness
            and self.store.freshness
            and self.store.freshness.state is FreshnessState.LIVE
        ):
            self._session.login_prompt.login_ok()
            self._session.recheck_permissions()
            self.load_capacity()
        self.changed.publish(difference)
        if difference.states_changed:
            self.load_capacity()

    # Free GPUs

    def load_capacity(self) -> None:
        """Count the free GPUs, now or when the last count is old enough."""
        if self._capacity_timer is None:
            due = self._capacity_loaded + _CAPACITY_EVERY - time.monotonic()
            self._capacity_timer = once(self._screen, max(0.001, due), self._start_counting)

    def _start_counting(self) -> None:
        self._screen.run_worker(self._count(), exclusive=True, group="capacity", exit_on_error=False)

    async def _count(self) -> None:
        self._capacity_timer = None
        self._capacity_loaded = time.monotonic()
        if self.backend:
            try:
                capacity = await self.backend.capacity(self._session.scope(self.backend))
            except BackendError as error:
                capacity = Capacity(unknown_because=fragment(str(error)))
            self._screen.post_message(self.CapacityLoaded(capacity))

    # Visible jobs

    def report_visible_jobs(self, visible: Callable[[], Sequence[Job]]) -> None:
        """Tell the context soon which jobs are on the screen; `visible` returns them when it is time."""
        if self._report_timer is None:
            self._report_timer = once(self._screen, _REPORT_AFTER, lambda: self._start_report(visible))

    def _start_report(self, visible: Callable[[], Sequence[Job]]) -> None:
        self._report_timer = None
        refs = [job.ref for job in visible()]
        if self.backend and set(refs) != self._reported:
            self._reported = set(refs)
            self.alerts.set_visible(refs)
            report = self.backend.set_visible_jobs(refs)
            self._screen.run_worker(report, exclusive=True, group="look", exit_on_error=False)


class OpenDetail(OpenScreen, frozen=True):
    """Open everything about one job, and follow it."""

    job: Job
    backend: JobBackend
    feed: ContextFeed
    created: Callable[[Job], None]
    """Called with the job that was made like it, when its screen is left for that."""


class OpenWhy(OpenScreen, frozen=True):
    """Open why a job waits or failed, and follow it."""

    job: Job
    backend: JobBackend
    feed: ContextFeed
    created: Callable[[Job], None]
    """Called with the job that an offer has made in its place."""
