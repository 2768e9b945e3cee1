"""Simulated futures: who starts when, in the order of Kueue, and always the same for the same seed."""

from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.estimates.durations import PastJob, SurvivalCurve
from backend.estimates.futures import MAX_POSITIONS, Candidate, Cohort, Holding, simulate_starts
from backend_client.queue_snapshot import FlavorQuota, QueueQuota

HOUR = 3600.0
ONE_HOUR = SurvivalCurve([PastJob("ann", 1, HOUR)] * 30)
"""Jobs that all last an hour."""


def queue(name="q", gpus=4, *, cohort="", strict=False, borrowing=None, lending=None, **flavors):
    quotas = {flavor: FlavorQuota(count) for flavor, count in flavors.items()}
    return QueueQuota(
        name=name,
        cohort=cohort,
        strict=strict,
        flavors=quotas or {"a100": FlavorQuota(gpus, borrowing, lending)},
    )


def holds(gpus, age=0.0, *, name="q", flavor="a100", **more):
    return Holding(name, {flavor: gpus}, ONE_HOUR, age, **more)


def waits(uid, gpus, at=-1.0, *, name="q", flavors=("a100",), **more):
    return Candidate(uid, name, gpus, flavors, ONE_HOUR, at, **more)


def starts(queues, holding, waiting, arrivals=(), own=None):
    """Return uid -> hours until its start where every job lasts exactly an hour."""
    cohort = Cohort(queues, own or {}, holding, waiting, arrivals)
    found = simulate_starts(cohort, 1, futures=3, sigma=0.0)
    assert all(each[0] == each[-1] for each in found.values())
    return {uid: each[0] / HOUR for uid, each in found.items()}


def test_each_starts_when_enough_has_ended():
    holding = [holds(2, 0.25 * HOUR), holds(2, 0.5 * HOUR)]
    assert starts([queue()], holding, [waits("a", 2), waits("b", 2), waits("c", 4)]) == {
        "a": 0.5,
        "b": 0.75,
        "c": 1.75,
    }


def test_a_small_one_passes_a_big_one_but_not_in_strict_order():
    waiting = [waits("big", 4, -2.0), waits("small", 1, -1.0)]
    assert starts([queue()], [holds(2)], waiting) == {"big": 1.0, "small": 0.0}
    assert starts([queue(strict=True)], [holds(2)], waiting) == {"big": 1.0, "small": 2.0}


def test_priority_comes_before_age():
    waiting = [waits("old", 4, -9.0), waits("urgent", 4, -1.0, priority=1000)]
    assert starts([queue()], [holds(4)], waiting) == {"urgent": 1.0, "old": 2.0}


def test_a_job_takes_the_first_of_its_flavors_in_which_it_fits():
    queues = [queue(a100=2, h100=2)]
    waiting = [waits("a", 2, flavors=("a100", "h100")), waits("b", 2, flavors=("a100",))]
    assert starts(queues, [holds(2)], waiting) == {"a": 0.0, "b": 1.0}


def test_a_queue_borrows_what_the_cohort_has_left():
    pair = [queue("q", 2, cohort="c"), queue("other", 2, cohort="c")]
    assert starts(pair, [], [waits("a", 4)]) == {"a": 0.0}
    assert starts(pair, [holds(1, name="other")], [waits("a", 4)]) == {"a": 1.0}
    limited = [queue("q", 2, cohort="c", borrowing=1), queue("other", 2, cohort="c")]
    assert starts(limited, [], [waits("a", 4), waits("b", 3)]) == {"b": 0.0}
    kept = [queue("q", 2, cohort="c"), queue("other", 2, cohort="c", lending=1)]
    assert starts(kept, [], [waits("a", 4), waits("b", 3)]) == {"b": 0.0}
    assert starts([queue("q", 2, cohort="c")], [], [waits("a", 4)], own={"a100": 2}) == {"a": 0.0}


def test_what_can_never_fit_has_no_start_and_holds_up_only_a_strict_queue():
    waiting = [waits("never", 64, -9.0), waits("a", 4)]
    assert starts([queue()], [holds(4)], waiting) == {"a": 1.0}
    assert starts([queue(strict=True)], [holds(4)], waiting) == {"a": inf}


def test_what_serves_until_it_is_stopped_gives_nothing_back():
    assert starts([queue()], [holds(4, ends=False)], [waits("a", 1)]) == {"a": inf}


def test_a_limit_cuts_and_never_lengthens():
    assert starts([queue()], [holds(4, limit=0.5 * HOUR)], [waits("a", 1)]) == {"a": 0.5}
    assert starts([queue()], [holds(4, limit=5 * HOUR)], [waits("a", 1)]) == {"a": 1.0}


def test_newcomers_that_fit_pass_who_waits():
    newcomer = waits("", 2, 0.5 * HOUR)
    assert starts([queue()], [holds(2)], [waits("big", 4)], [newcomer]) == {"big": 1.5}


def test_only_the_first_positions_are_played():
    many = [waits(str(number), 1, number - 1000.0) for number in range(MAX_POSITIONS + 5)]
    assert {*starts([queue()], [], many)} == {str(number) for number in range(MAX_POSITIONS)}


def test_a_play_that_costs_too_much_tells_nothing():
    cohort = Cohort([queue()], {}, [holds(4)], [waits(str(n), 1, float(-n)) for n in range(50)])
    assert simulate_starts(cohort, 1, max_events=200) == {}
    assert len(simulate_starts(cohort, 1)["7"]) == 60


SPREAD = SurvivalCurve([PastJob("ann", 1, HOUR * hours) for hours in (0.1, 0.5, 1, 2, 8)] * 5)
SIZES = st.lists(st.integers(1, 4), min_size=1, max_size=8)


@settings(max_examples=40)
@given(SIZES, SIZES, st.integers(0, 9), st.booleans())
def test_the_same_seed_gives_the_same_future_and_every_start_is_a_time(held, sizes, seed, strict):
    cohort = Cohort(
        [queue(gpus=sum(held) + 3, strict=strict)],
        {},
        [Holding("q", {"a100": gpus}, SPREAD, 60.0) for gpus in held],
        [Candidate(str(n), "q", gpus, ("a100",), SPREAD, float(-n)) for n, gpus in enumerate(sizes)],
    )
    found = simulate_starts(cohort, seed, futures=20)
    assert found == simulate_starts(cohort, seed, futures=20)
    assert found.keys() == {str(n) for n in range(len(sizes))}
    assert all(each == sorted(each) and each[0] >= 0 and len(each) == 20 for each in found.values())


@settings(max_examples=40)
@given(SIZES, SIZES, st.integers(0, 9))
def test_in_a_strict_queue_nobody_starts_before_who_came_first(held, sizes, seed):
    cohort = Cohort(
        [queue(gpus=max(*held, *sizes, 4), strict=True)],
        {},
        [Holding("q", {"a100": gpus}, SPREAD, 60.0) for gpus in held],
        [Candidate(f"{n}", "q", gpus, ("a100",), SPREAD, n - 100.0) for n, gpus in enumerate(sizes)],
    )
    found = simulate_starts(cohort, seed, futures=20)
    for number in range(len(sizes) - 1):
        pairs = zip(found[f"{number}"], found[f"{number + 1}"], strict=True)
        assert all(first <= second for first, second in pairs)


@pytest.mark.parametrize("sigma", [0.0, 0.5])
def test_a_common_factor_makes_futures_differ(sigma):
    cohort = Cohort([queue()], {}, [holds(1) for _ in range(4)], [waits("a", 4)])
    found = simulate_starts(cohort, 3, sigma=sigma)["a"]
    assert (found[0] < 0.7 * found[-1]) is bool(sigma)
