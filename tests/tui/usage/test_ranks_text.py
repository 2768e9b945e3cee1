"""The lines of the ranks side by side."""

from datetime import UTC, datetime, timedelta

import pytest

from backend_client.models import Attempt, JobState
from backend_client.progress.rank_pace import RankPace
from backend_client.progress.rank_table import RankTable
from backend_client.progress.slow_rank import SlowRank
from backend_client.text.ranks import pace_text, rank_rows_of, slow_words
from backend_client.usage import GpuUsage, RankUsage, Usage
from tests.support.scripted import make_job
from tui.usage.ranks_text import HEAD, rank_line

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_rank_is_shown_wherever_it_is_known_from_and_what_is_not_known_is_empty():
    job = make_job(attempts=(Attempt(number=1, rank=0, node="gpu-1"), Attempt(number=1, rank=1)))
    paces = (RankPace(rank=1, step=1500, rate=2.5, last_line=NOW - timedelta(minutes=7)),)
    gpus = (GpuUsage(gpu="0", utilisation=0.9, memory=10, memory_total=40), GpuUsage(gpu="1", utilisation=0))
    usage = Usage(ranks=(RankUsage(rank=2, node="gpu-3", gpus=gpus),))
    first, second, third = rank_rows_of(job, RankTable(paces=paces, usage=usage), NOW)
    assert first[1:] == ("", "", "", "", "", "gpu-1")
    assert second[1:] == ("1.5k", "2.5/s", "", "", "7m", "")
    assert third[1:] == ("", "", "45%", "25%", "", "gpu-3")


def test_a_rank_that_has_ended_is_not_silent():
    job = make_job(attempts=(Attempt(number=1, rank=0, started=NOW, finished=NOW),))
    paces = (RankPace(rank=0, last_line=NOW - timedelta(hours=3)),)
    (row,) = rank_rows_of(job, RankTable(paces=paces), NOW)
    assert row.silent == "ended"


def test_the_newest_attempt_of_a_rank_counts():
    job = make_job(attempts=(Attempt(number=1, node="old"), Attempt(number=2, node="new")))
    assert [row.node for row in rank_rows_of(job, RankTable(), NOW)] == ["new"]


@pytest.mark.parametrize(
    ("rate", "text"),
    [(3.21987, "3.22/s"), (1.0, "1/s"), (0.5, "2 s"), (1 / 31.25, "31.2 s"), (1234, "1.23e+03/s")],
)
def test_a_pace(rate, text):
    assert pace_text(rate) == text


@pytest.mark.parametrize("width", [20, 60, 80, 200])
def test_a_line_is_no_wider_than_the_screen_and_its_columns_stand_under_their_names(width):
    job = make_job(attempts=(Attempt(number=1, rank=63, node="a-node-with-a-very-long-name\x1b[2J" * 5),))
    (row,) = rank_rows_of(job, RankTable(), NOW)
    assert len(rank_line(row, width)) <= width
    assert "\x1b" not in rank_line(row, width)
    assert len(rank_line(HEAD, width)) <= width


@pytest.mark.parametrize(
    ("basis", "factor", "words"),
    [
        ("steps", 1.42, "is 1.4 x slower than the median"),
        ("pace", 2.0, "is 2.0 x slower than the median"),
        ("utilisation", 1.5, "does 1.5 x less than the median"),
        ("utilisation", float("inf"), "does nothing"),
    ],
)
def test_the_slow_rank_is_named_with_its_node_and_from_what_that_is_known(basis, factor, words):
    job = make_job(state=JobState.RUNNING, attempts=(Attempt(number=1, rank=5, node="gpu-12"),))
    slow = SlowRank(rank=5, factor=factor, since=NOW, basis=basis)
    told = slow_words(slow, job)
    assert told.startswith(f"rank 5 {words} since {NOW.astimezone():%H:%M}, on gpu-12 (")
    assert slow_words(None, job) == ""
