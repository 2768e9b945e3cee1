"""The queue screen and the verb, over a scripted backend; and the pure parts of both."""

from pathlib import Path

import pytest

from backend_client.errors import Refused, Unreachable
from backend_client.gpu_nodes import Whose
from backend_client.models import JobState
from backend_client.protocol import Feature
from backend_client.queues import (
    ClusterQueueInfo,
    FlavorQuota,
    FlavorUse,
    LocalQueueInfo,
    QueueBoard,
    QueuePriority,
    WaitingJob,
)
from tests.support.scripted import ScriptedBackend, make_job
from tests.tui.support.deck import deck
from tui.queue.queue_bars import draw


def quota(nominal: int, used: int, borrowed: int = 0, flavor: str = "a100") -> FlavorQuota:
    return FlavorQuota(
        flavor=flavor, resource="nvidia.com/gpu", nominal=nominal, used=used, borrowed=borrowed
    )


def waits(name: str, position: int, whose: Whose = Whose.OTHER, **more: object) -> WaitingJob:
    fields = {"name": name, "uid": f"uid-{name}", "kind": "Job", "queue": "q", "owner": name and "ada"}
    return WaitingJob(
        cluster_queue="team-a", position=position, whose=whose, gpus=8, priority=0, **fields | more
    )


BOARD = QueueBoard(
    cluster_queues=(
        ClusterQueueInfo(
            name="team-a",
            cohort="lab",
            waiting=3,
            admitted=5,
            quotas=(quota(16, 24, 8), quota(2, 0, 0, "l4")),
        ),
        ClusterQueueInfo(name="team-b", cohort="lab", strategy="StrictFIFO", quotas=(quota(8, 0),)),
    ),
    local_queues=(
        LocalQueueInfo(namespace="", name="q", cluster_queue="team-a"),
        LocalQueueInfo(namespace="", name="q2", cluster_queue="team-b"),
    ),
    waiting=(waits("", 1), waits("mine", 2, Whose.MINE), waits("theirs", 3)),
    priorities=(QueuePriority(name="urgent", value=1000, about="A deadline is near."),),
)


@pytest.fixture
def backend() -> ScriptedBackend:
    made = ScriptedBackend([make_job(name, JobState.QUEUED) for name in ("mine", "theirs")])
    made.board = BOARD
    return made


async def test_bars_borrowers_and_what_waits(backend: ScriptedBackend, tmp_path: Path):
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("Q")
        await running.until("8 borrowed from team-b")
        lines = [line.strip() for line in running.shown.splitlines()]
        assert lines[0] == "scripted  queue"
        assert lines[1] == "team-a  cohort lab; 3 waiting, 5 admitted"
        assert lines[2].split()[0] == "a100"
        assert "\u2588" * 13 + "\u2593" * 7 in lines[2]
        assert lines[4].startswith("team-b  cohort lab; strictly in order; 0 waiting")
        assert lines[5].endswith("0 of 8, 8 lent to team-a")
        assert lines[6].split() == "POS NAME OWNER QUEUE PRIO GPUS AGE IN".split()
        assert [line.split()[:4] for line in lines[7:10]] == [
            ["1", "(another's)", "q", "0"], ["*", "2", "mine", "ada"], ["3", "theirs", "ada", "q"],
        ]  # fmt: skip
        await running.press("escape")
        await running.until(lambda: "cohort lab" not in running.shown)


async def test_a_job_is_held_released_put_ahead_and_moved_by_key(backend: ScriptedBackend, tmp_path: Path):
    async with deck(backend, tmp_path=tmp_path, size=(100, 30)) as running:
        await running.press("Q")
        await running.until("another's")
        await running.press("n", "h")
        await running.until("* held mine")
        await running.until(lambda: "h release" in running.shown.splitlines()[-1])
        await running.press("h")
        await running.until(lambda: "held mine" not in running.shown)
        await running.until(lambda: "h hold" in running.shown.splitlines()[-1])
        await running.press("p")
        await running.until("A deadline is near.")
        await running.until("not be without one again")
        await running.press("enter")
        await running.until(lambda: ("priority", ("mine", "urgent")) in backend.calls)
        await running.press("m")
        await running.until("It keeps its age")
        await running.press(*"q2", "enter")
        await running.until(lambda: ("move", ("mine", "q2")) in backend.calls)
        await running.until("q2")
    done = [call for call in backend.calls if call[0] in ("hold", "release")]
    assert done == [("hold", "mine"), ("release", "mine")]


async def test_anothers_job_is_asked_about_or_cannot_be_changed(backend: ScriptedBackend, tmp_path: Path):
    async with deck(backend, tmp_path=tmp_path, size=(100, 30)) as running:
        await running.press("Q")
        await running.until("another's")
        await running.press("h")
        await running.until("That job is another's.")
        await running.press("end", "h")
        await running.until("It is ada's.")
        await running.press("escape")
        await running.until(lambda: "It is ada's." not in running.shown)
        assert not [call for call in backend.calls if call[0] == "hold"]
        await running.press("h")
        await running.until("It is ada's.")
        await running.press("y")
        await running.until(lambda: ("hold", "theirs") in backend.calls)


async def test_what_fails_is_said_and_what_was_read_stays(backend: ScriptedBackend, tmp_path: Path):
    async with deck(backend, tmp_path=tmp_path, size=(100, 30)) as running:
        await running.press("Q")
        await running.until("another's")
        backend.fail["hold"] = Refused("mine does not wait.", "It runs.")
        await running.press("n", "h")
        await running.until("mine was not held")
        await running.until("It runs.")
        await running.press("escape")
        backend.fail["queues"] = Unreachable("The cluster does not answer.")
        await running.press("f5")
        await running.until("The cluster does not answer.")
        assert "8 borrowed from team-b" in running.shown


async def test_a_read_only_run_offers_no_change(backend: ScriptedBackend, tmp_path: Path):
    async with deck(backend, tmp_path=tmp_path, size=(100, 30), read_only=True) as running:
        await running.press("Q")
        await running.until("another's")
        assert "hold" not in running.shown.splitlines()[-1]
        await running.press("n", "h", "p", "m")
        await running.quiet()
    assert not {"hold", "priority", "move"} & {name for name, _ in backend.calls}


async def test_where_there_is_none_the_key_says_why(tmp_path: Path):
    backend = ScriptedBackend(lacks={Feature.QUEUE: "this machine has slots only"})
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("Q")
        await running.until("this machine has slots only")


def test_a_plain_users_queues_have_no_bars():
    use = FlavorUse(flavor="a100", resource="nvidia.com/gpu", used=4)
    local = LocalQueueInfo(
        namespace="ns", name="q", cluster_queue="team-a", usage=(use,), waiting=1, stopped="Hold"
    )
    text = draw(QueueBoard(local_queues=(local,)), 120).plain.splitlines()
    assert text == [
        " ns/q  of team-a; 1 waiting, 0 admitted; stopped by an administrator; what runs goes on",
        "   its jobs hold 4 a100",
    ]


async def test_where_nothing_waits_nothing_is_offered_for_it(tmp_path: Path):
    backend = ScriptedBackend([make_job("mine")])
    async with deck(backend, tmp_path=tmp_path, size=(100, 30)) as running:
        await running.press("Q")
        await running.until("Nothing waits.")
        await running.until(lambda: running.shown.splitlines()[-1].split() == ["escape", "back", "?", "help"])
