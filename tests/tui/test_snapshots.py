"""Few pictures: the screens that people look at all day, at the design size and at a wider one."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from textual.pilot import Pilot

from backend_client.contexts import Contexts
from backend_client.gpu_nodes import GpuNode, GpuNodes, Holder, Whose
from backend_client.models import Job, JobState, Progress
from backend_client.why import Cause, Explanation, Offer
from tests.support.scripted import ScriptedBackend, Way, attempt, make_job
from tests.support.wait import async_until
from tests.tui.support.form_app import refusing
from tui.app import TraindeckApp

SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
MINE = Holder(gpus=3, whose=Whose.MINE, uid="uid-bert-ft", name="bert-ft")
TEAM = Holder(gpus=1, whose=Whose.TEAM, name="probe", owner="bob")
OTHER = Holder(gpus=2, name="llama", namespace="team-b")
H100 = {"product": "NVIDIA-H100-80GB-HBM3", "resource": "nvidia.com/gpu", "total": 8}
MACHINES = (
    GpuNode(name="gpu-1", free=2, holders=(MINE, OTHER, TEAM), **H100),
    GpuNode(name="gpu-2", free=8, **H100),
    GpuNode(name="gpu-3", free=0, cordoned=True, holders=(OTHER,), **H100),
    GpuNode(name="gpu-4", free=0, broken=2, trouble="does not answer", **H100 | {"total": 6}),
)
THEN = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def one_time_zone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def jobs(born: datetime) -> list[Job]:
    figures = Progress(step=3118, total=10_000, rate=1.9, seconds_left=3840, loss=0.4124)
    bert = make_job("bert-ft", created=born, started=born, owner="ada", gpus=1, progress=figures)
    waits = "waits for 4 GPUs; bert-ft holds 1"
    llama = make_job("llama-sft", JobState.QUEUED, created=born, owner="ada", gpus=4, reason=waits)
    missed = "exit 1: No such file: data.csv"
    ends = {"started": born, "finished": born + timedelta(seconds=70)}
    last = attempt(**ends, exit_code=1, reason=missed)
    probe = make_job(
        "probe", JobState.FAILED, created=born, owner="ada", reason=missed, attempts=(last,), **ends
    )
    return [bert, llama, probe]


def why_llama_waits(born: datetime) -> Explanation:
    holds = Cause(id="held", sentence="bert-ft holds 1 GPU", object="job/bert-ft", since=born, raw="slot 0")
    slots = Cause(id="slots", sentence="waits for 4 GPUs; 3 of 4 free", object="job/llama-sft", since=born)
    offer = Offer(
        id="fewer", sentence="3 GPUs are free: with so many it starts at once", changes={"gpus": "3"}
    )
    return Explanation(
        sentence="waits for 4 GPUs; bert-ft holds 1",
        chain=(slots, holds),
        offers=(offer,),
        unknown=("how long bert-ft will run is not known: it has no max_runtime",),
    )


def app_of(tmp_path: Path, born: datetime) -> TraindeckApp:
    backend = refusing(ScriptedBackend(jobs(born)))
    lines = [
        f"step {n}/10000 loss {0.42 - n / 1e5:.4f} lr 3.0e-05 1.9 it/s".encode() for n in range(3060, 3119)
    ]
    warning = b"\x1b[33mWARNING\x1b[0m gradient norm 11.2 was clipped to 1.0"
    backend.explanations["uid-llama-sft"] = why_llama_waits(born)
    backend.logs_of["uid-bert-ft"] = [*lines[:50], warning, *lines[50:]]
    return TraindeckApp(Contexts([Way(backend)], tmp_path / "chosen"), context="scripted")


def press(*keys: str, wait: str):
    """Go to bert-ft, press the keys, and wait for lines of words on the screen."""

    async def run_before(pilot: Pilot[int]) -> None:
        await shown(pilot, "bert-ft")
        while "> bert-ft" not in text(pilot):
            await pilot.press("down")
            await pilot.pause()
        await shown(pilot, "3118/10000")
        await pilot.press(*keys)
        for words in wait.splitlines():
            await shown(pilot, words)
        await pilot.pause(0.4)

    return run_before


def text(pilot: Pilot[int]) -> str:
    return "\n".join(strip.text for strip in pilot.app.screen._compositor.render_strips())


async def shown(pilot: Pilot[int], words: str) -> None:
    await async_until(
        lambda: words in text(pilot),
        message=lambda: f"{words}\n{text(pilot)}",
        pause=lambda: pilot.pause(0.02),
    )


@SIZES
def test_list_with_its_log(snap_compare, tmp_path: Path, size: tuple[int, int]):
    app = app_of(tmp_path, datetime.now(UTC) - timedelta(minutes=12, seconds=20))
    assert snap_compare(app, terminal_size=size, run_before=press(wait="following"))


@SIZES
def test_log_full_screen(snap_compare, tmp_path: Path, size: tuple[int, int]):
    app = app_of(tmp_path, THEN)
    assert snap_compare(app, terminal_size=size, run_before=press("l", wait="escape back\n3118/10000"))


@SIZES
def test_detail_of_a_failed_job(snap_compare, tmp_path: Path, size: tuple[int, int]):
    app = app_of(tmp_path, THEN)
    assert snap_compare(app, terminal_size=size, run_before=press("home", "enter", wait="Attempts"))


@SIZES
def test_form_with_an_error(snap_compare, tmp_path: Path, size: tuple[int, int]):
    keys = ("n", *"Bert", "underscore", *"FT", "tab", "tab", "tab", *"two")
    app = app_of(tmp_path, THEN)
    assert snap_compare(app, terminal_size=size, run_before=press(*keys, wait="whole number\n4 of 4 free"))


@SIZES
def test_machines_with_gpus(snap_compare, tmp_path: Path, size: tuple[int, int]):
    app = app_of(tmp_path, THEN)
    app.session.contexts.open("scripted").machines = GpuNodes(MACHINES)
    assert snap_compare(app, terminal_size=size, run_before=press("g", "down", wait="does not answer"))


@SIZES
def test_why_a_job_waits(snap_compare, tmp_path: Path, size: tuple[int, int]):
    app = app_of(tmp_path, datetime.now(UTC) - timedelta(minutes=12, seconds=20))
    assert snap_compare(app, terminal_size=size, run_before=press("down", "w", wait="What would help"))
