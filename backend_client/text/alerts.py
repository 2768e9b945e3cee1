"""Alerts as text: how one stands, the cells of a row, all that is known, what to tell of several. Pure."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from backend_client.alerts.alert import Alert, AlertState, Delivery, DeliveryState
from backend_client.text.figures import local_time, span
from backend_client.text.sanitize import clean

NOTHING = "Nothing has fired."
RECOVERED = "It has recovered: there is nothing more to tell of it."
TITLES = ("SINCE", "STANDS", "JOB", "WHAT IS SO")
_MORNING = 8
"""The hour at which tomorrow begins."""


class Standing(StrEnum):
    """How an alert stands for the person who reads it; in the order in which they weigh."""

    FIRING = "firing"
    SNOOZED = "snoozed"
    SEEN = "seen"
    RECOVERED = "recovered"


def standing(alert: Alert, now: datetime) -> Standing:
    """Return how an alert stands."""
    if alert.state is AlertState.RECOVERED:
        return Standing.RECOVERED
    if alert.acknowledged:
        return Standing.SEEN
    if alert.snoozed_until and alert.snoozed_until > now:
        return Standing.SNOOZED
    return Standing.FIRING


def count_firing(alerts: Iterable[Alert], now: datetime) -> int:
    """Count the alerts that fire and that nobody has seen or snoozed."""
    return sum(standing(alert, now) is Standing.FIRING for alert in alerts)


def header_words(firing: int | None) -> str:
    """Return the header's word for so many firing alerts: "2 alerts"; empty for none, said where unknown."""
    if firing is None:
        return "alerts unknown"
    return f"{firing} alert{'s' if firing > 1 else ''}" if firing else ""


def is_undelivered(alert: Alert) -> bool:
    """Return whether some message about an alert has not arrived, and was tried."""
    return any(_has_failed(delivery) for delivery in alert.deliveries)


def _has_failed(delivery: Delivery) -> bool:
    waits = delivery.state is DeliveryState.WAITING and bool(delivery.why)
    return waits or delivery.state is DeliveryState.FAILED


def newest_first(alerts: Iterable[Alert]) -> list[Alert]:
    """Return alerts in the order in which they are listed."""
    return sorted(alerts, key=lambda alert: (alert.fired, alert.id), reverse=True)


def row_cells(alert: Alert, now: datetime) -> list[str]:
    """Return the cells of an alert's row; the sentence says too that it could not be sent."""
    sent = "not sent: " if is_undelivered(alert) else ""
    return [
        span((now - alert.fired).total_seconds()),
        standing(alert, now).value,
        clean(alert.job.name, 80),
        sent + clean(alert.sentence, 300),
    ]


def about(alert: Alert, now: datetime, at: Callable[[datetime], str] = local_time) -> list[str]:
    """Return all that is known of an alert, in lines; the first is its sentence. `at`: formats times."""
    again = f", for the {_nth(alert.episode)} time" if alert.episode > 1 else ""
    attempt = f" of attempt {alert.attempt}" if alert.attempt > 1 else ""
    lines = [
        clean(alert.sentence, 600),
        f"fired {at(alert.fired)}{again}  rule {clean(alert.rule, 40)}{attempt}",
    ]
    if alert.recovered:
        took = span((alert.recovered - alert.fired).total_seconds())
        lines.append(f"recovered {at(alert.recovered)}, after {took}")
    if alert.acknowledged:
        whose = f" by {clean(alert.acknowledged_by, 40)}" if alert.acknowledged_by else ""
        lines.append(f"seen{whose} {at(alert.acknowledged)}")
    elif standing(alert, now) is Standing.SNOOZED and alert.snoozed_until:
        lines.append(f"snoozed until {at(alert.snoozed_until)}")
    return lines + [delivery_words(delivery, at) for delivery in alert.deliveries]


def _nth(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def delivery_words(delivery: Delivery, at: Callable[[datetime], str] = local_time) -> str:
    """Say what became of a message: "mail: sent 2026-11-30 14:02:00", "hook: given up after 9 tries: ..."."""
    channel, why = clean(delivery.channel, 40), clean(delivery.why, 300)
    when = f" {at(delivery.last_try)}" if delivery.last_try else ""
    tries = f"{delivery.tries} {'try' if delivery.tries == 1 else 'tries'}"
    match delivery.state:
        case DeliveryState.SENT:
            words = f"sent{when}"
        case DeliveryState.HELD:
            words = "held back by quiet hours"
        case DeliveryState.FAILED:
            words = f"given up after {tries}" + (f": {why}" if why else "")
        case DeliveryState.WAITING:
            words = f"not sent yet, {tries}: {why}; it is tried again" if why else "to be sent"
    return f"{channel}: {words}"


def snooze_choices(now: datetime) -> dict[str, datetime]:
    """Return for how long to snooze: words -> until when. `now` is in the person's time zone."""
    morning = (now + timedelta(days=1)).replace(hour=_MORNING, minute=0, second=0, microsecond=0)
    return {
        "1 hour": now + timedelta(hours=1),
        "4 hours": now + timedelta(hours=4),
        "until tomorrow": morning,
    }


def told_words(alerts: Sequence[Alert]) -> str:
    """Say in one sentence what has fired: the first, and how many more."""
    more = f", and {len(alerts) - 1} more" if len(alerts) > 1 else ""
    job, sentence = clean(alerts[0].job.name, 80), clean(alerts[0].sentence, 300)
    return f"{sentence}{more}" if job in sentence else f"{job}: {sentence}{more}"
