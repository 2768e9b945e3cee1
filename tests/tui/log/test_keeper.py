"""What was followed on the screen is there again when the source has lost it."""

import asyncio

from backend_client.errors import NotFound
from backend_client.logs.log_copies import LogCopies
from backend_client.models import Attempt, JobState
from backend_client.paths import user_cache_dir
from backend_client.protocol import Feature
from tests.support.scripted import ScriptedBackend, make_job
from tests.tui.support.deck import Deck, deck
from tui.log.pane import LogPane

GO = {Feature.STOPPED_LOGS: "its pods go, and their logs with them"}
HEAD = "the log is gone from where the job ran; this is what was followed here until"


def two_jobs(lacks=GO) -> ScriptedBackend:
    backend = ScriptedBackend([make_job("ant"), make_job("bee")], lacks=lacks)
    backend.logs_of["uid-ant"] = [b"ant one", b"ant two"]
    backend.logs_of["uid-bee"] = [b"bee one"]
    return backend


def kept(backend: ScriptedBackend, uid: str) -> bool:
    ref = next((job.ref for job in backend.jobs.values() if job.ref.uid == uid), make_job(uid[4:]).ref)
    return LogCopies().find(ref) is not None


def lose(backend: ScriptedBackend, uid: str, state=JobState.STOPPED) -> None:
    """The pods of a job go, and the log with them."""
    backend.logs_of[uid].clear()
    backend.ended_logs.add(uid)
    backend.change(uid, state=state, attempts=())


async def go_to(running: Deck, name: str) -> None:
    """Put the cursor on a job, wherever the list has it now."""
    for key in ("up", "down"):
        if running.app.screen.job.name != name:
            await running.press(key)
    await running.until(f"{name}  log")


async def leave(running: Deck, backend: ScriptedBackend) -> None:
    """From ant's log to bee's."""
    await go_to(running, "ant")
    await running.until("ant two")
    await go_to(running, "bee")
    await running.until("bee one")
    await running.until(lambda: kept(backend, "uid-ant"))


async def test_a_log_that_went_with_its_pod_is_shown_as_it_was_followed(tmp_path):
    backend = two_jobs()
    async with deck(backend, tmp_path=tmp_path, size=(120, 30)) as running:
        await leave(running, backend)
        lose(backend, "uid-ant")
        await go_to(running, "ant")
        await running.until(HEAD)
        await running.until("a copy, of what was followed until")
        await running.until("ant two")
        await running.until("the job has ended")
        await go_to(running, "bee")
        await running.until(lambda: "bee one" in running.shown and "a copy" not in running.shown)


async def test_what_is_still_there_is_read_there(tmp_path):
    backend = two_jobs()
    async with deck(backend, tmp_path=tmp_path, size=(120, 30)) as running:
        await leave(running, backend)
        await go_to(running, "ant")
        await running.until("ant two")
        assert "copy" not in running.shown


async def test_the_end_of_a_stream_and_of_the_program_keep_it_too(tmp_path):
    backend = two_jobs()
    async with deck(backend, tmp_path=tmp_path) as running:
        await go_to(running, "ant")
        await running.until("ant two")
        await backend.write_log("uid-ant", b"ant three", end=True)
        await running.until(lambda: kept(backend, "uid-ant"))
        await go_to(running, "bee")
        await backend.write_log("uid-bee", b"bee two")
        await running.until("bee two")
    await asyncio.get_running_loop().shutdown_default_executor()
    copy = LogCopies().find(make_job("bee").ref)
    assert copy.lines[-1].text == b"bee two"


async def test_the_next_program_finds_it(tmp_path):
    backend = two_jobs()
    async with deck(backend, tmp_path=tmp_path) as running:
        await leave(running, backend)
    lose(backend, "uid-ant", JobState.FAILED)
    async with deck(backend, tmp_path=tmp_path, size=(120, 30)) as running:
        await go_to(running, "ant")
        await running.until(HEAD)
        await running.press("l")
        await running.until(lambda: HEAD in running.shown and "ant one" in running.shown)


async def test_a_preempted_job_shows_it_until_it_runs_again(tmp_path):
    backend = two_jobs()
    async with deck(backend, tmp_path=tmp_path, size=(120, 30)) as running:
        await leave(running, backend)
        backend.logs_of["uid-ant"].clear()
        backend.change("uid-ant", state=JobState.PENDING, attempts=(Attempt(number=1),))
        await go_to(running, "ant")
        await running.until(HEAD)
        await backend.write_log("uid-ant", b"from the start")
        await running.until("from the start")
        assert "here the job was started again" in running.shown
        await running.until("following")
        assert "a copy" not in running.shown


async def test_a_deleted_job_leaves_nothing(tmp_path):
    backend = two_jobs()
    async with deck(backend, tmp_path=tmp_path) as running:
        await leave(running, backend)
        await go_to(running, "ant")
        await running.until("ant two")
        await running.press("d")
        await running.until("Delete ant?")
        await running.press("y")
        await running.until(lambda: "uid-ant" not in backend.jobs)
        await running.until("bee one")
    await asyncio.get_running_loop().shutdown_default_executor()
    assert not kept(backend, "uid-ant")


async def test_where_logs_stay_nothing_is_kept(tmp_path):
    backend = two_jobs(lacks={})
    async with deck(backend, tmp_path=tmp_path) as running:
        await go_to(running, "ant")
        await running.until("ant two")
        await go_to(running, "bee")
        await running.until("bee one")
    await asyncio.get_running_loop().shutdown_default_executor()
    assert not (user_cache_dir() / "logs").exists()


async def test_a_copy_is_saved_and_plotted_as_a_log_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    backend = two_jobs()
    backend.logs_of["uid-ant"] = [b"step %d loss 0.%d" % (n, 9 - n) for n in range(8)] + [b"ant two"]
    async with deck(backend, tmp_path=tmp_path, size=(120, 30)) as running:
        await leave(running, backend)
        lose(backend, "uid-ant")
        await go_to(running, "ant")
        await running.until(HEAD)
        await running.press("tab", "S")
        await running.until("ant.log")
        await running.press("enter")
        await running.until("Saved")
        assert (tmp_path / "ant.log").read_bytes().endswith(b"step 7 loss 0.2\nant two\n")
        await running.press("v")
        await running.until(lambda: "of the last" in running.shown or "step" in running.shown)


async def test_a_log_that_cannot_be_found_any_more_is_shown_too(tmp_path):
    backend = two_jobs()
    async with deck(backend, tmp_path=tmp_path, size=(120, 30)) as running:
        await leave(running, backend)
        backend.fail["logs"] = NotFound("There is no job ant any more.")
        await go_to(running, "ant")
        await running.until(HEAD)
        assert "Its log was deleted." not in running.shown


async def test_a_disk_that_refuses_is_not_noticed(tmp_path):
    (tmp_path / "cache").write_text("no folder")
    backend = two_jobs()
    async with deck(backend, tmp_path=tmp_path) as running:
        await go_to(running, "ant")
        await running.until("ant two")
        await go_to(running, "bee")
        await running.until("bee one")
        lose(backend, "uid-ant")
        await go_to(running, "ant")
        await running.until("Its pods go")
        assert running.app.screen.query_one(LogPane)
