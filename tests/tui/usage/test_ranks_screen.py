"""`R`: the ranks of a job side by side."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from backend_client.errors import Refused, Unreachable
from backend_client.models import Attempt
from backend_client.protocol import Feature, Lines, LogSource
from tests.support.scripted import ScriptedBackend, make_job
from tests.support.usages import make_history, make_usage
from tests.tui.support.deck import deck
from tui.usage import ranks_screen


def _job():
    return make_job(
        "bert", attempts=tuple(Attempt(number=1, rank=rank, node=f"gpu-{rank}") for rank in range(4))
    )


def _steps(rank: int, count: int, late: float = 0.0) -> Lines:
    start = datetime.now(UTC).timestamp() - 20 * count
    return Lines(
        source=LogSource(1, rank),
        lines=[f"step {step}/1000 loss 0.5".encode() for step in range(count)],
        times=[int((start + 20 * step + late) * 1e9) for step in range(count)],
    )


class RankedBackend(ScriptedBackend):
    """Its logs are given as batches of ranks; they stay open."""

    batches: tuple[Lines, ...] = ()

    async def logs(self, query, *, after=""):
        self._call("logs", query)
        yield list(self.batches)
        await asyncio.Event().wait()


async def test_the_slow_rank_is_named_and_marked(tmp_path: Path):
    backend = RankedBackend([_job()])
    backend.batches = tuple(_steps(rank, 20, late=6.0 if rank == 2 else 0.0) for rank in range(4))
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("enter", "R")
        await running.until("rank 2 is 1.4 x slower than the median since")
        assert "on gpu-2" in running.shown
        assert "bert  4 ranks" in running.shown
        await running.until("▸    2        19")
        await running.press("escape")
        await running.until("Command")


async def test_even_ranks_name_nobody_and_a_lost_log_says_why(tmp_path: Path):
    backend = RankedBackend([_job()])
    backend.batches = tuple(_steps(rank, 20) for rank in range(4))
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("enter", "R")
        await running.until("    3        19")
        assert "slower" not in running.shown
    backend.fail["logs"] = Refused("Its log is gone.", "Run it again.")
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("enter", "R")
        await running.until("Its log is gone.")
        await running.until("gpu-3")


async def test_use_that_cannot_be_read_any_more_stays_with_its_age_and_the_reason(
    tmp_path: Path, monkeypatch
):
    monkeypatch.setattr(ranks_screen, "EVERY", 0.05)
    monkeypatch.setattr(ranks_screen, "_DRAW_SECONDS", 0.05)
    backend = RankedBackend([_job()])
    backend.used["uid-bert"], backend.use_histories["uid-bert"] = make_usage(4), make_history(4)
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("enter", "R")
        await running.until("87%")
        assert "from Prometheus" in running.shown
        backend.fail["usage"] = Unreachable("Prometheus is asleep.")
        await running.until("Prometheus is asleep")
        assert "87%" in running.shown
        assert "use unknown since" in running.shown
        del backend.fail["usage"]
        await running.until(lambda: "asleep" not in running.shown)


async def test_a_context_without_ranks_says_so(tmp_path: Path):
    backend = ScriptedBackend([_job()], lacks={Feature.RANKS: "its jobs are one process"})
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("enter", "R")
        await running.until("its jobs are one process")
