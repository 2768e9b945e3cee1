"""The series of a log: which figures have a name, at which step, over restarts, ranks and half lines."""

from math import isfinite, isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.progress.pairs import pairs
from backend_client.progress.points import MOST, NO_STEP, Points
from backend_client.progress.series import MOST_SERIES, LogSeries
from backend_client.progress.smooth import smoothed
from backend_client.protocol import Lines, LogSource


def said(*lines: str, attempt: int = 1, rank: int = 0, unfinished: bool = False) -> Lines:
    raw = [line.encode() for line in lines]
    times = [n * 10**9 for n in range(1, len(raw) + 1)]
    return Lines(source=LogSource(attempt, rank), lines=raw, times=times, open=unfinished)


def heard(*batches: Lines) -> dict[str, list[tuple[int, float]]]:
    series = LogSeries()
    for batch in batches:
        series.feed(batch)
    return {name: points.points for name, points in series.by_name.items()}


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("step 5/100 loss 0.5 acc 0.91 12.0 it/s", {"acc": 0.91}),
        (
            "{'loss': 2.3, 'grad_norm': 1.2, 'learning_rate': 5e-05}",
            {"grad_norm": 1.2, "learning_rate": 5e-05},
        ),
        (
            " iteration 100/ 5000 | lm loss: 1.07E+01 | loss scale: 1.0 | grad norm: 3.1 |",
            {"loss_scale": 1.0, "grad_norm": 3.1},
        ),
        ("step 250: train loss 2.5012, val loss 2.6120", {"val_loss": 2.612}),
        (
            "- accuracy: 0.55 - loss: 1.2 - val_accuracy: 0.5 - val_loss: 1.3",
            {"accuracy": 0.55, "val_accuracy": 0.5, "val_loss": 1.3},
        ),
        ("42%|####| 420/1000 [00:10<00:14, 40.1it/s, loss=0.5, lr=1e-3]", {"lr": 0.001}),
        ("val step 900 loss=0.5 accuracy: 70.3%", {"val_loss": 0.5, "val_accuracy": 70.3}),
        ("lr=-inf reward=1e400", {"lr": float("-inf"), "reward": float("inf")}),
        ("http://host:8080 2026-01-01T10:30:45 a=1.2.3 b=0,5 c=12ms d=3/4 seed=1 rank=0 step=7", {}),
        ("lr=0.1 lr=0.2", {"lr": 0.1}),
    ],
)
def test_the_named_figures_of_a_line(line: str, named: dict[str, float]):
    assert dict(pairs(line, in_training=True)) == named


def test_prose_before_the_training_is_no_series():
    assert dict(pairs("two moons: 8000 points, lr 0.3, weight_decay=0.1", in_training=False)) == {
        "weight_decay": 0.1
    }


def test_each_figure_has_the_step_of_its_line_or_the_last_one_told():
    lines = ("lr=0.1", "step 10 loss 0.5 acc 0.8", "val_loss=0.6", "step 20 loss nan acc 0.9")
    assert heard(said(*lines)) == {
        "lr": [(NO_STEP, 0.1)],
        "loss": [(10, 0.5)],
        "acc": [(10, 0.8), (20, 0.9)],
        "val_loss": [(10, 0.6)],
    }
    assert heard(said("step=5 accuracy=0.5", "step=6 accuracy=0.6")) == {"accuracy": [(5, 0.5), (6, 0.6)]}
    assert heard(said("loss=0.5", "loss=0.4")) == {"loss": [(NO_STEP, 0.5), (NO_STEP, 0.4)]}


def test_a_half_line_counts_once_and_a_resumed_job_tells_its_steps_anew():
    assert heard(said("step 1 loss 0.5 ac", unfinished=True), said("c 0.7"))["acc"] == [(1, 0.7)]
    before = said("step 1 loss 4 lr 1", "step 2 loss 3 lr 1", "step 3 loss 2 lr 1")
    after = said("step 2 loss 9 lr 2", attempt=2)
    assert heard(before, after) == {"loss": [(1, 4.0), (2, 9.0)], "lr": [(1, 1.0), (2, 2.0)]}


def test_the_lowest_rank_that_tells_a_series_tells_it():
    found = heard(said("step 1 loss 7", rank=1), said("step 1 loss 8 acc 0.5", rank=2), said("hello", rank=0))
    assert found == {"loss": [(1, 7.0)], "acc": [(1, 0.5)]}


def test_names_without_end_are_left_out_and_the_loss_is_not():
    series = LogSeries()
    series.feed(said(*(f"step={n} name{n}=1" for n in range(500)), "step 500 loss 0.5"))
    assert series.left_out
    assert len(series.by_name) <= MOST_SERIES + 2
    assert series.by_name["loss"].last == (500, 0.5)


def test_last_and_best_are_exact_in_a_series_that_is_thinned():
    points = Points()
    for step in range(3 * MOST):
        points.add(step, 0.0 if step == MOST + 1 else 1.0 + step, 1.0 + step)
    assert len(points.points) < MOST
    assert points.lowest == (MOST + 1, 0.0)
    assert points.last == points.highest == (3 * MOST - 1, 3.0 * MOST)
    points.add(3, 5.0, 1e6)
    assert (points.last, points.lowest, points.highest) == ((3, 5.0), (0, 1.0), (3, 5.0))


@given(st.lists(st.tuples(st.integers(0, 50), st.floats()), max_size=60), st.integers(2, 10))
def test_steps_rise_and_figures_are_finite_whatever_comes(told: list[tuple[int, float]], most: int):
    points = Points(most)
    for step, figure in told:
        points.add(step, figure, 0.0)
    steps = [step for step, _ in points.points]
    assert steps == sorted(set(steps))
    assert all(isfinite(figure) for _, figure in points.points)
    assert len(points.points) == len(points.times) < most
    assert (points.last is None) == (not any(isfinite(figure) for _, figure in told))


@given(st.lists(st.binary(max_size=80), max_size=20))
def test_no_bytes_break_it(lines: list[bytes]):
    series = LogSeries()
    series.feed(Lines(source=LogSource(1), lines=lines, times=[0] * len(lines)))
    assert all(name for name in series.by_name)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1), st.floats(0, 0.99))
def test_an_average_stays_between_the_lowest_and_the_highest(figures: list[float], weight: float):
    drawn = [figure for _, figure in smoothed(list(enumerate(figures)), weight)]
    room = 1e-9 * max(map(abs, figures))
    assert all(min(figures) - room <= figure <= max(figures) + room for figure in drawn)
    assert drawn[0] == figures[0]
    assert not any(map(isnan, drawn))
