"""`s` on a job: which rank, why not, and the command where the program has no terminal to give."""

from datetime import UTC, datetime
from pathlib import Path

from backend_client.models import Attempt, JobState
from backend_client.protocol import Feature
from tests.support.scripted import ScriptedBackend, make_job
from tests.tui.support.deck import deck


def job(ranks=1, **more):
    started = datetime.now(UTC)
    attempts = [Attempt(number=1, rank=rank, pod=f"bert-{rank}", started=started) for rank in range(ranks)]
    return make_job("bert", attempts=tuple(attempts), **more)


async def until_told(running, words):
    await running.until(lambda: any(words in told.message for told in running.app._notifications))


async def test_without_a_terminal_to_give_the_command_is_told(tmp_path: Path):
    async with deck(ScriptedBackend([job(namespace="team")]), tmp_path=tmp_path) as running:
        await running.until("> bert")
        await running.press("s")
        await until_told(running, "traindeck --context scripted -n team shell --rank 0 bert")


async def test_of_several_ranks_one_is_chosen(tmp_path: Path):
    async with deck(ScriptedBackend([job(3)]), tmp_path=tmp_path) as running:
        await running.until("> bert")
        await running.press("enter", "s")
        await running.until("A shell in which rank of bert")
        await running.press("down", "down", "enter")
        await until_told(running, "shell --rank 2 bert")


async def test_what_does_not_run_says_its_state(tmp_path: Path):
    waits = make_job("bert", JobState.QUEUED, reason="waits for 8 GPUs")
    async with deck(ScriptedBackend([waits]), tmp_path=tmp_path) as running:
        await running.until("> bert")
        await running.press("s")
        await until_told(running, "the job is Queued: waits for")


async def test_a_context_without_shells_says_so(tmp_path: Path):
    lacks = {Feature.EXEC: "nobody gets in here"}
    async with deck(ScriptedBackend([job()], lacks=lacks), tmp_path=tmp_path) as running:
        await running.until("> bert")
        await running.press("s")
        await until_told(running, "nobody gets in here")
