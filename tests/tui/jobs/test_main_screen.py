"""The main screen by keyboard, over a scripted backend."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from textual import events

from backend_client.errors import Refused, Unreachable
from backend_client.local.backend import LocalBackend
from backend_client.models import JobState, JobUsage, Progress
from backend_client.models.fields import parse_spec
from backend_client.protocol import AccessDecision, Capacity, Feature, FreshnessState, GpuPool, GpuQuota, Verb
from tests.support.scripted import ScriptedBackend, make_job, make_jobs
from tests.tui.support.deck import Deck, deck
from tui.jobs.job_list import JobList
from tui.settings.model import Settings


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("SSH_CONNECTION", raising=False)


def three() -> ScriptedBackend:
    now = datetime.now(UTC)
    running = Progress(step=3120, total=10_000, rate=1.9, seconds_left=3860, loss=0.4121)
    return ScriptedBackend(
        [
            make_job("bert-ft", gpus=1, progress=running),
            make_job("llama-sft", JobState.QUEUED, gpus=4, reason="waits for 2 GPUs"),
            make_job(
                "probe",
                JobState.FAILED,
                reason="exit 1: No such file: data.csv",
                created=now - timedelta(minutes=90),
            ),
        ]
    )


def called(running: Deck, method: str) -> list[object]:
    return [about for name, about in running.backend.calls if name == method]


def pointed(running: Deck) -> str:
    job = running.app.screen_stack[1].query_one(JobList).job
    return job.name if job else ""


async def test_the_list_at_80_columns(tmp_path: Path):
    async with deck(three(), tmp_path=tmp_path) as running:
        await running.until("GPUs 4 of 4 free")
        lines = running.shown.splitlines()
        assert lines[0] == " traindeck  scripted                                           GPUs 4 of 4 free"
        assert lines[1:5] == [
            "   NAME             STATE      GPUS    AGE  PROGRESS             LOSS",
            " > probe            Failed        0     1h  exit 1: No such file: data.csv",
            "   bert-ft          Running       1    12m  3.1k/10k  31%  1h04  0.412",
            "   llama-sft        Queued        4    12m  waits for 2 GPUs",
        ]
        assert lines[-1].split() == (
            "enter detail n new l log w why x stop d delete r again / filter ? help".split()
        )


async def test_what_comes_while_the_program_ends_is_not_shown(tmp_path: Path):
    async with deck(three(), tmp_path=tmp_path) as running:
        feed = running.app.screen_stack[1].feed
        assert not feed.is_leaving
        running.app.exit()
        assert feed.is_leaving


async def test_more_room_shows_more_columns(tmp_path: Path):
    async with deck(three(), tmp_path=tmp_path, size=(200, 50)) as running:
        for title in ("OWNER", "NODE", "KIND", "NAMESPACE", "COMMAND"):
            assert title in running.shown
        assert "python train.py" in running.shown


async def test_nothing_is_sent_while_nothing_happens(tmp_path: Path):
    async with deck(three(), tmp_path=tmp_path, size=(200, 50)) as running:
        assert await running.sent_while_idle() == ""


async def test_one_changed_row_and_one_step_of_the_cursor_are_a_few_bytes(tmp_path: Path):
    backend = ScriptedBackend(make_jobs(100))
    async with deck(backend, tmp_path=tmp_path, size=(200, 50)) as running:
        job = [job for job in backend.jobs.values() if job.state is JobState.RUNNING][1]
        await running.press("/", *"running", "enter")
        await running.quiet()
        before = len(running.sent)
        backend.change(job.ref.uid, progress=Progress(step=17, total=90, loss=0.25))
        await running.until("17/90")
        assert len(running.sent[before:].encode()) <= 300
        await running.press("U")
        await running.quiet()
        for share, shown in ((0.82, "82%↓0"), (0.9, "90%↓0")):
            before = len(running.sent)
            usage = JobUsage(gpu=share, gpu_min=0.0, gpu_memory=0.6, gpu_memory_max=0.97)
            backend.change(job.ref.uid, usage=usage, progress=Progress(step=18, total=90, loss=share))
            await running.until(shown)
            assert len(running.sent[before:].encode()) <= 300
        running.app.screen.query_one("LogPane").display = False
        await running.quiet()
        before = len(running.sent)
        await running.press("j")
        await running.quiet()
        assert 0 < len(running.sent[before:].encode()) <= 600


async def test_the_columns_of_use_come_and_go_by_a_key_and_an_idle_gpu_is_coloured(tmp_path: Path):
    backend = three()
    backend.change("uid-bert-ft", usage=JobUsage(gpu=0.82, gpu_min=0.0))
    async with deck(backend, tmp_path=tmp_path) as running:
        assert "UTIL" not in running.shown
        await running.press("U")
        await running.until("82%↓0")
        rows = running.app.screen.query_one(JobList)

        def colours(words: str) -> set:
            strips = (rows.render_line(y) for y in range(1, 4))
            return {part.style.color for strip in strips for part in strip if words in part.text}

        warning = rows._style("yellow").color
        assert colours("82%↓0") == {warning}
        backend.change("uid-bert-ft", usage=JobUsage(gpu=0.82, gpu_min=0.8))
        await running.until(lambda: "82%" in running.shown and "↓" not in running.shown)
        assert warning not in colours("82%")
        await running.press("U")
        await running.until(lambda: "UTIL" not in running.shown)
        assert "LOSS" in running.shown


async def test_a_context_that_tells_of_no_use_says_so(tmp_path: Path):
    backend = ScriptedBackend([make_job()], lacks={Feature.METRICS: "nobody measures here"})
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("U")
        await running.until("nobody measures here")
        assert "UTIL" not in running.shown


async def test_the_context_is_told_which_jobs_are_on_the_screen(tmp_path: Path):
    backend = ScriptedBackend(make_jobs(60))
    async with deck(backend, tmp_path=tmp_path) as running:
        rows = running.app.screen.query_one(JobList)

        def looked() -> list[str]:
            told = called(running, "look")
            return [ref.name for ref in told[-1]] if told else []

        def shown() -> list[str]:
            return re.findall(r"job-\d{5}", "\n".join(running.shown.splitlines()[2 : 2 + rows._page]))

        await running.until(lambda: looked() == shown() != [])
        await running.press("end")
        await running.until(lambda: looked() == shown() != [])
        await running.press("/", *"job-00007", "enter")
        await running.until(lambda: looked() == ["job-00007"])
        calls = len(called(running, "look"))
        backend.change("uid-job-00007", reason="gone to lunch")
        await running.until("gone to lunch")
        await running.press("/", "escape")
        await running.until(lambda: looked() == shown() != ["job-00007"])
        assert all(len(refs) > 1 for refs in called(running, "look")[calls:])


async def test_the_cursor_stays_on_its_job(tmp_path: Path):
    backend = ScriptedBackend(make_jobs(60))
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("j", "j", "j")
        name = pointed(running)
        height = next(i for i, line in enumerate(running.shown.splitlines()) if line.startswith(" >"))
        backend.put(*(make_job(f"new-{n}", JobState.FAILED, created=datetime.now(UTC)) for n in range(30)))
        await running.quiet()
        assert pointed(running) == name
        line = running.shown.splitlines()[height]
        assert line.startswith(f" > {name}")
        uid = next(uid for uid, job in backend.jobs.items() if job.name == name)
        backend.remove(uid)
        await running.until(lambda: pointed(running) not in ("", name))


async def test_page_and_end_keys_and_the_mouse(tmp_path: Path):
    backend = ScriptedBackend(make_jobs(60))
    async with deck(backend, tmp_path=tmp_path) as running:
        names = running.app.screen.query_one(JobList).rows.uids
        await running.press("end")
        assert pointed(running) == names[-1].removeprefix("uid-")
        await running.press("home", "pagedown")
        assert pointed(running) != names[0].removeprefix("uid-")
        await running.press("home")
        await running.pilot.click(JobList, offset=(5, 4))
        assert pointed(running) == names[3].removeprefix("uid-")
        assert f" > {pointed(running)}" in running.shown


async def test_filter_while_typing(tmp_path: Path):
    async with deck(three(), tmp_path=tmp_path) as running:
        await running.press("/", *"queued lla")
        await running.until("1 of 3 jobs")
        assert "bert-ft   " not in running.shown
        await running.press("enter")
        assert pointed(running) == "llama-sft"
        await running.press("/", *"zzz")
        await running.until("None of 3 jobs has these words")
        await running.press("escape")
        await running.until("bert-ft")


async def test_order_goes_round(tmp_path: Path):
    async with deck(three(), tmp_path=tmp_path) as running:
        await running.press("o")
        await running.until("newest first")
        await running.press("o")
        await running.until("by name")
        names = re.findall(r"^ [> ] (\S+) +(?:Running|Queued|Failed)", running.shown, re.MULTILINE)
        assert names == ["bert-ft", "llama-sft", "probe"]


async def test_an_empty_list_says_what_to_do(tmp_path: Path):
    async with deck(ScriptedBackend(), tmp_path=tmp_path) as running:
        await running.until("No jobs yet. n makes one")


async def test_the_first_frame_does_not_wait_for_the_list(tmp_path: Path):
    backend = three()
    backend.hold_list.clear()
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.until("Reading the jobs of scripted")
        backend.hold_list.set()
        await running.until("bert-ft")


async def test_a_context_that_cannot_be_opened_says_why(tmp_path: Path):
    async with deck(None, tmp_path=tmp_path) as running:
        await running.until("the script is not there. Write one")
        await running.press("n", "x", "enter")
        assert "cannot be read" in running.shown


async def test_a_stale_list_stays_with_its_age_and_reason(tmp_path: Path):
    async with deck(three(), tmp_path=tmp_path, size=(120, 24)) as running:
        running.backend.set_link(
            FreshnessState.STALE, "the cluster does not answer", datetime.now(UTC) - timedelta(minutes=3)
        )
        await running.until("stale 3m: the cluster does not answer")
        assert "bert-ft" in running.shown
        running.backend.set_link(FreshnessState.LIVE)
        await running.until(lambda: "stale" not in running.shown)


async def test_stop_asks_names_the_job_and_defaults_to_cancel(tmp_path: Path):
    async with deck(three(), tmp_path=tmp_path) as running:
        await running.press("j", "x")
        await running.until("Stop bert-ft?")
        await running.press("enter")
        await running.until(lambda: "Stop bert-ft?" not in running.shown)
        assert called(running, "stop") == []
        await running.press("x")
        await running.until("Stop bert-ft?")
        await running.press("right", "enter")
        await running.until("Stopped")
        assert [ref.uid for ref in called(running, "stop")] == ["uid-bert-ft"]


async def test_what_one_may_not_do_cannot_be_agreed_to(tmp_path: Path):
    backend = three()
    async with deck(backend, tmp_path=tmp_path) as running:
        backend.barred[Verb.STOP] = AccessDecision(False, "you may not patch jobs.batch in team-a")
        backend.barred[Verb.DELETE] = AccessDecision(None, "nobody knows")
        await running.press("j", "x")
        await running.until("You may not patch jobs.batch in team-a.")
        await running.press("y", "right", "enter", "escape")
        await running.until(lambda: "Stop bert-ft?" not in running.shown)
        assert called(running, "stop") == []
        await running.press("d")
        await running.until("Delete bert-ft?")
        await running.press("y")
        await running.until(lambda: "uid-bert-ft" not in running.backend.jobs)


async def test_delete_of_a_running_job_says_that_it_stops_it(tmp_path: Path):
    async with deck(three(), tmp_path=tmp_path) as running:
        await running.press("j", "d")
        await running.until("deleting stops it first")
        await running.press("y")
        await running.until(lambda: "uid-bert-ft" not in running.backend.jobs)
        assert [ref.uid for ref in called(running, "delete")] == ["uid-bert-ft"]


async def test_a_new_job_goes_to_the_namespace_that_was_named(tmp_path: Path):
    async with deck(ScriptedBackend(), tmp_path=tmp_path, namespace="team-b") as running:
        assert " traindeck  scripted/team-b" in running.shown
        await running.press("n", *"bert", "enter", "enter", "enter", *"true", "f2")
        await running.until(lambda: called(running, "create") != [])
        assert [spec.namespace for spec in called(running, "create")] == ["team-b"]


async def test_all_namespaces_are_named(tmp_path: Path):
    backend = ScriptedBackend([make_job("bert", namespace="team-a")])
    async with deck(backend, tmp_path=tmp_path, all_namespaces=True) as running:
        await running.until("team-a/bert")
        assert " traindeck  scripted/all namespaces" in running.shown


async def test_the_quota_stands_in_the_header_where_the_nodes_are_hidden(tmp_path: Path):
    backend = three()
    backend.figures = Capacity(unknown_because="you may not list nodes", quota=GpuQuota(12, 16))
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.until("GPUs 12 of 16 of the quota used")


async def test_the_products_stand_in_the_header_as_far_as_there_is_room(tmp_path: Path):
    backend = three()
    pools = GpuPool("NVIDIA-A100", 32, 4, 4), GpuPool("NVIDIA-H100", 16, 8, 8), GpuPool("X" * 40, 8, 0, 0)
    backend.figures = Capacity(pools)
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.until("GPUs 12 of 56 free (A100 4/32, H100 8/16, ...)")
    async with deck(three_with(pools), tmp_path=tmp_path, size=(160, 30)) as running:
        await running.until("GPUs 12 of 56 free (A100 4/32, H100 8/16, XXX")


def three_with(pools: tuple[GpuPool, ...]) -> ScriptedBackend:
    backend = three()
    backend.figures = Capacity(pools)
    return backend


async def test_why_the_gpus_are_unknown_stands_where_there_is_room(tmp_path: Path):
    backend = three()
    backend.figures = Capacity(unknown_because="you may not list nodes")
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.until("GPUs unknown: you may not list nodes")
        running.backend.set_link(FreshnessState.STALE, "the cluster does not answer for a long while")
        await running.until("stale <1m: the cluster does not answer")
        assert "GPUs unknown" in running.shown
        assert "list nodes" not in running.shown


async def test_stop_says_what_becomes_of_the_log(tmp_path: Path):
    async with deck(three(), tmp_path=tmp_path) as running:
        await running.press("j", "x")
        await running.until("Its log stays.")
        await running.press("escape")
        running.backend.missing_features[Feature.STOPPED_LOGS] = "its pods go, and their logs with them"
        await running.press("x")
        await running.until("Its pods go, and their logs with them.")


async def test_a_slow_deletion_can_be_left_to_its_context(tmp_path: Path):
    async with deck(three(), tmp_path=tmp_path) as running:
        running.backend.holds_deletions = asyncio.Event()
        await running.press("j", "d")
        await running.until("Delete bert-ft?")
        await running.press("y")
        await running.until("delete it once more")
        why = "is being deleted; waits for the finalizer example.org/keep"
        running.backend.change("uid-bert-ft", state=JobState.STOPPING, reason=why)
        await running.until("is being deleted")
        await running.press("d")
        await running.until("Wait no longer until bert-ft is gone?")
        assert "It is being deleted; waits for the finalizer" in running.shown
        await running.press("y")
        await running.until(lambda: "uid-bert-ft" not in running.backend.jobs)
        assert len(called(running, "delete without waiting")) == 1


async def test_a_refused_stop_is_said_in_words(tmp_path: Path):
    async with deck(three(), tmp_path=tmp_path) as running:
        running.backend.fail["stop"] = Refused("It is somebody else's job.", "Ask ada.")
        await running.press("j", "x")
        await running.until("Stop bert-ft?")
        await running.press("y")
        await running.until("bert-ft was not stopped")
        assert "Ask ada." in running.shown


async def test_resume_says_why_a_context_lacks_it(tmp_path: Path):
    async with deck(three(), tmp_path=tmp_path) as running:
        await running.press("u")
        await running.until("this context cannot resume jobs")
        assert called(running, "resume") == []
        assert Feature.RESUME not in running.backend.features


async def test_a_deployment_is_stopped_and_run_as_a_job(tmp_path: Path):
    spec = parse_spec({"name": "web", "kind": "deployment", "replicas": 3, "command": "python train.py"})
    backend = ScriptedBackend([make_job("web", kind="deployment", spec=spec), make_job("once")])
    async with deck(backend, tmp_path=tmp_path) as running:
        running.app.screen.query_one(JobList).move_cursor("uid-once")
        await running.press("J")
        await running.until("once is a job already")
        running.app.screen.query_one(JobList).move_cursor("uid-web")
        await running.press("J")
        await running.until("Stop web, and run it as a job?")
        assert "not in 3 replicas" in running.shown
        await running.press("y")
        await running.until("Run web again")
        await running.until(lambda: backend.jobs["uid-web"].state is JobState.STOPPED)
        await running.until("web-2")
        await running.press("f2")
        await running.until(lambda: len(called(running, "create")) == 1)
        (made,) = called(running, "create")
        assert (made.name, made.kind, made.replicas) == ("web-2", "job", 1)


async def test_a_job_that_may_only_be_looked_at(tmp_path: Path):
    backend = ScriptedBackend([make_job("theirs", read_only="It belongs to the host gpu-8.")])
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("x")
        await running.until("It belongs to the host gpu-8.")
        assert called(running, "stop") == []


async def test_read_only_has_no_acting_keys(tmp_path: Path):
    async with deck(three(), tmp_path=tmp_path, read_only=True) as running:
        assert "READ-ONLY" in running.shown
        footer = running.shown.splitlines()[-1]
        assert "stop" not in footer
        assert "new" not in footer
        await running.press("x", "d", "n", "r", "u")
        await running.quiet()
        assert len(running.app.screen_stack) == 2
        await running.press("question_mark")
        await running.until("Everything about the job")
        assert "Stop the job" not in running.shown
        await running.press("escape", "ctrl+p")
        await running.press(*"stop")
        await running.quiet()
        assert "asks first" not in running.shown


async def test_keys_of_the_settings(tmp_path: Path):
    async with deck(three(), tmp_path=tmp_path, settings=Settings(keys={"stop": "k", "log": "L"})) as running:
        assert "L log" in running.shown
        assert "k stop" in running.shown


async def test_the_palette_does_what_the_keys_do(tmp_path: Path):
    async with deck(three(), tmp_path=tmp_path) as running:
        await running.press("ctrl+p")
        await running.press(*"YAML")
        await running.until("spec file.")
        await running.press("enter")
        await running.until("probe  spec file")


async def test_detail_tells_the_story_and_stays_live(tmp_path: Path):
    async with deck(three(), tmp_path=tmp_path) as running:
        await running.press("j", "enter")
        await running.until("What happened")
        assert "python train.py" in running.shown
        running.backend.change("uid-bert-ft", reason="slow disk")
        await running.until("slow disk")
        await running.press("x")
        await running.until("Stop bert-ft?")
        await running.press("y")
        await running.until("Stopped")
        await running.press("escape")
        await running.until("llama-sft")


async def test_the_capacity_follows_the_states(tmp_path: Path):
    async with deck(three(), tmp_path=tmp_path) as running:
        count = len(called(running, "capacity"))
        running.backend.change("uid-bert-ft", progress=Progress(step=4000, total=10_000))
        await running.until("4k/10k")
        assert len(called(running, "capacity")) == count
        running.backend.change("uid-bert-ft", state=JobState.SUCCEEDED)
        await running.until(lambda: len(called(running, "capacity")) == count + 1)


async def test_the_context_can_be_switched(tmp_path: Path):
    async with deck(three(), tmp_path=tmp_path) as running:
        await running.press("c")
        await running.until("switched off")
        await running.press("down", "enter")
        await running.until("No jobs yet")
        assert " traindeck  other" in running.shown
        assert ("aclose", None) in running.backend.calls


async def test_a_backend_that_fails_is_asked_again(tmp_path: Path):
    backend = three()
    backend.fail["watch"] = Unreachable("Nobody answers.")
    backend.hold_list.clear()
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.until("nobody answers")
        del backend.fail["watch"]
        backend.hold_list.set()
        await running.until("bert-ft")


async def test_a_deleted_job_closes_its_detail(tmp_path: Path):
    async with deck(three(), tmp_path=tmp_path) as running:
        await running.press("enter")
        await running.until("What happened")
        await running.press("d")
        await running.until("Delete probe?")
        await running.press("y")
        await running.until("llama-sft")
        assert pointed(running) == "bert-ft"


async def test_the_ansi_theme_sends_the_terminals_own_colours(tmp_path: Path):
    async with deck(three(), tmp_path=tmp_path, settings=Settings(theme="ansi-dark")) as running:
        await running.press("j")
        await running.quiet()
        assert "\x1b[7;" in running.sent
        assert "\x1b[31;49m Failed" in running.sent


async def test_real_local_jobs(tmp_path: Path):
    backend = LocalBackend(tmp_path / "local")
    command = ("sh", "-c", "echo step 3/9 loss 0.5; exec sleep 60")
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.until("No jobs yet")
        job = await backend.create(parse_spec({"name": "mine", "command": command}), key="k", secrets={})
        await running.until("3/9  33%")
        await running.until("step 3/9 loss 0.5")
        await running.press("x")
        await running.until("Stop mine?")
        await running.press("y")
        await running.until("Stopped")
        await running.press("d")
        await running.until("Delete mine?")
        await running.press("y")
        await running.until("No jobs yet")
        assert job.name == "mine"


async def test_keys_typed_right_behind_one_that_opens_a_screen_do_nothing_to_the_list(tmp_path: Path):
    """All at once, as a slow link brings them: `u` would resume the job that was under the cursor."""
    backend = ScriptedBackend([make_job("probe", JobState.STOPPED)], lacks={})
    async with deck(backend, tmp_path=tmp_path) as running:
        for key in ("n", "u", "b"):
            running.app.post_message(events.Key(key, key))
        await running.until("New job")
        await running.quiet()
        assert called(running, "resume") == []
        assert not running.app.session.watched["scripted"]


async def test_a_key_asks_the_context_anew(tmp_path: Path):
    async with deck(three(), tmp_path=tmp_path) as running:
        await running.until("GPUs 4 of 4 free")
        counted = len(called(running, "capacity"))
        for key in ("ctrl+r", "f5"):
            await running.press(key)
            await running.until("Asking scripted anew.")
        await running.until(lambda: len(called(running, "refresh")) == 2)
        await running.until(lambda: len(called(running, "capacity")) > counted)
