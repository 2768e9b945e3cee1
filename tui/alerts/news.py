"""Which alerts to tell of: each once, none that fired before, several at a time as one. Pure."""

from collections.abc import Container, Iterable
from datetime import datetime

from backend_client.alerts.alert import Alert
from backend_client.text.alerts import Standing, newest_first, standing

QUIET_SECONDS = 30.0
"""After it has told, what fires is gathered for so long: the end of a sweep is one bell, not forty."""
OF_THE_END = ("failed", "finished")
"""Rules about the end of a job: where that is told already, they are not."""


class AlertNews:
    """What is new among the alerts of one context. The session keeps it, over the end of a screen."""

    def __init__(self) -> None:
        self._known: set[str] | None = None
        """Ids that were told of, or that fired before anybody looked; None before the first look."""
        self._waiting: dict[str, Alert] = {}
        self._told: float | None = None

    def update(self, alerts: Iterable[Alert], now: datetime, told_ends: Container[str] = ()) -> None:
        """Take up the alerts as they are now. `told_ends`: uids of jobs whose end is announced anyway."""
        firing, known = [], set()
        for alert in alerts:
            how = standing(alert, now)
            if how is Standing.FIRING and not (alert.rule in OF_THE_END and alert.job.uid in told_ends):
                firing.append(alert)
            if how is not Standing.SNOOZED:  # it is told anew when the snooze is over
                known.add(alert.id)
        if self._known is None:
            self._known = known
            return
        self._waiting = {
            alert.id: alert for alert in firing if alert.id in self._waiting or alert.id not in self._known
        }
        self._known = known

    @property
    def is_waiting(self) -> bool:
        """True while something is to be told."""
        return bool(self._waiting)

    def due(self, clock: float) -> float:
        """Return in how many seconds what waits is to be told, by a clock that only goes forward."""
        return 0.0 if self._told is None else max(0.0, self._told + QUIET_SECONDS - clock)

    def take(self, clock: float) -> list[Alert]:
        """Return what is to be told now, newest first, and wait with what fires soon after."""
        alerts = newest_first(self._waiting.values())
        self._waiting = {}
        if alerts:
            self._told = clock
        return alerts
