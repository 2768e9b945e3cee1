"""`v`: the loss over the steps, out of the log's lines."""

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from backend_client.errors import Refused
from backend_client.progress.loss_curve import LossCurve, split_batch
from backend_client.progress.points import MOST
from backend_client.protocol import Feature, Lines, LogSource
from backend_client.text.axes import loss_labels, step_labels
from backend_client.text.sanitize import UNSAFE
from tests.support.scripted import ScriptedBackend, make_job
from tests.support.usages import make_history
from tests.tui.support.deck import deck
from tui.log import plot_screen
from tui.log.plot import draw, draw_over_time


def said(*lines: str, attempt: int = 1, rank: int = 0, unfinished: bool = False) -> Lines:
    raw = [line.encode() for line in lines]
    return Lines(source=LogSource(attempt, rank), lines=raw, times=[0] * len(raw), open=unfinished)


def steps(first: int, last: int, by: int = 1, loss: float = 1.0) -> list[str]:
    return [f"step {n} loss {loss + 1 / n:.4f}" for n in range(first, last, by)]


def heard(*batches: Lines) -> list[tuple[int, float]]:
    curve = LossCurve()
    for batch in batches:
        curve.feed(batch)
    return list(curve.points)


def test_every_line_with_a_step_and_a_loss_is_a_point_and_no_other():
    lines = ("step 1 loss 0.5", "saving checkpoint", "step 2 lr 0.1", "step 3 loss nan", "step 4 loss 0.25")
    assert heard(said(*lines)) == [(1, 0.5), (4, 0.25)]
    assert heard(said("step 1 lo", unfinished=True), said("ss 0.5")) == [(1, 0.5)]


def test_a_loss_that_is_no_number_is_told_until_it_is_one_again():
    curve = LossCurve()
    curve.feed(said("step 1 loss 0.5", "step 2 loss nan", "step 3 loss nan"))
    assert (list(curve.points), curve.not_finite) == ([(1, 0.5)], (2, "nan"))
    curve.feed(said("step 4 loss 0.4"))
    assert (list(curve.points), curve.not_finite) == ([(1, 0.5), (4, 0.4)], None)


async def test_the_plot_says_since_when_the_loss_is_nan(tmp_path: Path):
    backend = ScriptedBackend([make_job("bert")])
    await backend.write_log("uid-bert", b"step 100 loss nan\nstep 110 loss nan")
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("enter", "v")
        await running.until("bert  loss nan since step 100")
        await backend.write_log("uid-bert", b"step 120 loss 0.25")
        await running.until("bert  loss 0.250 at step 120")
        await backend.write_log("uid-bert", b"step 130 loss -inf")
        await running.until("loss -inf since step 130  loss 0.250 at step 120")


def test_an_attempt_that_begins_further_back_tells_that_part_anew():
    after = said("step 3 loss 9", "step 4 loss 8", attempt=2)
    assert heard(said(*steps(1, 6)), after) == [(1, 2.0), (2, 1.5), (3, 9.0), (4, 8.0)]


def test_the_lowest_rank_that_tells_a_loss_is_drawn():
    batches = said("hello", rank=0), said(*steps(1, 4), rank=2), said("step 1 loss 7", rank=1)
    assert heard(*batches) == [(1, 7.0)]


def test_a_long_curve_keeps_its_shape_in_few_points():
    points = heard(*split_batch(said(*steps(1, 20_000)), 500))
    assert MOST / 4 < len(points) < MOST
    assert points[0][0] == 1
    assert points[-1][0] > 19_900
    assert [step for step, _ in points] == sorted({step for step, _ in points})


def test_a_batch_in_parts_is_the_same_log():
    whole = said(*steps(1, 100), "step 200 lo", unfinished=True)
    assert heard(*split_batch(whole, 7), said("ss 0.5")) == heard(whole, said("ss 0.5"))


@given(
    st.lists(
        st.tuples(st.integers(0, 10**9), st.floats(-1e30, 1e30)),
        min_size=1,
        max_size=20,
        unique_by=lambda p: p[0],
    ),
    st.integers(30, 120),
    st.integers(8, 40),
)
def test_any_curve_fits_its_room(points: list[tuple[int, float]], width: int, height: int):
    lines = draw(sorted(points), width, height).split("\n")
    assert len(lines) <= height
    assert all(cell_len(line) <= width and not UNSAFE.search(line) for line in lines)


async def test_v_in_detail_and_log_draws_the_loss_and_follows_it(tmp_path: Path):
    backend = ScriptedBackend([make_job("bert")])
    backend.logs_of["uid-bert"] = [line.encode() for line in steps(10, 1000, 10)]
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("enter", "v")
        await running.until("bert  loss 1.001 at step 990")
        assert "\u2524" in running.shown
        await backend.write_log("uid-bert", b"step 1000 loss 0.25")
        await running.until("loss 0.250 at step 1k")
        await running.press("v")
        await running.until("What happened")
        await running.press("l", "v")
        await running.until("loss 0.250 at step 1k")


async def test_a_log_without_a_loss_says_so_and_one_that_cannot_be_read_says_why(tmp_path: Path):
    backend = ScriptedBackend([make_job("bert")])
    await backend.write_log("uid-bert", b"hello", end=True)
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("enter", "v")
        await running.until("No line of its log tells a step and a loss.")
        await running.press("escape")
        backend.fail["logs"] = Refused("You may not read it.")
        await running.press("v")
        await running.until("You may not read it.")


@pytest.mark.parametrize(
    ("ticks", "expected"),
    [
        ([0.5, 1.0, 1.5], ["0.500", "1.000", "1.500"]),
        ([2.00001, 2.00002, 2.00003], ["2.00001", "2.00002", "2.00003"]),
        ([12345.0, 12346.0], ["12345", "12346"]),
        ([1.0], ["1.000"]),
        ([1e-9, 1.1e-9], ["1e-09", "1.1e-09"]),
    ],
)
def test_no_two_labels_of_the_loss_are_alike(ticks: list[float], expected: list[str]):
    assert loss_labels(ticks) == expected


@given(st.lists(st.floats(-1e30, 1e30), min_size=1, max_size=5, unique=True))
def test_labels_that_can_differ_do(ticks: list[float]):
    assert len(set(loss_labels(ticks))) == len(ticks)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([10, 20], ["10", "20"]),
        ([10_010, 10_020], ["10010", "10020"]),
        ([0, 5_000, 10_000], ["0", "5k", "10k"]),
    ],
)
def test_no_two_labels_of_the_steps_are_alike(steps: list[int], expected: list[str]):
    assert step_labels(steps) == expected


async def test_a_log_in_memory_is_not_read_again_and_the_plot_goes_on_with_it(tmp_path: Path):
    backend = ScriptedBackend([make_job("bert")])
    backend.logs_of["uid-bert"] = [line.encode() for line in steps(10, 1000, 10)]
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("l")
        await running.until("step 990")
        before = sum(method == "logs" for method, _ in backend.calls)
        await running.press("v")
        await running.until("loss 1.001 at step 990")
        await backend.write_log("uid-bert", b"step 1000 loss 0.25")
        await running.until("loss 0.250 at step 1k")
        assert sum(method == "logs" for method, _ in backend.calls) == before


async def test_the_plot_of_a_part_says_so_and_a_bar_is_read_anew(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(plot_screen, "PLOTTED", 50)
    backend = ScriptedBackend([make_job("bert")])
    backend.logs_of["uid-bert"] = [line.encode() for line in steps(10, 1000, 10)] + [b"old\rnew"]
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("l")
        await running.until("new")
        before = sum(method == "logs" for method, _ in backend.calls)
        await running.press("v")
        await running.until("bert  last 50 lines  loss 1.001 at step 990")
        assert sum(method == "logs" for method, _ in backend.calls) == before + 1


def test_each_point_has_the_time_of_its_line():
    curve = LossCurve()
    first = Lines(
        source=LogSource(1), lines=[b"step 1 loss 4", b"x", b"step 2 loss 3"], times=[10**9, 0, 3 * 10**9]
    )
    curve.feed(first)
    curve.feed(Lines(source=LogSource(1), lines=[b"step 3 loss 2"], times=[0]))
    assert curve.points_in_time == [(1.0, 4.0), (3.0, 3.0)]
    curve.feed(Lines(source=LogSource(2), lines=[b"step 2 loss 1"], times=[9 * 10**9]))
    assert curve.points_in_time == [(1.0, 4.0), (9.0, 1.0)]


def test_a_curve_that_is_thinned_keeps_a_time_for_each_point():
    curve = LossCurve()
    lines = [f"step {n} loss 1".encode() for n in range(3 * MOST)]
    times = [(n + 1) * 10**9 for n in range(3 * MOST)]
    for part in split_batch(Lines(source=LogSource(1), lines=lines, times=times), 500):
        curve.feed(part)
    assert [time - 1 for time, _ in curve.points_in_time] == [step for step, _ in curve.points]


@given(st.integers(30, 120), st.integers(5, 50), st.integers(1, 40))
def test_loss_and_use_over_the_time_fit_their_room(width: int, height: int, count: int):
    points = [(1e9 + 60 * n, 1 / (n + 1)) for n in range(count)]
    used = [(1e9 + 30 * n, None if n % 7 == 3 else 0.5) for n in range(2 * count)]
    lines = draw_over_time(points, used, width, height).split("\n")
    assert len(lines) <= height
    assert all(cell_len(line) <= width and not UNSAFE.search(line) for line in lines)
    assert (" GPU utilisation" in lines) == (height >= 12)


def test_without_use_the_whole_room_is_the_loss():
    points = [(1e9, 1.0), (1e9 + 60, 0.5)]
    assert "GPU" not in draw_over_time(points, [], 60, 20)
    assert "GPU" not in draw_over_time(points, [(1e9, None)], 60, 20)
    assert len(draw_over_time(points, [], 60, 20).split("\n")) == 20


def logged(minutes: int) -> Lines:
    """A line each minute until now."""
    now = time.time_ns()
    return Lines(
        source=LogSource(1),
        lines=[f"step {n} loss {1 + 1 / n:.3f}".encode() for n in range(1, minutes + 1)],
        times=[now - (minutes - n) * 60 * 10**9 for n in range(1, minutes + 1)],
    )


class TimedBackend(ScriptedBackend):
    """Its log has a line each minute."""

    async def logs(self, query, *, after=""):
        self._call("logs", query)
        yield [logged(30)]
        await asyncio.Event().wait()


async def test_t_draws_the_loss_over_the_time_above_the_use_of_its_gpus(tmp_path: Path):
    backend = TimedBackend([make_job("bert")])
    backend.use_histories["uid-bert"] = make_history()
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("enter", "v")
        await running.until("loss 1.033 at step 30")
        assert "GPU utilisation" not in running.shown
        await running.press("t")
        await running.until("GPU utilisation")
        _, since = next(about for method, about in backend.calls[::-1] if method == "usage_history")
        assert abs((datetime.now(UTC) - since).total_seconds() - 29 * 60) < 60
        await running.press("t")
        await running.until(lambda: "GPU utilisation" not in running.shown)


async def test_over_the_time_without_use_says_why(tmp_path: Path):
    backend = TimedBackend([make_job("bert")], lacks={Feature.METRICS: "nobody measures here"})
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("enter", "v")
        await running.until("loss 1.033 at step 30")
        await running.press("t")
        await running.until("utilisation unknown: nobody measures here")
    backend = TimedBackend([make_job("bert")])
    backend.fail["usage_history"] = Refused("It is asleep.")
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("enter", "v", "t")
        await running.until("utilisation unknown: it is asleep")


async def test_lines_without_times_are_drawn_over_their_steps(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(LossCurve, "points_in_time", [])
    backend = ScriptedBackend([make_job("bert")])
    backend.logs_of["uid-bert"] = [b"step 1 loss 2", b"step 2 loss 1"]
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("enter", "v", "t")
        await running.until("over its steps: its lines have no times")
