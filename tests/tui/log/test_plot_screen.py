"""`v`: the loss over the steps, out of the log's lines."""

import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from backend_client.errors import Refused
from backend_client.progress.loss_curve import MOST, LossCurve, split_batch
from backend_client.protocol import Lines, LogSource
from tests.support.scripted import ScriptedBackend, make_job
from tests.tui.support.deck import deck
from tui.log.plot import draw
from tui.ui.sanitize import UNSAFE


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


def test_the_library_is_loaded_for_the_first_plot_alone():
    code = (
        "import sys, tui.log.plot_screen, tui.jobs.detail_screen, tui.app; sys.exit('plotext' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
