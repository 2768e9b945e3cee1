"""The alerts of one context in memory: its rules over a watch, for as long as the program is open.

Imports no Textual: `traindeck wait --alert` runs the same rules.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from backend_client.alerts.alert import Alert, AlertList, AlertState
from backend_client.alerts.engine import EVERY_SECONDS, AlertEngine, Transition
from backend_client.errors import NotFound
from backend_client.models import Job, JobRef
from backend_client.protocol import Changed, Gone, Snapshot, WatchEvent

_KEPT = timedelta(days=3)
"""For so long what has recovered is listed."""
_MOST = 500
"""Alerts that are listed; the oldest of those that no longer fire go first."""


class AlertWatch:
    """Runs the rules over the events of one watch. Keeps `HasAlerts` and `HasSilence`."""

    def __init__(self, rules: Mapping[str, str], now: datetime) -> None:
        """`rules`: what the person wants, rule -> "on", "off" or a threshold.

        Jobs that ended before `now` are none of its business.
        """
        self._rules, self._since = rules, now
        self.visible: Collection[JobRef] = ()
        """The jobs whose logs are read now: only those can be called silent."""
        self._engine = AlertEngine(self._wishes_of, log_read=self._log_read)
        self._alerts: dict[str, Alert] = {}
        self._live: set[str] = set()
        """Uids of the jobs that are under way."""
        self._known: set[str] = set()
        """Uids of the jobs that the engine knows."""
        self._silenced: defaultdict[str, set[str]] = defaultdict(set)
        """Uid -> rules that tell no more of that job."""
        self._now = now

    def _wishes_of(self, _job: Job) -> Mapping[str, str]:
        return self._rules

    def _log_read(self, job: Job, now: datetime) -> datetime | None:
        return now if job.ref in self.visible else None

    # What is told

    def observe(self, events: Iterable[WatchEvent], now: datetime) -> None:
        """Take a batch of the watch, and run the rules over the jobs that it tells of."""
        self._engine.observe([kept for event in events if (kept := self._keep(event))], now)
        self.tick(now)

    def tick(self, now: datetime) -> None:
        """Run the rules that wait for a time. To be called every `due` seconds."""
        self._now = now
        for transition in self._engine.tick(now):
            self._take(transition)
        self._forget(now)

    def due(self) -> float | None:
        """Return in how many seconds to call `tick`; None while nothing is under way and none snoozed."""
        snoozed = any(a.snoozed_until and a.snoozed_until > self._now for a in self._alerts.values())
        return EVERY_SECONDS if self._live or snoozed else None

    def _keep(self, event: WatchEvent) -> WatchEvent | None:
        """Return an event without the jobs that had ended before this began: a list may have thousands."""
        match event:
            case Snapshot(jobs):
                return Snapshot(self._of_interest(jobs))
            case Changed(jobs):
                kept = self._of_interest(jobs)
                return Changed(kept) if kept else None
            case Gone(refs):
                for ref in refs:
                    self._drop(ref.uid)
        return event

    def _of_interest(self, jobs: Sequence[Job]) -> tuple[Job, ...]:
        kept = []
        for job in jobs:
            uid, ended = job.ref.uid, job.ended
            if ended:
                self._live.discard(uid)
            else:
                self._live.add(uid)
            if not ended or uid in self._known or (job.finished and job.finished > self._since):
                self._known.add(uid)
                kept.append(job)
        return tuple(kept)

    def _drop(self, uid: str) -> None:
        self._live.discard(uid)
        self._known.discard(uid)
        self._silenced.pop(uid, None)

    def _take(self, told: Transition) -> None:
        alert_id = f"{told.rule}/{told.job.uid}/{told.attempt}/{told.episode}"
        if told.state is AlertState.RECOVERED:
            if (old := self._alerts.get(alert_id)) and not old.recovered:
                sentence = old.sentence if told.quiet or not told.sentence else told.sentence
                self._alerts[alert_id] = replace(
                    old, state=AlertState.RECOVERED, recovered=told.at, sentence=sentence
                )
        elif told.rule not in self._silenced.get(told.job.uid, ()):
            self._alerts[alert_id] = Alert(
                id=alert_id,
                rule=told.rule,
                job=told.job,
                attempt=told.attempt,
                episode=told.episode,
                sentence=told.sentence,
                fired=told.at,
            )

    def _forget(self, now: datetime) -> None:
        over = sorted(
            (alert.recovered, alert.id) for alert in self._alerts.values() if alert.recovered is not None
        )
        spare = len(self._alerts) - _MOST
        for number, (recovered, alert_id) in enumerate(over):
            if number < spare or recovered < now - _KEPT:
                del self._alerts[alert_id]

    # HasAlerts, HasSilence

    def current(self) -> AlertList:
        """Return the alerts as they are now, in any order."""
        return AlertList(items=tuple(self._alerts.values()), ends_with_program=True)

    async def alerts(self, *, everybody: bool = False) -> AlertList:  # noqa: ARG002  it has one person
        """List the alerts, of all jobs that are watched."""
        return self.current()

    async def acknowledge(self, alert_id: str) -> Alert:
        """Say that somebody has seen it. Raises NotFound."""
        return self._change(alert_id, acknowledged=self._now, snoozed_until=None)

    async def snooze(self, alert_id: str, until: datetime) -> Alert:
        """Tell of it no more before a time. Raises NotFound."""
        return self._change(alert_id, snoozed_until=until, acknowledged=None)

    async def silence(self, alert_id: str) -> Alert:
        """Tell of its rule about its job no more. Raises NotFound."""
        alert = self._change(alert_id, acknowledged=self._now, snoozed_until=None)
        self._silenced[alert.job.uid].add(alert.rule)
        return alert

    def _change(self, alert_id: str, **fields: datetime | None) -> Alert:
        if alert_id not in self._alerts:
            raise NotFound("There is no such alert any more.")
        self._alerts[alert_id] = replace(self._alerts[alert_id], **fields)
        return self._alerts[alert_id]
