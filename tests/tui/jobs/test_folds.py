"""A group of the list is a row that opens: its counts, its cursor, and the keys that mean all of its jobs."""

from datetime import UTC, datetime
from pathlib import Path

from backend_client.models import JobSpec, JobState, Sweep
from tests.support.scripted import ScriptedBackend, make_job
from tests.tui.support.deck import Deck, deck
from tui.jobs.job_list import JobList
from tui.settings.model import ListSettings, Settings

BORN = datetime(2026, 1, 5, tzinfo=UTC)
STATES = (JobState.FAILED, JobState.RUNNING, JobState.RUNNING, JobState.QUEUED)
BY_SWEEP = Settings(list=ListSettings(group="sweep"))


def two_sweeps() -> ScriptedBackend:
    jobs = [
        make_job(f"{sweep}-{n}", state, spec=JobSpec(sweep=Sweep(sweep)), created=BORN)
        for sweep in ("lr", "seed")
        for n, state in enumerate(STATES)
    ]
    return ScriptedBackend([*jobs, make_job("one", created=BORN)], lacks={})


def body(running: Deck) -> list[str]:
    return [line.rstrip() for line in running.shown.split("\n─")[0].splitlines()[2:]]


def called(running: Deck, method: str) -> list[str]:
    return sorted(about.uid for name, about in running.backend.calls if name == method)


def marked(running: Deck) -> list[str]:
    return [job.name for job in running.app.screen.query_one(JobList).marked]


async def test_a_sweep_is_one_row_that_enter_opens_and_closes(tmp_path: Path):
    async with deck(two_sweeps(), tmp_path=tmp_path, settings=BY_SWEEP) as running:
        counts = "4 jobs: 1 failed, 2 running, 1 queued"
        assert body(running)[:3] == [
            f" >+ lr  {counts}",
            f"  + seed  {counts}",
            "  - in no sweep  1 job: 1 running",
        ]
        running.backend.change("uid-lr-3", state=JobState.FAILED)
        await running.until(" >+ lr  4 jobs: 2 failed, 2 running")
        await running.press("enter")
        assert body(running)[0].startswith(" >- lr  4 jobs")
        assert [line.split()[0] for line in body(running)[1:5]] == ["lr-0", "lr-3", "lr-1", "lr-2"]
        await running.press("down", "down")
        assert running.app.screen.query_one(JobList).job.name == "lr-3"
        await running.press("up", "up", "enter")
        assert body(running)[1] == f"  + seed  {counts}"


async def test_a_change_in_a_closed_group_repaints_its_heading_alone(tmp_path: Path):
    async with deck(two_sweeps(), tmp_path=tmp_path, settings=BY_SWEEP) as running:
        await running.press("down")
        await running.quiet()
        before = len(running.sent)
        running.backend.change("uid-lr-3", state=JobState.RUNNING)
        await running.until("+ lr  4 jobs: 1 failed, 3 running")
        await running.quiet()
        assert len(running.sent) - before < 200
        assert "seed" not in running.sent[before:]


async def test_keys_on_a_heading_mean_all_of_its_jobs(tmp_path: Path):
    async with deck(two_sweeps(), tmp_path=tmp_path, settings=BY_SWEEP) as running:
        await running.press("down", "x")
        await running.until("Stop these 3 jobs?")
        assert "seed-1, seed-2, seed-3" in running.shown
        await running.press("y")
        await running.until(lambda: called(running, "stop") == ["uid-seed-1", "uid-seed-2", "uid-seed-3"])
        await running.press("d")
        await running.until("Delete these 4 jobs?")
        await running.press("y")
        await running.until(lambda: not any("seed" in line for line in body(running)))
        assert called(running, "delete without waiting") == [f"uid-seed-{n}" for n in range(4)]
        await running.press("home")
        assert body(running)[0].startswith(" >+ lr")


async def test_space_marks_a_group_and_a_filter_leaves_the_rest_out(tmp_path: Path):
    async with deck(two_sweeps(), tmp_path=tmp_path, settings=BY_SWEEP) as running:
        await running.press("space")
        assert marked(running) == ["lr-0", "lr-1", "lr-2", "lr-3"]
        assert [line[:3] for line in body(running)[:2]] == ["* +", " >+"]
        await running.press("slash", *"failed", "enter")
        assert body(running)[1] == " >+ seed  1 job: 1 failed"
        await running.press("space", "home", "space")
        assert marked(running) == ["lr-1", "lr-2", "lr-3", "seed-0"]
        await running.press("escape", "home", "space", "M")
        assert marked(running) == ["lr-0", "seed-0"]


async def test_a_job_that_a_fold_hides_has_the_cursor_back_and_is_unfolded_where_it_is_sought(tmp_path: Path):
    async with deck(two_sweeps(), tmp_path=tmp_path) as running:
        rows = running.app.screen.query_one(JobList)
        rows.move_cursor("uid-seed-2")
        await running.press("O", "O", "O")
        assert " >+ seed  4 jobs" in running.shown
        await running.press("O")
        assert rows.job.name == "seed-2"
        await running.press("O", "O", "O")
        rows.move_cursor("uid-lr-1")
        await running.until(" > lr-1")
        await running.until("+ seed  4 jobs")
        assert "- lr  4 jobs" in running.shown
