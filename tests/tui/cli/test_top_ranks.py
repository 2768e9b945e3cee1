"""`top NAME --ranks`: the ranks of a job side by side."""

import json
from datetime import UTC, datetime

import pytest

from backend_client.models import Attempt, JobState
from backend_client.protocol import Closed, Feature, Lines, LogSource
from tests.support.scripted import make_job

NOW = datetime.now(UTC).timestamp()


def _said(rank: int, late: float) -> Lines:
    return Lines(
        source=LogSource(1, rank),
        lines=[f"step {step}/1000 loss 0.5".encode() for step in range(20)],
        times=[int((NOW - 400 + 20 * step + late) * 1e9) for step in range(20)],
    )


@pytest.fixture
def ranked(backend):
    attempts = tuple(Attempt(number=1, rank=rank, node=f"gpu-{rank}") for rank in range(4))
    job = make_job("bert", JobState.RUNNING, attempts=attempts)
    backend.jobs = {job.ref.uid: job}

    async def logs(query, *, after=""):
        assert not query.follow
        yield [_said(rank, 6.0 if rank == 2 else 0.0) for rank in range(4)]
        yield [Closed("that was all")]

    backend.logs = logs
    return backend


def test_the_slow_rank_is_named(cli, ranked):
    done = cli("top", "bert", "--ranks")
    assert [line.split()[:4] for line in done.out.splitlines()[:2]] == [
        ["RANK", "STEP", "PACE", "UTIL"],
        ["0", "19", "20", "s"],
    ]
    assert "rank 2 is 1.4 x slower than the median since" in done.err
    assert "on gpu-2 (comes to each step last)" in done.err


def test_as_data(cli, ranked):
    found = json.loads(cli("top", "bert", "--ranks", "-o", "json").out)
    assert [pace["step"] for pace in found["paces"]] == [19] * 4
    assert (found["slow"]["rank"], found["slow"]["basis"]) == (2, "steps")


def test_it_needs_a_name_and_a_context_with_ranks(cli, ranked):
    assert cli("top", "--ranks").code == 2
    ranked.features = ranked.features - {Feature.RANKS}
    ranked.missing_features = {**ranked.missing_features, Feature.RANKS: "its jobs are one process"}
    done = cli("top", "bert", "--ranks")
    assert (done.code, "its jobs are one process" in done.err) == (1, True)
