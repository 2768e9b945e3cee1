"""Several jobs at once: marks that follow their jobs, one question for all, failures told one by one."""

import re
from datetime import UTC, datetime
from pathlib import Path

from backend_client.errors import Refused
from backend_client.models import JobRef, JobState
from backend_client.protocol import AccessDecision, Verb
from tests.support.scripted import ScriptedBackend, make_job
from tests.tui.support.deck import Deck, deck
from tui.jobs.job_list import JobList


def four() -> ScriptedBackend:
    born = datetime(2026, 1, 5, tzinfo=UTC)
    states = {
        "ant": JobState.RUNNING,
        "bee": JobState.RUNNING,
        "cat": JobState.QUEUED,
        "dog": JobState.FAILED,
    }
    return ScriptedBackend((make_job(name, state, created=born) for name, state in states.items()), lacks={})


def called(running: Deck, method: str) -> list[str]:
    return sorted(about.uid for name, about in running.backend.calls if name == method)


def marked(running: Deck) -> list[str]:
    return re.findall(r"^\*[> ] (\S+)", running.shown, re.MULTILINE)


async def mark(running: Deck, *names: str) -> None:
    for name in names:
        running.app.screen.query_one(JobList).move_cursor(f"uid-{name}")
        await running.press("space")


async def test_marks_follow_their_jobs_and_go_with_them(tmp_path: Path):
    async with deck(four(), tmp_path=tmp_path) as running:
        await mark(running, "ant", "cat")
        await running.until("2 marked")
        assert marked(running) == ["ant", "cat"]
        running.backend.put(make_job("new", JobState.FAILED))
        running.backend.change("uid-cat", state=JobState.FAILED)
        await running.until(lambda: marked(running) == ["cat", "ant"])
        running.backend.remove("uid-cat")
        await running.until("1 marked")
        await running.press("escape")
        await running.until(lambda: marked(running) == [] and "marked" not in running.shown)


async def test_space_again_marks_no_more_and_goes_on(tmp_path: Path):
    async with deck(four(), tmp_path=tmp_path) as running:
        await running.press("home", "space", "space")
        assert marked(running) == ["dog", "ant"]
        await running.press("home", "space")
        assert marked(running) == ["ant"]


async def test_one_question_names_all_and_each_is_stopped_by_uid(tmp_path: Path):
    async with deck(four(), tmp_path=tmp_path) as running:
        await mark(running, "ant", "bee", "dog")
        await running.press("x")
        await running.until("Stop these 2 jobs?")
        assert "ant, bee" in running.shown
        assert "Left out: dog has ended already." in running.shown
        await running.press("enter")
        await running.until(lambda: "Stop these" not in running.shown)
        assert called(running, "stop") == []
        assert len(marked(running)) == 3
        await running.press("x")
        await running.until("Stop these 2 jobs?")
        await running.press("y")
        await running.until(lambda: called(running, "stop") == ["uid-ant", "uid-bee"])
        await running.until(lambda: marked(running) == [])


async def test_failures_are_told_one_by_one_and_spare_no_other(tmp_path: Path):
    class Picky(ScriptedBackend):
        async def stop(self, ref: JobRef):
            if ref.name != "bee":
                raise Refused(f"{ref.name} is somebody else's.", f"Ask about {ref.name}.")
            return await super().stop(ref)

    backend = Picky(four().jobs.values())
    async with deck(backend, tmp_path=tmp_path) as running:
        await mark(running, "ant", "bee", "cat")
        await running.press("x")
        await running.until("Stop these 3 jobs?")
        await running.press("y")
        await running.until("2 of 3 jobs were not stopped")
        for words in ("ant: ant is somebody else's", "Ask about cat."):
            assert words in running.shown
        assert backend.jobs["uid-bee"].state is JobState.STOPPED


async def test_all_marked_are_deleted_and_none_waits_for_another(tmp_path: Path):
    async with deck(four(), tmp_path=tmp_path) as running:
        await mark(running, "ant", "dog")
        await running.press("d")
        await running.until("Delete these 2 jobs?")
        assert "1 of them still run" in running.shown
        await running.press("y")
        await running.until(lambda: called(running, "delete without waiting") == ["uid-ant", "uid-dog"])
        await running.until(lambda: "dog" not in running.shown.split("log")[0])


async def test_all_marked_are_resumed_after_the_question(tmp_path: Path):
    async with deck(four(), tmp_path=tmp_path) as running:
        await mark(running, "dog")
        await running.press("u")
        await running.until("Resume this job?")
        await running.press("y")
        await running.until(lambda: called(running, "resume") == ["uid-dog"])


async def test_what_may_be_done_to_none_cannot_be_agreed_to(tmp_path: Path):
    async with deck(four(), tmp_path=tmp_path) as running:
        running.backend.barred[Verb.STOP] = AccessDecision(False, "you may not patch jobs")
        await mark(running, "ant", "bee")
        await running.press("x")
        await running.until("You may not patch jobs.")
        await running.press("y", "escape")
        assert called(running, "stop") == []
