"""The alerts of one context for an open program: asks the server that has them, or runs the rules here."""

import asyncio
import math
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer

from backend_client.alerts.alert import AlertList, HasAlerts
from backend_client.errors import BackendError
from backend_client.models import JobRef
from backend_client.progress.sampler import MOST_JOBS
from backend_client.protocol import (
    Changed,
    Feature,
    Freshness,
    FreshnessState,
    JobBackend,
    Snapshot,
    Synced,
    WatchEvent,
)
from backend_client.refresh import sleep_unless
from backend_client.text.alerts import count_firing, header_words, standing, told_words
from tui.alerts.news import AlertNews
from tui.messages import SendToTerminal
from tui.session import Session
from tui.ui.notify import bell_and_notification
from tui.ui.once import once

if TYPE_CHECKING:
    from tui.alerts.alert_watch import AlertWatch

ASK_SECONDS = 30.0
"""Between two times that a server is asked; it looks at its jobs as often."""
_RETRY_AT_MOST = 300.0
_SOON = 2.0
"""Seconds from the failure of a job until a server is asked: it has to find it too."""
_TOAST_SECONDS = 60.0


class _Memory:
    """What outlives a screen: what was told, and the rules that run here."""

    def __init__(self) -> None:
        self.news = AlertNews()
        self.watch: AlertWatch | None = None


class AlertFeed:
    """Counts what fires for the header, and tells a person what is new. Uses the timers of its screen."""

    @dataclass(eq=False)
    class Counted(Message):
        """How many alerts fire, as the header's word."""

        words: str

    @dataclass(eq=False)
    class AlertsLoaded(Message):
        """The alerts, which have changed without news of the watch, or why they are not known."""

        alerts: AlertList | BackendError

    def __init__(self, screen: Screen[None], session: Session, context: str) -> None:
        """Make a feed of a context for a screen."""
        self._screen, self._session, self._context = screen, session, context
        self._memory = cast("_Memory", session.alert_memory.setdefault(context, _Memory()))
        self._backend: JobBackend | None = None
        self._server: HasAlerts | None = None
        self._queued: list[WatchEvent] = []
        self._freshness: Freshness | None = None
        self._visible: frozenset[JobRef] = frozenset()
        self._tell_timer: Timer | None = None
        self._ticks = False
        """The rules here are run now and then."""
        self._due = math.inf
        """When the server is asked next, by a clock that only goes forward."""
        self._woken = asyncio.Event()
        self._posted: object = None
        self._counted: str | None = None

    # What is told

    def queue(self, events: Sequence[WatchEvent]) -> None:
        """Queue one batch of the watch; the next `update` looks at it."""
        if self._server is None:
            self._queued.extend(events)

    def update(self, backend: JobBackend, *, states_changed: bool) -> None:
        """Look at what has come. `states_changed`: some job has another state; a server may tell more."""
        if self._backend is None:
            self._begin(backend)
        elif self._server and states_changed:
            self.ask(_SOON)
        events, self._queued = self._queued, []
        if self._server is None and events:
            self._run_rules(events)

    def _begin(self, backend: JobBackend) -> None:
        self._backend = backend
        if Feature.ALERTS in backend.features and isinstance(backend, HasAlerts):
            self._server = backend
            self._start(self._follow_server(backend))

    def _start(self, follow: Coroutine[None, None, None]) -> None:
        self._screen.run_worker(follow, exclusive=True, group="alerts", exit_on_error=False)

    @property
    def source(self) -> HasAlerts | None:
        """What knows the alerts; None until the context is open."""
        if self._backend is None:
            return None
        return self._server or self._watch()

    def recount(self) -> None:
        """Count anew, at once: a person has changed something."""
        if self._server:
            self.ask()
        elif self._memory.watch:
            self._show_rules(self._memory.watch)

    def set_visible(self, refs: Sequence[JobRef]) -> None:
        """Note which jobs are on the screen: their logs are read."""
        self._visible = frozenset(refs[:MOST_JOBS])
        if self._memory.watch:
            self._memory.watch.visible = self._visible

    # From a server

    def ask(self, seconds: float = 0.0) -> None:
        """Ask the server in so many seconds, unless that is due sooner."""
        self._due = min(self._due, time.monotonic() + seconds)
        self._woken.set()

    async def _follow_server(self, server: HasAlerts) -> None:
        """Ask for ever, and post what has changed.

        Neither a timer of the screen nor a message for nothing: under another screen each of them has Textual
        paint that one anew, whole.
        """
        failures = 0
        while True:
            self._due = math.inf  # who asks from here on means an answer after this one
            try:
                alerts: AlertList | BackendError = await server.alerts()
                failures = 0
            except BackendError as error:
                alerts = error
                failures += 1
            self._post(alerts)
            wait = ASK_SECONDS * 2 ** min(10, max(0, failures - 1))
            self.ask(min(wait, max(_RETRY_AT_MOST, ASK_SECONDS)))
            while (left := self._due - time.monotonic()) > 0:
                self._woken.clear()
                await sleep_unless(self._woken, left)

    def _post(self, alerts: AlertList | BackendError) -> None:
        """Post the alerts, where they or how they stand differ from what was posted last."""
        now = datetime.now(UTC)
        told: object = str(alerts)
        if isinstance(alerts, AlertList):
            told = [(alert, standing(alert, now)) for alert in alerts.items]
        if told != self._posted:
            self._posted = told
            self._screen.post_message(self.AlertsLoaded(alerts))

    def take_loaded(self, alerts: AlertList | BackendError) -> None:
        """Take the alerts as they are now, or that they are not known."""
        if isinstance(alerts, BackendError):
            self._count(None)
        else:
            self._take(alerts)

    # By the rules, here

    def _watch(self) -> "AlertWatch":
        """Return the rules that run here; they are loaded when the first job is under way."""
        if self._memory.watch is None:
            from tui.alerts.alert_watch import AlertWatch  # noqa: PLC0415  not on the way of a start

            rules = {str(rule): text for rule, text in self._session.settings.alerts.rules.items()}
            self._memory.watch = AlertWatch(rules, datetime.now(UTC))
            self._memory.watch.visible = self._visible
        return self._memory.watch

    def _run_rules(self, events: Sequence[WatchEvent]) -> None:
        if self._memory.watch is None:
            self._freshness = next(
                (event for event in reversed(events) if isinstance(event, Freshness)), self._freshness
            )
            if not any(_is_under_way(event) for event in events):
                return
            before: list[WatchEvent] = [Snapshot(()), Synced()]
            before += [self._freshness] if self._freshness else []
            events = [*before, *events]
        watch = self._watch()
        watch.observe(events, datetime.now(UTC))
        self._show_rules(watch)

    def _show_rules(self, watch: "AlertWatch") -> None:
        """Show what the rules found, and go on running those that wait for a time."""
        self._take(watch.current())
        if not self._ticks and watch.due() is not None:
            self._ticks = True
            self._start(self._follow_rules(watch))

    def close(self) -> None:
        """Stop looking: to the rules that run here the time until the next look is a gap."""
        if self._memory.watch:
            now = datetime.now(UTC)
            self._memory.watch.observe([Freshness(FreshnessState.STALE, now, "nobody looks")], now)

    async def _follow_rules(self, watch: "AlertWatch") -> None:
        """Run the rules that wait for a time, while something runs."""
        while (seconds := watch.due()) is not None:
            await asyncio.sleep(seconds)
            watch.tick(datetime.now(UTC))
            self._post(watch.current())
        self._ticks = False

    # To the person

    def _take(self, alerts: AlertList) -> None:
        """Count what fires, and tell of what is new."""
        now = datetime.now(UTC)
        self._count(count_firing(alerts.items, now))
        news = self._memory.news
        ends = {*self._session.watched[self._context], *self._session.announced_ends[self._context]}
        news.update(alerts.items, now, ends)
        if news.is_waiting and self._tell_timer is None:
            due = news.due(time.monotonic())
            self._tell_timer = once(self._screen, max(0.001, due), self._tell)

    def _count(self, firing: int | None) -> None:
        words = header_words(firing)
        if words != self._counted:
            self._counted = words
            self._screen.post_message(self.Counted(words))

    def _tell(self) -> None:
        self._tell_timer = None
        alerts = self._memory.news.take(time.monotonic())
        if alerts:
            words = told_words(alerts)
            self._screen.app.notify(words, severity="warning", timeout=_TOAST_SECONDS)
            ring(self._screen, self._session, words)


def ring(screen: Screen[None], session: Session, words: str) -> None:
    """Ring the bell, and notify where the terminal knows how; unless the settings say not to."""

    async def send() -> None:
        session.request(SendToTerminal(await bell_and_notification(words)))

    if session.settings.alerts.bell:
        screen.run_worker(send(), group="call", exit_on_error=False)


def _is_under_way(event: WatchEvent) -> bool:
    return isinstance(event, Snapshot | Changed) and any(not job.ended for job in event.jobs)
