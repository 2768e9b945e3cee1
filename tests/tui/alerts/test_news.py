"""Which alerts a person is told of, once each."""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from backend_client.alerts.alert import Alert, AlertState
from tests.support.scripted import make_alert
from tui.alerts.news import QUIET_SECONDS, AlertNews

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
FIRES = make_alert(fired=NOW - timedelta(minutes=10))
SEEN = replace(FIRES, id="seen", acknowledged=NOW, acknowledged_by="ada")
SNOOZED = replace(FIRES, id="snoozed", snoozed_until=NOW + timedelta(hours=1))
RECOVERED = replace(FIRES, id="recovered", state=AlertState.RECOVERED, recovered=NOW)


def news(*before: Alert) -> AlertNews:
    made = AlertNews()
    made.update(before, NOW)
    return made


def told(made: AlertNews, *alerts: Alert, now: datetime = NOW, ends: tuple[str, ...] = ()) -> list[str]:
    made.update(alerts, now, ends)
    return [alert.id for alert in made.take(0.0)]


def test_what_fired_before_is_no_news_and_each_is_told_once():
    made = news(FIRES)
    new = replace(FIRES, id="new")
    assert told(made, FIRES, new) == ["new"]
    assert told(made, FIRES, new) == []


def test_a_snooze_that_is_over_is_told():
    made, later = news(SNOOZED), NOW + timedelta(hours=2)
    assert told(made, SNOOZED) == []
    assert told(made, SNOOZED, now=later) == ["snoozed"]
    assert told(made, SNOOZED, now=later) == []


def test_what_is_seen_or_recovered_before_it_is_told_is_not():
    for how in (SEEN, RECOVERED, SNOOZED):
        made = news()
        made.update([replace(FIRES, id="a")], NOW)
        assert made.is_waiting
        assert told(made, replace(how, id="a")) == []


def test_a_burst_is_gathered():
    made = news()
    made.update([replace(FIRES, id="a")], NOW)
    assert made.due(100.0) == 0.0
    assert [alert.id for alert in made.take(100.0)] == ["a"]
    made.update([replace(FIRES, id=name) for name in "abc"], NOW)
    assert made.due(101.0) == QUIET_SECONDS - 1
    made.update([replace(FIRES, id=name) for name in "abcd"], NOW)
    assert {alert.id for alert in made.take(130.0)} == {"b", "c", "d"}
    assert not made.is_waiting


def test_the_end_of_a_job_that_is_announced_anyway_is_not_told_twice():
    failed = make_alert(rule="failed", fired=NOW)
    assert told(news(), failed, ends=(failed.job.uid,)) == []
    assert told(news(), FIRES, ends=(FIRES.job.uid,)) == [FIRES.id]
    assert told(news(), failed, ends=("another",)) == [failed.id]
