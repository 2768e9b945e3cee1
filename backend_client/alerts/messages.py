"""Alerts as messages: a title and a short text. No command, environment or log line ever stands in one."""

import unicodedata
from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from backend_client.alerts.alert import Alert, AlertState
from backend_client.models.alert_thresholds import THRESHOLDS

MOST_IN_A_DIGEST = 20
_LONGEST_SENTENCE = 300
_LONGEST_NAME = 80


class AlertMessage(Struct, frozen=True):
    """What is sent of one alert, or of several."""

    title: str
    text: str


def message_of(alert: Alert) -> AlertMessage:
    """Return the message of one alert, as it stands."""
    word = _word(alert)
    lines = [f"{_sentence(alert)}.", "", f"job      {_job(alert)}", f"since    {_time(alert.fired)}"]
    if alert.state is AlertState.RECOVERED:
        lines.append(f"until    {_time(alert.recovered)}")
    else:
        lines += ["", f"Silence it: traindeck alerts ack {alert.id}"]
    return AlertMessage(f"{_name(alert)}: {word}", "\n".join(lines))


def digest_of(alerts: Sequence[Alert]) -> AlertMessage:
    """Return one message of several alerts, those that fire first; of one, its own."""
    if len(alerts) == 1:
        return message_of(alerts[0])
    firing = [alert for alert in alerts if alert.state is AlertState.FIRING]
    over = [alert for alert in alerts if alert.state is not AlertState.FIRING]
    shown = (firing + over)[:MOST_IN_A_DIGEST]
    lines = [line for alert in shown for line in _lines(alert)]
    if left := len(alerts) - len(shown):
        lines.append(f"and {left} more: traindeck alerts")
    counts = [f"{len(firing)} alerts" if len(firing) > 1 else "1 alert"] if firing else []
    counts += [f"{len(over)} over"] if over else []
    jobs = len({alert.job.key for alert in alerts})
    return AlertMessage(f"{', '.join(counts)} ({jobs} {'job' if jobs == 1 else 'jobs'})", "\n".join(lines))


def _lines(alert: Alert) -> list[str]:
    lines = [f"{_name(alert)}: {_word(alert)}. {_sentence(alert)}."]
    if alert.state is AlertState.FIRING:
        lines.append(f"    traindeck alerts ack {alert.id}")
    return lines


def _word(alert: Alert) -> str:
    """Return the rule's title; of one that is over, that it is. A rule of a newer version is its id."""
    rule = THRESHOLDS.get(alert.rule)
    title = rule.title if rule else _plain(alert.rule, _LONGEST_NAME)
    return title if alert.state is AlertState.FIRING else f"recovered ({title})"


def _sentence(alert: Alert) -> str:
    return _plain(alert.sentence, _LONGEST_SENTENCE).rstrip(".")


def _name(alert: Alert) -> str:
    return _plain(alert.job.name, _LONGEST_NAME)


def _job(alert: Alert) -> str:
    where = "/".join(part for part in (alert.job.context, alert.job.namespace, alert.job.name) if part)
    attempt = f", attempt {alert.attempt}" if alert.attempt else ""
    return f"{_plain(where, 3 * _LONGEST_NAME)}{attempt}"


def _time(when: datetime | None) -> str:
    return f"{when:%Y-%m-%d %H:%M} {when.tzname() or ''}".rstrip() if when else "unknown"


def _plain(text: str, longest: int) -> str:
    """Return a text of one line without control and formatting characters, cut to a length."""
    plain = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text[: 4 * longest])
    plain = " ".join(plain.split())
    return plain if len(plain) <= longest else f"{plain[: longest - 1]}…"
