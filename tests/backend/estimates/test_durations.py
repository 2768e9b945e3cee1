"""How long jobs run: by whom, of what size, and how much longer once they have run a while."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.estimates.durations import Durations, PastJob, SurvivalCurve

HOUR = 3600.0


def ended(*hours, user="ann", gpus=1):
    return [PastJob(user, gpus, hour * HOUR) for hour in hours]


@pytest.mark.parametrize(
    ("share", "age", "hours"),
    [
        (0.9, 0, 1),
        (0.5, 0, 2),
        (0.1, 0, 4),
        (0.5, 2, 3),
        (0.5, 3.5, 4),
        (0.5, 4, 8),  # as old as all that is known: as likely as not twice as old
        (0.25, 10, 40),
    ],
)
def test_what_a_job_of_an_age_lasts(share, age, hours):
    curve = SurvivalCurve(ended(1, 2, 3, 4))
    assert curve.quantile(share, age * HOUR) == pytest.approx(hours * HOUR)


def test_what_still_runs_counts_as_longer_than_its_age():
    running = [PastJob("ann", 1, 3 * HOUR, ended=False)]
    alone, with_it = SurvivalCurve(ended(1, 2)), SurvivalCurve([*ended(1, 2), *running])
    assert alone.quantile(0.4) == 2 * HOUR
    assert with_it.quantile(0.4) == 2 * HOUR
    assert with_it.quantile(0.1) > 3 * HOUR
    assert alone.quantile(0.1) == 2 * HOUR


def test_a_group_speaks_once_it_has_twenty_of_its_own():
    theirs, mine = ended(*[10] * 50, user="bob", gpus=8), ended(*[1] * 19, gpus=1)
    few = Durations([*theirs, *mine])
    assert few.curve("ann", 1).quantile(0.5) == 10 * HOUR
    enough = Durations([*theirs, *mine, *ended(1)])
    assert enough.curve("ann", 1).quantile(0.5) == HOUR
    assert enough.curve("ann", 8).quantile(0.5) == HOUR  # the person before the size
    assert enough.curve("new", 8).quantile(0.5) == 10 * HOUR
    assert enough.curve("new", 2).quantile(0.5) == 10 * HOUR  # all


def test_without_a_history_there_is_a_curve():
    assert Durations(()).curve("ann", 1).quantile(0.5, 60.0) > 60.0


CURVES = st.lists(
    st.builds(PastJob, st.just("a"), st.just(1), st.floats(0, 1e6), st.booleans()), max_size=30
).map(SurvivalCurve)
SHARES = st.floats(0.001, 0.999)


@given(CURVES, SHARES, SHARES, st.floats(0, 2e6))
def test_the_fewer_last_longer_the_longer_they_last(curve, one, other, age):
    few, many = sorted((one, other))
    assert curve.quantile(few, age) >= curve.quantile(many, age) >= age
