"""The screen of the machines: by keyboard, live, and cheap to keep open."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from backend_client.errors import Unreachable
from backend_client.gpu_nodes import GpuNode, GpuNodes, Holder, Whose
from backend_client.protocol import Capacity, GpuQuota
from tests.support.scripted import ScriptedBackend, make_job
from tests.tui.support.deck import Deck, deck
from tui.gpus import gpus_screen
from tui.gpus.node_list import NodeList
from tui.jobs.detail_screen import DetailScreen

BERT = Holder(gpus=3, whose=Whose.MINE, uid="uid-bert-ft", name="bert-ft")
THEIRS = Holder(gpus=2, uid="elsewhere", name="llama", namespace="team-b")
NODES = (
    GpuNode(name="gpu-1", product="NVIDIA-H100", total=8, free=3, holders=(BERT, THEIRS)),
    GpuNode(name="gpu-2", product="NVIDIA-H100", total=8, free=8),
    GpuNode(name="gpu-3", product="NVIDIA-A100", total=8, free=0, cordoned=True),
)


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus_screen, "POLL_SECONDS", 0.1)


@pytest.fixture
def backend() -> ScriptedBackend:
    made = ScriptedBackend([make_job("bert-ft", gpus=3)])
    made.machines = GpuNodes(NODES)
    return made


def names(running: Deck) -> list[str]:
    return [node.name for node in running.app.screen.query_one(NodeList).nodes]


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_g_shows_every_machine_with_a_bar_and_sums(
    backend: ScriptedBackend, tmp_path: Path, size: tuple[int, int]
):
    async with deck(backend, tmp_path=tmp_path, size=size) as running:
        await running.press("g")
        await running.until("MMM##...")
        lines = running.shown.splitlines()
        assert lines[0] == " scripted  GPUs"
        assert lines[1].split()[:5] == ["A100", "0", "of", "8", "free"]
        assert "largest block 8" in lines[2]
        assert lines[3].split()[:4] == ["NODE", "PRODUCT", "FREE", "GPUS"]
        assert [line.split()[0] for line in lines[4:7]] == [">", "gpu-1", "gpu-3"]
        assert "--------" in lines[6]
        assert "cordoned" in lines[6]
        assert ("team-b/llama 2" in running.shown) == (size[0] > 100)
        assert "M mine  T my team's  # others'" in running.shown
        await running.press("escape")
        await running.until("n new")


async def test_words_and_order_leave_and_sort(backend: ScriptedBackend, tmp_path: Path):
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("g")
        await running.until("MMM##...")
        assert names(running) == ["gpu-2", "gpu-1", "gpu-3"]
        await running.press("o")
        assert names(running) == ["gpu-1", "gpu-2", "gpu-3"]
        await running.until("by name")
        await running.press("slash", *"h100", "enter")
        await running.until(lambda: names(running) == ["gpu-1", "gpu-2"])
        assert "2 of 3 lines" in running.shown
        await running.press("slash", "x")
        await running.until("No machine has these words.")
        await running.press("escape")
        await running.until(lambda: len(names(running)) == 3)


async def test_it_follows_and_repaints_the_lines_that_changed_alone(backend: ScriptedBackend, tmp_path: Path):
    async with deck(backend, tmp_path=tmp_path, size=(200, 50)) as running:
        await running.press("g")
        await running.until("MMM##...")
        await running.press("o", "down")
        asked = len(backend.calls)
        assert await running.sent_while_idle() == ""
        await running.until(lambda: len(backend.calls) > asked + 2)
        before = len(running.sent)
        backend.machines = GpuNodes((NODES[0], NODES[1], replace(NODES[2], cordoned=False, trouble="sick")))
        await running.until("sick")
        await running.quiet()
        assert len(running.sent) - before < 700
        backend.machines = GpuNodes((*NODES[:1], GpuNode(name="gpu-0", total=1, free=1), *NODES[1:]))
        await running.until("gpu-0")
        assert running.app.screen.query_one(NodeList).node.name == "gpu-2"


async def test_enter_shows_the_jobs_of_a_machine_and_the_detail_of_one_in_the_list(
    backend: ScriptedBackend, tmp_path: Path
):
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("g")
        await running.until("MMM##...")
        await running.press("down", "enter")
        await running.until("3 of 8 free")
        await running.until("team-b/llama")
        backend.machines = GpuNodes((replace(NODES[0], free=0, holders=(BERT, replace(THEIRS, gpus=5))),))
        await running.until("5 GPUs")
        await running.press("down", "enter")
        await running.until("is not in your")
        await running.press("up", "enter")
        await running.until(lambda: isinstance(running.app.screen, DetailScreen))
        await running.press("escape")
        await running.until("0 of 8 free")
        await running.press("escape", "escape")
        await running.until("n new")


async def test_what_was_seen_stays_with_its_age_when_nobody_answers(backend: ScriptedBackend, tmp_path: Path):
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("g")
        await running.until("MMM##...")
        backend.fail["nodes"] = Unreachable("The cluster does not answer.")
        await running.until(": the cluster does not answer")
        assert "MMM##..." in running.shown
        del backend.fail["nodes"]
        await running.until("M mine")


async def test_hidden_machines_leave_the_reason_the_quota_and_ones_own_jobs(
    backend: ScriptedBackend, tmp_path: Path
):
    backend.machines = GpuNodes(unknown_because="you may not list nodes")
    backend.figures = Capacity(unknown_because="you may not list nodes", quota=GpuQuota(12, 16))
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("g")
        await running.until("The machines are not known: you may not list nodes.")
        assert "quota 12 of 16 GPUs are used" in running.shown
        assert "run with 3 GPUs" in running.shown
        await running.press("enter", "o", "escape")
        await running.until("n new")


async def test_a_thousand_machines_are_scrolled_through(backend: ScriptedBackend, tmp_path: Path):
    backend.machines = GpuNodes(
        tuple(GpuNode(name=f"n-{i}", product="A", total=8, free=8) for i in range(1000))
    )
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("g")
        await running.until("n-0 ")
        await running.press("end")
        await running.until("n-999")
        await running.press("pageup", "up")
        await running.press("home")
        await running.until("> n-0")
