"""A list that waits for something beside the network says for what, and nothing ticks meanwhile."""

from datetime import UTC, datetime
from pathlib import Path

from backend_client.protocol import Freshness, FreshnessState
from tests.support.scripted import ScriptedBackend, make_job
from tests.tui.support.deck import deck

WORDS = "waiting for aws to log in (60 s at most)"


class SlowLogin(ScriptedBackend):
    """Says what its watch waits for, until `hold_list` is set."""

    async def watch(self, scopes):
        yield [Freshness(FreshnessState.SYNCING, datetime.now(UTC), WORDS)]
        await self.hold_list.wait()
        yield [Freshness(FreshnessState.SYNCING, datetime.now(UTC))]
        async for batch in super().watch(scopes):
            yield batch


async def test_what_is_waited_for_is_named_in_the_list_and_the_header(tmp_path: Path):
    backend = SlowLogin([make_job("bert")])
    backend.hold_list.clear()
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.until(f"Reading the jobs of scripted: {WORDS} ...")
        assert WORDS in running.shown.splitlines()[0]
        assert "stale" not in running.shown
        await running.quiet()
        backend.hold_list.set()
        await running.until("bert")
        assert WORDS not in running.shown


async def test_a_login_that_is_renewed_marks_the_list(tmp_path: Path):
    backend = ScriptedBackend([make_job("bert")])
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.until("bert")
        backend.set_link(FreshnessState.STALE, WORDS)
        await running.until("stale <1m: waiting for aws")
        backend.set_link(FreshnessState.LIVE)
        await running.until(lambda: "waiting" not in running.shown)
        assert "bert" in running.shown
