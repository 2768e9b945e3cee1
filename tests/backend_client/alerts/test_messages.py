"""Alerts as messages: what stands in them, and what never does."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from backend_client.alerts.alert import Alert, AlertState
from backend_client.alerts.messages import MOST_IN_A_DIGEST, digest_of, message_of
from backend_client.models import JobState
from tests.backend_client.alerts.support.story import REF, START, play, running

ALERT = Alert(
    id="a7",
    rule="gpu-idle",
    job=REF,
    attempt=2,
    sentence="none of the 8 GPUs of bert was used for 30 min",
    fired=START,
)
OVER = replace(
    ALERT,
    id="a8",
    state=AlertState.RECOVERED,
    sentence="the GPUs of bert are used again",
    recovered=START + timedelta(hours=1),
)


def test_one_alert():
    message = message_of(ALERT)
    assert message.title == "bert: GPUs idle"
    assert message.text.splitlines() == [
        "none of the 8 GPUs of bert was used for 30 min.",
        "",
        "job      c/ns/bert, attempt 2",
        "since    2026-03-02 08:00 UTC",
        "",
        "Silence it: traindeck alerts ack a7",
    ]


def test_one_that_is_over_says_so_and_cannot_be_silenced():
    message = message_of(OVER)
    assert message.title == "bert: recovered (GPUs idle)"
    assert "until    2026-03-02 09:00 UTC" in message.text
    assert "ack" not in message.text


def test_several_are_one_message_and_those_that_fire_come_first():
    message = digest_of([OVER, ALERT, replace(ALERT, id="a9", rule="silent", sentence="it is quiet")])
    assert message.title == "2 alerts, 1 over (1 job)"
    assert message.text.splitlines() == [
        "bert: GPUs idle. none of the 8 GPUs of bert was used for 30 min.",
        "    traindeck alerts ack a7",
        "bert: no progress. it is quiet.",
        "    traindeck alerts ack a9",
        "bert: recovered (GPUs idle). the GPUs of bert are used again.",
    ]
    assert digest_of([ALERT]) == message_of(ALERT)


def test_a_burst_is_cut_and_says_how_many_more():
    many = [replace(ALERT, id=f"a{number}") for number in range(MOST_IN_A_DIGEST + 480)]
    message = digest_of(many)
    assert message.title == "500 alerts (1 job)"
    assert message.text.endswith("and 480 more: traindeck alerts")
    assert len(message.text.splitlines()) == 2 * MOST_IN_A_DIGEST + 1


@given(st.text(max_size=400), st.text(min_size=1, max_size=300))
def test_nothing_in_a_message_breaks_out_of_its_line(sentence: str, name: str):
    hostile = replace(ALERT, sentence=sentence, job=replace(REF, name=name))
    for message in (message_of(hostile), digest_of([hostile, ALERT])):
        assert "\n" not in message.title
        assert len(message.title) < 200
        assert all(c.isprintable() or c == "\n" for c in message.title + message.text)
    assert len(message_of(hostile).text.split("\n")) == len(message_of(ALERT).text.split("\n"))
    assert len(digest_of([hostile, ALERT]).text.split("\n")) == 4


def test_what_a_job_printed_at_its_end_is_not_told():
    reason = "exit 1: ValueError: token hf_secret is wrong"
    failed = play([(0, running()), (9, {"state": JobState.FAILED, "reason": reason})], 10)
    assert [t.sentence for t in failed] == ["bert failed: exit 1"]
