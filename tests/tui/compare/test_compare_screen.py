"""`v` in the list: the marked jobs over one another, by keyboard."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from backend_client.errors import Refused
from backend_client.models import JobState
from backend_client.progress.points import Points
from backend_client.progress.series_view import WEIGHTS, View, line_of
from tests.support.scripted import ScriptedBackend, make_job
from tests.tui.support.deck import deck
from tui.compare.view import draw

BORN = datetime(2026, 1, 5, tzinfo=UTC)


def three() -> ScriptedBackend:
    """ant and bee tell a loss and more, cat writes nothing."""
    names = ("ant", "bee", "cat")
    backend = ScriptedBackend(
        make_job(name, command=("t", "--lr", str(n)), created=BORN - timedelta(hours=n))
        for n, name in enumerate(names)
    )
    for factor, name in enumerate(names[:2], start=1):
        lines = [f"step {n} loss {factor * (1 + 1 / n):.4f} acc 0.{n}" for n in range(1, 100)]
        backend.logs_of[f"uid-{name}"] = [line.encode() for line in lines]
    return backend


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_the_marked_jobs_are_drawn_and_followed(tmp_path: Path, size: tuple[int, int]):
    backend = three()
    async with deck(backend, tmp_path=tmp_path, size=size) as running:
        await running.press("asterisk", "v")
        await running.until("1.01 (99)")
        await running.until("2.02 (99)")
        assert "loss (1 of 2)  over the steps" in running.shown
        assert "no output yet" in running.shown
        plot = running.shown.partition("\u2518")[0]
        assert plot.count("A") >= 2
        assert plot.count("B") >= 2
        await backend.write_log("uid-bee", b"step 100 loss 0.5\nstep 101 loss nan")
        await running.until("nan since 101")
        await running.until("0.5 (100)")


async def test_series_scale_time_and_differences_by_their_keys(tmp_path: Path):
    async with deck(three(), tmp_path=tmp_path) as running:
        await running.press("asterisk", "v")
        await running.until("2.02 (99)")
        await running.press("n")
        await running.until("acc (2 of 2)")
        await running.until("BEST: HIGHEST")
        await running.press("N", "s", "l", "t")
        await running.until("loss (1 of 2)  over the time since each began, smoothed 0.6, log scale")
        await running.press("d")
        await running.until("A --lr 0   B --lr 1   C --lr 2")
        await running.press("v")
        await running.until("3 marked")


async def test_more_than_eight_are_not_compared_and_say_so(tmp_path: Path):
    backend = ScriptedBackend(make_job(f"job-{n}") for n in range(9))
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("asterisk", "v")
        await running.until("At most 8 jobs are")
        assert type(running.app.screen).__name__ == "MainScreen"


async def test_a_log_that_cannot_be_read_says_why_and_without_marks_it_is_one_job(tmp_path: Path):
    backend = ScriptedBackend([make_job("ant", JobState.FAILED)])
    backend.fail["logs"] = Refused("You may not read it.")
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("v")
        await running.until("you may not read it")
        await running.until("No line of these logs tells a loss")
        await running.press("n", "t", "l", "d")
        await running.until("There is one job alone.")


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 10**9), st.floats()), max_size=9), min_size=1, max_size=8),
    st.builds(View, st.booleans(), st.sampled_from(WEIGHTS), st.booleans()),
    st.integers(60, 120),
    st.integers(4, 40),
)
def test_whatever_is_told_is_drawn_within_its_room(
    told: list[list[tuple[int, float]]], view: View, width: int, height: int
):
    lines = []
    for figures in told:
        points = Points()
        for step, figure in figures:
            points.add(step, figure, 1.0 + step)
        lines.append(line_of(points, view, 0.0))
    if any(lines):
        rows = ["".join(run.text for run in row) for row in draw(lines, view, width, height)]
        assert len(rows) <= height
        assert all(cell_len(row) <= width for row in rows)
