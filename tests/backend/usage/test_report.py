"""Sums over attempts: days of a zone, groups, what is too little measured to be told."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.usage.report import AttemptUse, HourUse, days, make_report
from backend_client.usage_report import ReportQuery

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def use(**more):
    known = {"job": 1, "user": "ann", "gpus": 2, "allocated": NOON, "released": NOON + 3 * HOUR}
    return AttemptUse(**known | more)


def report(*attempts, by="user", zone="UTC", since=NOON - 24 * HOUR, until=NOON + 48 * HOUR, now=None):
    return make_report(ReportQuery(by=by, zone=zone), attempts, since, until, now or until)


@pytest.mark.parametrize(
    ("zone", "since", "lengths"),
    [
        ("UTC", datetime(2026, 3, 28, tzinfo=UTC), [24, 24, 24]),
        ("Europe/Berlin", datetime(2026, 3, 27, 23, tzinfo=UTC), [24, 23, 24, 1]),  # clocks go forward
        ("Europe/Berlin", datetime(2026, 10, 23, 22, tzinfo=UTC), [24, 25, 23]),  # and back
        ("Asia/Kathmandu", datetime(2026, 3, 28, tzinfo=UTC), [18.25, 24, 24, 5.75]),
    ],
)
def test_days_are_those_of_the_asker(zone, since, lengths):
    found = days(since, since + 72 * HOUR, ZoneInfo(zone))
    assert [(end - start) / HOUR for _, start, end in found] == lengths
    assert all(
        datetime.fromisoformat(label).date() == start.astimezone(ZoneInfo(zone)).date()
        for label, start, _ in found
    )


@given(
    st.lists(
        st.tuples(st.integers(0, 20_000), st.integers(1, 9_000), st.integers(0, 8), st.booleans()),
        max_size=12,
    ),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]),
    st.sampled_from([datetime(2026, 3, 25, 5, 30, tzinfo=UTC), datetime(2026, 10, 22, tzinfo=UTC)]),
)
def test_days_add_up_to_the_total(spans, zone, start):
    attempts = []
    for number, (begin, length, gpus, ended) in enumerate(spans):
        allocated = start + timedelta(minutes=begin)
        hour = allocated.replace(minute=0)
        attempts.append(
            AttemptUse(
                job=number,
                user="ann",
                gpus=gpus,
                allocated=allocated,
                started=allocated,
                released=allocated + timedelta(minutes=length) if ended else None,
                asked=allocated - timedelta(minutes=length),
                hours=[HourUse(hour + n * HOUR, 100.0, 60.0, 10.0) for n in range(3)],
            )
        )
    until = start + 12 * 24 * HOUR
    by_day = report(*attempts, by="day", zone=zone, since=start, until=until)
    whole = report(*attempts, since=start, until=until)
    for name in ("held", "running", "waited", "preempted", "failed", "uncertain"):
        total = getattr(whole.total, name)
        assert getattr(by_day.total, name) == pytest.approx(total)
        assert sum(getattr(row, name) for row in by_day.rows) == pytest.approx(total)
    assert by_day.total.jobs == whole.total.jobs


def test_what_an_attempt_held_ran_and_lost_is_told_apart():
    started = {"started": NOON + HOUR, "finished": NOON + 2.5 * HOUR}
    found = report(
        use(**started, between=1800.0, end="failed"),
        use(job=2, gpus=1, end="preempted"),
        use(job=2, gpus=1, end="succeeded", released_lo=NOON + 2 * HOUR, asked=NOON - HOUR),
    )
    total = found.total
    assert (total.held, total.running, total.failed, total.preempted) == pytest.approx((12, 2, 6, 3))
    assert (total.uncertain, total.waited, total.jobs) == pytest.approx((1, 1, 2))


def test_what_goes_on_counts_until_now_and_nothing_beyond_the_period():
    open_ = use(released=None, started=NOON)
    assert report(open_, now=NOON + HOUR).total.held == 2
    assert report(open_, until=NOON + HOUR / 2, now=NOON + HOUR).total.held == 1
    assert report(open_, since=NOON + 1.5 * HOUR, now=NOON + HOUR).total.held == 0
    assert report(open_, now=NOON - HOUR).total.held == 0  # a clock that was behind


@pytest.mark.parametrize(("measured", "idle"), [(0.0, None), (4.7, None), (4.8, 0.25), (6.0, 0.25)])
def test_idle_is_told_only_where_enough_was_measured(measured, idle):
    seconds = measured * 3600
    found = report(use(hours=[HourUse(NOON, seconds, seconds / 2, seconds / 4)])).total
    assert found.coverage == pytest.approx(measured / 6)
    assert found.idle == idle
    assert found.utilisation == (None if idle is None else 0.5)


def test_groups_are_the_largest_first_and_days_in_order():
    attempts = [
        use(user="ann", team="nlp", queue="q", project="p", gpu_type="H100"),
        use(user="bob", job=2, gpus=8, allocated=NOON - 20 * HOUR),
    ]
    assert [row.group for row in report(*attempts).rows] == ["bob", "ann"]
    assert [row.group for row in report(*attempts, by="team").rows] == ["", "nlp"]
    assert [row.group for row in report(*attempts, by="gpu_type").rows] == ["", "H100"]
    assert [row.group for row in report(*attempts, by="day").rows] == ["2026-03-03", "2026-03-04"]
