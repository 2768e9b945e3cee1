"""How an alert stands, its row, what is known of it, and which alerts are news."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from backend_client.alerts.alert import Alert, AlertState, Delivery, DeliveryState
from backend_client.text.alerts import (
    Standing,
    about,
    count_firing,
    delivery_words,
    header_words,
    newest_first,
    row_cells,
    snooze_choices,
    standing,
    told_words,
)
from backend_client.text.sanitize import UNSAFE
from tests.support.scripted import make_alert
from tests.tui.test_hostile import TEXTS
from tui.alerts.alerts_text import format_cells
from tui.alerts.news import QUIET_SECONDS, AlertNews

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
FIRES = make_alert(fired=NOW - timedelta(minutes=10))
SEEN = replace(FIRES, id="seen", acknowledged=NOW, acknowledged_by="ada")
SNOOZED = replace(FIRES, id="snoozed", snoozed_until=NOW + timedelta(hours=1))
RECOVERED = replace(FIRES, id="recovered", state=AlertState.RECOVERED, recovered=NOW)


@pytest.mark.parametrize(
    ("alert", "how"),
    [
        (FIRES, Standing.FIRING),
        (SEEN, Standing.SEEN),
        (SNOOZED, Standing.SNOOZED),
        (replace(FIRES, snoozed_until=NOW), Standing.FIRING),
        (RECOVERED, Standing.RECOVERED),
        (replace(SEEN, state=AlertState.RECOVERED), Standing.RECOVERED),
        (replace(SNOOZED, acknowledged=NOW), Standing.SEEN),
    ],
)
def test_how_an_alert_stands(alert: Alert, how: Standing):
    assert standing(alert, NOW) is how


def test_only_what_fires_unseen_is_counted():
    assert count_firing([FIRES, SEEN, SNOOZED, RECOVERED], NOW) == 1
    assert count_firing([SNOOZED], NOW + timedelta(hours=2)) == 1


@pytest.mark.parametrize(
    ("firing", "words"), [(0, ""), (1, "1 alert"), (12, "12 alerts"), (None, "alerts unknown")]
)
def test_the_headers_word_and_no_data_is_not_none_firing(firing: int | None, words: str):
    assert header_words(firing) == words


def test_a_row_and_one_that_could_not_be_sent():
    assert row_cells(FIRES, NOW) == ["10m", "firing", "bert-ft", "no GPU of bert-ft was used for 30 min"]
    given_up = Delivery(channel="hook", state=DeliveryState.FAILED, tries=9, why="answers 500")
    assert row_cells(replace(FIRES, deliveries=(given_up,)), NOW)[-1].startswith("not sent: no GPU")
    held = Delivery(channel="hook", state=DeliveryState.HELD)
    assert not row_cells(replace(FIRES, deliveries=(held,)), NOW)[-1].startswith("not sent")


@pytest.mark.parametrize("width", [20, 80, 200])
def test_a_row_is_no_wider_than_the_screen(width: int):
    line = " ".join(format_cells(row_cells(replace(FIRES, sentence="x" * 400), NOW), width))
    assert len(line) <= max(width - 2, 36)


@pytest.mark.parametrize(
    ("delivery", "words"),
    [
        (Delivery(channel="m", state=DeliveryState.HELD), "m: held back by quiet hours"),
        (Delivery(channel="m", state=DeliveryState.WAITING), "m: to be sent"),
        (
            Delivery(channel="m", state=DeliveryState.WAITING, tries=1, why="no answer"),
            "m: not sent yet, 1 try: no answer; it is tried again",
        ),
        (
            Delivery(channel="m", state=DeliveryState.FAILED, tries=9, why="answers 500"),
            "m: given up after 9 tries: answers 500",
        ),
        (Delivery(channel="m", state=DeliveryState.SENT, tries=1), "m: sent"),
    ],
)
def test_what_became_of_a_message(delivery: Delivery, words: str):
    assert delivery_words(delivery) == words


def test_all_that_is_known_of_one():
    lines = about(replace(SEEN, episode=2, attempt=3), NOW)
    assert lines[0] == "no GPU of bert-ft was used for 30 min"
    assert lines[1].endswith("for the 2nd time  rule gpu-idle of attempt 3")
    assert lines[2].startswith("seen by ada ")
    assert about(SNOOZED, NOW)[2].startswith("snoozed until ")
    assert about(RECOVERED, NOW)[2].endswith(", after 10m")


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_no_text_of_an_alert_steers_a_terminal(text: str):
    ref = replace(FIRES.job, name=text)
    delivery = Delivery(channel=text, state=DeliveryState.FAILED, tries=1, why=text)
    alert = replace(SEEN, job=ref, rule=text, sentence=text, acknowledged_by=text, deliveries=(delivery,) * 2)
    for line in [*row_cells(alert, NOW), *about(alert, NOW), told_words([alert, alert])]:
        assert not UNSAFE.search(line)


def test_until_tomorrow_is_the_next_morning():
    until = snooze_choices(datetime(2026, 11, 30, 23, 30, 12).astimezone())
    assert list(until) == ["1 hour", "4 hours", "until tomorrow"]
    assert until["until tomorrow"].isoformat().startswith("2026-12-01T08:00:00")


def test_the_newest_comes_first_and_several_are_one_sentence():
    older = replace(FIRES, id="older", fired=NOW - timedelta(hours=1))
    assert newest_first([older, FIRES]) == [FIRES, older]
    assert told_words([FIRES]) == "no GPU of bert-ft was used for 30 min"
    assert told_words([replace(FIRES, sentence="its loss is nan")]) == "bert-ft: its loss is nan"
    assert told_words([FIRES, older, older]).endswith("30 min, and 2 more")


# News


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
