"""Ranges: their ends, how they widen, how they are rounded, and when they are told anew."""

from datetime import UTC, datetime, timedelta
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.estimates.coverage import Coverage, coverage_of
from backend.estimates.ranges import (
    FARTHEST,
    LEAST_WIDENING,
    MOST_WIDENING,
    ends_of,
    exact_range,
    has_moved,
    next_widening,
    rounded_outwards,
)
from backend_client.models import StartRange

NOW = datetime(2026, 3, 4, 10, 2, 30, tzinfo=UTC)
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


def told_range(starts, widening, now):
    exact = exact_range(starts, widening, now)
    return exact and not exact.far and rounded_outwards(exact, now)


def clock(range_):
    return f"{range_.earliest:%d %H:%M}-{range_.latest:%d %H:%M}"


@pytest.mark.parametrize(
    ("lower", "upper", "told"),
    [
        (0, 0, "04 10:00-04 10:05"),
        (3 * MINUTE, 20 * MINUTE, "04 10:05-04 10:25"),
        (20 * MINUTE, 2 * HOUR, "04 10:20-04 12:30"),
        (4 * HOUR, 5 * HOUR, "04 14:00-04 15:30"),
        (5 * HOUR, 9 * HOUR, "04 15:00-04 20:00"),
        (20 * HOUR, 30 * HOUR, "05 06:00-05 17:00"),
    ],
)
def test_ends_are_rounded_outwards(lower, upper, told):
    starts = [lower] * 30 + [upper] * 30
    assert clock(told_range(starts, 1.0, NOW)) == told


def test_what_may_be_a_week_away_has_no_range_and_what_is_says_so():
    assert told_range([HOUR] * 30 + [inf] * 30, 1.0, NOW) is None
    assert told_range([HOUR] * 30 + [8 * DAY] * 30, 1.0, NOW) is None
    assert exact_range([8 * DAY] * 60, 1.0, NOW) == StartRange(NOW + FARTHEST, NOW + FARTHEST, far=True)
    assert exact_range([inf] * 60, 1.0, NOW).far


def test_a_range_is_told_anew_where_an_end_moves_by_a_fifth_of_its_width():
    def between(first, last):
        return StartRange(NOW + timedelta(minutes=first), NOW + timedelta(minutes=last))

    told = between(60, 160)
    assert not has_moved(told, between(40, 160))
    assert not has_moved(told, between(60, 180))
    assert has_moved(told, between(39, 160))
    assert has_moved(told, between(60, 181))


SORTED = st.lists(st.floats(0, 1e6), min_size=20, max_size=60).map(sorted)
WIDENINGS = st.floats(LEAST_WIDENING, MOST_WIDENING)


@given(SORTED, WIDENINGS)
def test_ends_are_in_order_and_a_told_range_holds_them(starts, widening):
    lower, upper = ends_of(starts, widening)
    assert 0 <= lower <= upper
    told = told_range(starts, widening, NOW)
    if told:
        assert told.earliest <= NOW + timedelta(seconds=lower) + timedelta(microseconds=1)
        assert NOW + timedelta(seconds=upper) <= told.latest + timedelta(microseconds=1)


@given(SORTED, st.floats(1, MOST_WIDENING), st.floats(1, MOST_WIDENING))
def test_a_wider_range_holds_a_narrower_one(starts, one, other):
    narrow, wide = ends_of(starts, min(one, other)), ends_of(starts, max(one, other))
    assert wide[0] <= narrow[0] <= narrow[1] <= wide[1]


@given(st.lists(st.booleans(), max_size=300), WIDENINGS)
def test_the_widening_stays_within_bounds_and_grows_only_at_a_miss(hits, widening):
    for hit in hits:
        following = next_widening(widening, hit)
        assert LEAST_WIDENING <= following <= MOST_WIDENING
        assert following <= widening if hit else following >= widening
        widening = following


def test_four_hits_of_five_leave_the_widening_as_it_is():
    coverage = coverage_of((number % 5 != 0, 2.0) for number in range(50))
    assert coverage.widening == pytest.approx(2.0)
    assert (coverage.is_shown, coverage.told) == (True, (8, 10))


@pytest.mark.parametrize(
    ("hits", "shown", "told"),
    [
        ([], True, (0, 0)),
        ([False] * 9, True, (0, 0)),
        ([False] * 10, False, (0, 10)),
        ([True] * 6 + [False] * 4, True, (6, 10)),
        ([True] * 29 + [False] * 21, False, (0, 10)),
        ([False] * 99 + [True] * 40 + [False] * 10, True, (0, 10)),
    ],
)
def test_ranges_that_are_wrong_too_often_are_hidden(hits, shown, told):
    coverage = Coverage()
    for hit in hits:
        coverage.add(hit)
    assert (coverage.is_shown, coverage.told) == (shown, told)
