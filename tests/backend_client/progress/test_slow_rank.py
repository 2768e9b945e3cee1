"""Which rank sets the pace: planted slow ranks are found, even runs raise no false name."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from backend_client.progress.rank_pace import RankPace, RankPaces, StepTime
from backend_client.progress.slow_rank import slow_rank
from backend_client.protocol import Lines, LogSource
from backend_client.usage import Measure, UsageHistory, UsageSeries

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def run(
    seed: int, *, ranks: int = 8, steps: int = 120, slow: int | None = None, factor: float = 1.0, waits=True
) -> list[RankPace]:
    """Return the paces of a run: of ranks that wait for each other at each step, or of such that do not.

    Steps of varying length, a checkpoint of rank 0 now and then, hiccups, clocks that are apart, late lines.
    """
    chance = random.Random(seed)
    usual = chance.uniform(0.3, 20)
    every = chance.choice([1, 1, 5])
    skew = [chance.uniform(-0.15, 0.15) for _ in range(ranks)]
    clock = [START.timestamp()] * ranks
    told: list[list[StepTime]] = [[] for _ in range(ranks)]
    for step in range(1, steps * every + 1):
        arrived = []
        for rank in range(ranks):
            took = usual * chance.uniform(0.97, 1.03) * (factor if rank == slow else 1)
            took += usual * 8 if rank == 0 and step % 50 == 0 else 0
            took += usual * chance.uniform(1, 4) if chance.random() < 0.004 else 0
            arrived.append(clock[rank] + took)
        for rank in range(ranks):
            if step % every == 0:
                written = arrived[rank] + skew[rank] + chance.uniform(0, 0.03)
                told[rank].append(StepTime(written, step))
            clock[rank] = max(arrived) if waits else arrived[rank]
    return [
        RankPace(rank=rank, step=told[rank][-1].step, steps=tuple(told[rank][-240:])) for rank in range(ranks)
    ]


@pytest.mark.parametrize("waits", [True, False], ids=["together", "each for itself"])
@pytest.mark.parametrize("ranks", [3, 8, 64])
def test_a_hundred_even_runs_name_nobody(ranks, waits):
    named = [seed for seed in range(100) if slow_rank(run(seed, ranks=ranks, steps=60, waits=waits))]
    assert named == []


@pytest.mark.parametrize("factor", [1.3, 1.4, 2.0])
@pytest.mark.parametrize("seed", range(5))
def test_a_rank_that_does_not_wait_is_found_by_its_pace(seed, factor):
    found = slow_rank(run(seed, slow=5, factor=factor, waits=False))
    assert found is not None
    assert (found.rank, found.basis) == (5, "pace")
    assert found.factor == pytest.approx(factor, rel=0.12)


def test_ranks_that_wait_for_each_other_the_last_one_sets_the_pace():
    missed = []
    for seed in range(30):
        paces = run(seed, slow=5, factor=1.4)
        found = slow_rank(paces)
        steps = paces[0].steps
        took = (steps[-1].time - steps[0].time) / (steps[-1].step - steps[0].step)
        if found is None:
            missed.append(took)
            continue
        assert (found.rank, found.basis) == (5, "steps")
        assert 1.2 < found.factor < 1.7
    assert all(took < 4 for took in missed), "only where a step is so short that clocks hide it"


def test_where_few_ranks_print_steps_their_gpus_are_compared():
    history = _history([[0.95] * 30, [0.93] * 30, [0.6] * 30, [0.97] * 30])
    silent = [run(1)[0], *(RankPace(rank=rank) for rank in (1, 2, 3))]
    found = slow_rank(silent, history)
    assert found is not None
    assert (found.rank, found.basis, found.since) == (2, "utilisation", START)
    assert found.factor == pytest.approx(0.94 / 0.6)


@pytest.mark.parametrize(
    "uses",
    [
        pytest.param([[0.9] * 30] * 4, id="alike"),
        pytest.param([[0.05] * 30, [0.05] * 30, [0.01] * 30], id="nobody is busy"),
        pytest.param([[0.9] * 30, [0.5] * 30], id="two of them"),
        pytest.param([[0.9] * 5, [0.9] * 5, [0.5] * 5], id="too few samples"),
        pytest.param([[0.9] * 30, [0.9] * 30, [None] * 30], id="one is not told"),
        pytest.param([[0.9] * 30, [0.9] * 30, [0.9] * 15 + [0.5] * 15], id="only for half the time"),
        pytest.param([[0.9] * 30, [0.5] * 30, [0.5] * 30, [0.9] * 30], id="two halves"),
    ],
)
def test_use_that_names_nobody(uses):
    assert slow_rank([], _history(uses)) is None


def test_a_hundred_even_runs_by_their_use_name_nobody():
    for seed in range(100):
        chance = random.Random(seed)
        usual = chance.uniform(0.3, 0.97)
        uses = [
            [
                None if chance.random() < 0.02 else min(1.0, max(0.0, chance.gauss(usual, 0.06)))
                for _ in range(60)
            ]
            for _ in range(16)
        ]
        assert slow_rank([], _history(uses)) is None


def _history(uses) -> UsageHistory:
    return UsageHistory(
        start=START,
        step=60,
        series=tuple(
            UsageSeries(measure=Measure.UTILISATION, rank=rank, gpu="0", values=tuple(values))
            for rank, values in enumerate(uses)
        ),
    )


def _batch(rank: int, first: int, count: int, *, attempt: int = 1, every: float = 2.0) -> Lines:
    lines = [f"step {first + i}/1000 loss 0.{500 - i}".encode() for i in range(count)]
    times = [int((START.timestamp() + (first + i) * every) * 1e9) for i in range(count)]
    return Lines(source=LogSource(attempt, rank), lines=lines, times=times)


def test_the_log_of_each_rank_gives_its_steps_pace_and_last_line():
    paces = RankPaces()
    paces.feed(_batch(0, 1, 20))
    paces.feed(_batch(1, 1, 10, every=4.0))
    paces.feed(_batch(0, 21, 20))
    one, two = paces.ranks.values()
    assert (one.step, one.rate, len(one.steps)) == (40, pytest.approx(0.5), 40)
    assert (two.step, two.rate) == (10, pytest.approx(0.25))
    assert one.last_line == START + timedelta(seconds=80)


def test_lines_that_come_again_and_those_of_an_earlier_attempt_are_left_out():
    paces = RankPaces()
    paces.feed(_batch(0, 1, 20))
    paces.feed(_batch(0, 15, 6))
    assert len(paces.ranks[0].steps) == 20
    paces.feed(_batch(0, 1, 3, attempt=2, every=100.0))
    paces.feed(_batch(0, 30, 5))
    assert (paces.ranks[0].attempt, paces.ranks[0].step) == (2, 3)


def test_a_rank_that_prints_no_steps_has_none_but_its_silence_is_known():
    paces = RankPaces()
    paces.feed(Lines(source=LogSource(1, 3), lines=[b"hello"], times=[int(START.timestamp() * 1e9)]))
    assert (paces.ranks[3].step, paces.ranks[3].rate, paces.ranks[3].last_line) == (None, None, START)
