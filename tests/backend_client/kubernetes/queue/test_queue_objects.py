"""Queues and what waits, out of objects alone: headroom, versions of Kueue, the scheduler's own order."""

import msgspec
import pytest

from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.queue.board import read_board
from backend_client.kubernetes.queue.choices import headroom
from backend_client.kubernetes.queue.kueue_objects import cluster_queue_info
from backend_client.kubernetes.queue.scheduler_order import NOTE, _PendingPod, waiting_pods
from backend_client.kubernetes.resources.queued_workloads import QueuedWorkload
from backend_client.kubernetes.resources.queues import ClusterQueue
from backend_client.queues import ClusterQueueInfo, FlavorQuota, FlavorUse, LocalQueueInfo, QueueBoard
from tests.backend_client.kubernetes.conftest import Cluster

GPU = "nvidia.com/gpu"


def quota(nominal: int, used: int, borrowed: int = 0) -> tuple[FlavorQuota, ...]:
    return (FlavorQuota(flavor="a100", resource=GPU, nominal=nominal, used=used, borrowed=borrowed),)


def board(first: tuple[FlavorQuota, ...], second: tuple[FlavorQuota, ...]) -> QueueBoard:
    return QueueBoard(
        cluster_queues=(
            ClusterQueueInfo(name="team-a", cohort="lab", quotas=first),
            ClusterQueueInfo(name="team-b", cohort="lab", quotas=second),
        )
    )


LOCAL = LocalQueueInfo(
    namespace="ns",
    name="q",
    cluster_queue="team-a",
    usage=(FlavorUse(flavor="a100", resource=GPU, used=4),),
    waiting=2,
)


@pytest.mark.parametrize(
    ("seen", "local", "text"),
    [
        (board(quota(16, 8), quota(8, 0)), LOCAL, "8 of 16 a100 free, team-b lends 8; 2 waiting"),
        (board(quota(8, 0), quota(16, 20, 4)), LOCAL, "4 of 8 a100 free, 4 lent to team-b; 2 waiting"),
        (board(quota(16, 24, 8), quota(8, 0)), LOCAL, "0 of 16 a100 free; 2 waiting"),
        (QueueBoard(), LOCAL, "its jobs hold 4 a100; 2 waiting"),
        (QueueBoard(), msgspec.structs.replace(LOCAL, usage=(), waiting=0), ""),
        (QueueBoard(), msgspec.structs.replace(LOCAL, stopped="Hold"), "stopped by an administrator"),
    ],
)
def test_headroom(seen: QueueBoard, local: LocalQueueInfo, text: str) -> None:
    assert headroom(seen, local) == text


@pytest.mark.parametrize("cohort", ["cohort", "cohortName"])
def test_both_versions_of_a_cluster_queue(cohort: str) -> None:
    amounts = {"name": GPU, "nominalQuota": "16", "borrowingLimit": "4", "lendingLimit": 8}
    memory = {"name": "memory", "nominalQuota": "2Ti"}
    raw = {
        "metadata": {"name": "team-a"},
        "spec": {
            cohort: "lab",
            "stopPolicy": "Hold",
            "queueingStrategy": "StrictFIFO",
            "resourceGroups": [{"flavors": [{"name": "a100", "resources": [amounts, memory]}]}],
        },
        "status": {
            "conditions": [{"type": "Active", "status": "False", "message": "stopped"}],
            "flavorsReservation": [
                {"name": "a100", "resources": [{"name": GPU, "total": "20", "borrowed": "4"}]}
            ],
        },
    }
    info = cluster_queue_info(msgspec.convert(raw, ClusterQueue))
    assert (info.cohort, info.stopped, info.strategy, info.trouble) == (
        "lab",
        "Hold",
        "StrictFIFO",
        "stopped",
    )
    gpus, bytes_ = info.quotas
    assert (gpus.nominal, gpus.used, gpus.borrowed, gpus.borrowing_limit, gpus.lending_limit) == (
        16, 20, 4, 4, 8,
    )  # fmt: skip
    assert (bytes_.nominal, bytes_.borrowing_limit) == (2 * 2**40, None)


@pytest.mark.parametrize("named", [{"priorityClassName": "urgent"}, {"priorityClassRef": {"name": "urgent"}}])
def test_both_versions_name_a_priority(named: dict[str, object]) -> None:
    assert msgspec.convert({"spec": named}, QueuedWorkload).priority_class == "urgent"


def pod(name: str, priority: int, minute: int, owner: str = "") -> _PendingPod:
    owners = [{"kind": "Job", "name": owner, "uid": f"uid-{owner}", "controller": True}] if owner else []
    raw = {
        "metadata": {
            "name": name,
            "uid": f"uid-{name}",
            "creationTimestamp": f"2026-11-30T00:0{minute}:00Z",
            "ownerReferences": owners,
        },
        "spec": {
            "priority": priority,
            "containers": [{"name": "main", "resources": {"limits": {GPU: "4"}}}],
        },
    }
    return msgspec.convert(raw, _PendingPod)


def test_without_kueue_the_schedulers_order_is_shown() -> None:
    """A pod of higher priority first, of several the oldest; the ranks of one job are one."""
    pods = [pod("late", 0, 5), pod("r-0", 0, 1, "ranks"), pod("r-1", 0, 2, "ranks"), pod("first", 9, 9)]
    found = waiting_pods(pods, GPU)
    assert [(job.position, job.name, job.kind, job.gpus, job.priority) for job in found] == [
        (1, "first", "Pod", 4, 9), (2, "ranks", "Job", 8, 0), (3, "late", "Pod", 4, 0),
    ]  # fmt: skip


@pytest.mark.api
async def test_a_cluster_without_kueue_says_so(own_cluster: Cluster) -> None:
    admin = Transport(own_cluster.target())
    stranger = Transport(own_cluster.target("nobody"))
    try:
        found = await read_board(admin, [""], GPU)
        assert (found.note, found.local_queues, found.unknown) == (NOTE, (), ())
        hidden = await read_board(stranger, ["default"], GPU)
        assert hidden.note == NOTE
        assert hidden.unknown == ("you may not list pods in default, so what waits is not known",)
    finally:
        await admin.aclose()
        await stranger.aclose()
