"""The ledger: what each job is told, once, and what counts as right, wrong or nothing."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from backend.estimates.ledger import Ledger
from backend_client.models import JobState
from tests.backend.clusters.test_hub import job

NOW = datetime(2026, 3, 4, 10, tzinfo=UTC)
KEY = "c", "a"
WAITING = job("a", state=JobState.QUEUED)
IN_AN_HOUR = [3600.0] * 30 + [7200.0] * 30
"""Told as 11:00 to 12:00."""


def later(**span):
    return NOW + timedelta(**span)


@pytest.fixture
def ledger():
    made = Ledger()
    assert made.tell(KEY, "q", IN_AN_HOUR, NOW)
    return made


def outcome(ledger):
    told = ledger.changed[-1] if ledger.changed else None
    return told and (told.hit, told.started, told.settled, told.voided)


def started(at):
    return replace(job("a"), started=at)


def test_a_range_is_told_once_until_it_moves(ledger):
    again = ledger.tell(KEY, "q", IN_AN_HOUR, later(minutes=5))
    assert again == ledger.new[0].starts
    moved = ledger.tell(KEY, "q", IN_AN_HOUR, later(minutes=45))
    assert [told.starts for told in ledger.new] == [again, moved]
    assert [told.first for told in ledger.new] == [True, False]


@pytest.mark.parametrize(("minutes", "hit"), [(59, False), (60, True), (90, True), (120, True), (121, False)])
def test_a_start_within_the_range_is_a_hit(ledger, minutes, hit):
    at = later(minutes=minutes)
    ledger.settle(KEY, started(at), at)
    assert outcome(ledger) == (hit, at, at, None)
    assert ledger.coverage["c", "q"].hits == [hit]
    assert ledger.keys == []


def test_a_miss_counts_when_the_upper_end_passes_and_only_once(ledger):
    ledger.settle(KEY, WAITING, later(minutes=119))
    assert ledger.changed == []
    ledger.settle(KEY, WAITING, later(minutes=125))
    assert outcome(ledger) == (False, None, later(minutes=125), None)
    ledger.settle(KEY, WAITING, later(minutes=126))
    ledger.settle(KEY, started(later(minutes=130)), later(minutes=131))
    assert outcome(ledger) == (False, later(minutes=130), later(minutes=125), None)
    assert ledger.coverage["c", "q"].hits == [False]


def test_later_ranges_of_one_wait_are_stored_and_not_counted(ledger):
    ledger.tell(KEY, "q", IN_AN_HOUR, later(minutes=45))
    ledger.settle(KEY, started(later(minutes=70)), later(minutes=70))
    assert [told.hit for told in ledger.changed] == [True, False]
    assert ledger.coverage["c", "q"].hits == [True]


@pytest.mark.parametrize(
    "became",
    [
        None,
        job("a", state=JobState.STOPPED),
        job("a", state=JobState.STOPPING),
        job("a", state=JobState.FAILED),
    ],
    ids=["deleted", "stopped", "stopping", "never ran"],
)
def test_who_ends_without_a_start_counts_for_nothing(ledger, became):
    ledger.settle(KEY, became, later(minutes=10))
    assert outcome(ledger) == (None, None, None, later(minutes=10))
    assert ledger.coverage["c", "q"].hits == []


def test_an_eviction_voids_what_was_told_before_it_and_begins_a_new_wait(ledger):
    ledger.void(KEY, later(minutes=10), before=later(minutes=-1))
    assert ledger.changed == []
    ledger.void(KEY, later(minutes=10), before=later(minutes=9))
    assert outcome(ledger) == (None, None, None, later(minutes=10))
    ledger.tell(KEY, "q", IN_AN_HOUR, later(minutes=10))
    assert ledger.new[-1].first


def test_a_start_of_before_the_range_is_not_the_start_that_was_told_of(ledger):
    at = later(minutes=70)
    ledger.settle(KEY, started(later(hours=-5)), at)
    assert outcome(ledger)[:2] == (True, at)


def test_what_is_unknown_settles_nothing(ledger):
    ledger.settle(KEY, job("a", state=JobState.UNKNOWN), later(hours=9))
    assert (ledger.changed, ledger.keys) == ([], [KEY])


def test_a_hidden_range_is_kept_so_that_the_queue_can_come_back():
    ledger = Ledger()
    for _ in range(10):
        ledger.coverage["c", "q"].add(hit=False)
    assert ledger.tell(KEY, "q", IN_AN_HOUR, NOW) is None
    assert [told.shown for told in ledger.new] == [False]
    assert ledger.tell(KEY, "q", [9 * 86400.0] * 60, NOW) is None


def test_a_week_is_said_and_not_counted():
    ledger = Ledger()
    assert ledger.tell(KEY, "q", [9 * 86400.0] * 60, NOW).far
    assert (ledger.new, ledger.keys) == ([], [])
    assert ledger.tell(KEY, "q", None, NOW) is None


def test_people_are_told_how_often_it_came_true():
    ledger = Ledger()
    for number in range(10):
        ledger.coverage["c", "q"].add(hit=number > 1)
    told = ledger.tell(KEY, "q", IN_AN_HOUR, NOW)
    assert (told.right, told.of) == (8, 10)
