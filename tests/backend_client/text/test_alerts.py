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
from tests.support.hostile import TEXTS
from tests.support.scripted import make_alert

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
