"""Kueue's queues as a snapshot: who waits, who holds what, and whom free GPUs do not start."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backend_client.kubernetes.queue_snapshot import QueueObjects, snapshot_of
from backend_client.kubernetes.resources.queue_types import QueueTypes
from backend_client.kubernetes.resources.queued_workloads import QueuedWorkload
from backend_client.kubernetes.resources.queues import ClusterQueue, ResourceFlavor
from backend_client.queue_snapshot import FlavorQuota, PendingJob, QueueSnapshot

GPU = "nvidia.com/gpu"
NOW = datetime(2026, 3, 4, 10, tzinfo=UTC)
TYPES = QueueTypes("v1beta2")
A100, H100 = "NVIDIA-A100-SXM4-80GB", "NVIDIA-H100-80GB-HBM3"
PRODUCT = "nvidia.com/gpu.product"


def stamp(**ago: float) -> str:
    return (NOW - timedelta(**ago)).isoformat().replace("+00:00", "Z")


def group(resource: str, **flavors: dict[str, str]) -> dict[str, Any]:
    return {
        "coveredResources": [resource],
        "flavors": [
            {"name": name, "resources": [{"name": resource, **quota}]} for name, quota in flavors.items()
        ],
    }


def cluster_queue(name: str, **spec: Any) -> ClusterQueue:
    groups = [
        group("cpu", default={"nominalQuota": "96"}),
        group(GPU, a100={"nominalQuota": "16", "borrowingLimit": "8"}, h100={"nominalQuota": "8"}),
    ]
    body = {"metadata": {"name": name}, "spec": {"resourceGroups": groups, "cohortName": "research", **spec}}
    return TYPES.cluster_queues.decode_object(json.dumps(body).encode())


def flavor(name: str, product: str, taint: str = "") -> ResourceFlavor:
    taints = [{"key": taint, "value": "true", "effect": "NoSchedule"}] if taint else []
    spec = {"nodeLabels": {PRODUCT: product}, "nodeTaints": taints}
    body = json.dumps({"metadata": {"name": name}, "spec": spec}).encode()
    return TYPES.flavors.decode_object(body)


def workload(*conditions: dict[str, str], gpus: int = 8, pods: int = 1, **more: Any) -> QueuedWorkload:
    """`more`: spec, status, pod (its spec), owner."""
    container = {"name": "main", "resources": {"limits": {GPU: str(gpus)}}}
    template = {"spec": {"containers": [container], **more.get("pod", {})}}
    owner = {"kind": more.get("owner", "Job"), "uid": "owner", "controller": True}
    labels = {"kueue.x-k8s.io/job-uid": "job-1"} if owner["kind"] == "Job" else {}
    body = {
        "metadata": {
            "name": "w",
            "namespace": "team-a",
            "creationTimestamp": stamp(hours=2),
            "labels": labels,
            "ownerReferences": [owner],
        },
        "spec": {
            "queueName": "default",
            "priority": 7,
            "podSets": [{"count": pods, "template": template}],
            **more.get("spec", {}),
        },
        "status": {"conditions": conditions, **more.get("status", {})},
    }
    return TYPES.queued_workloads.decode_object(json.dumps(body).encode())


def condition(type_: str, status: str = "True", reason: str = "", message: str = "") -> dict[str, str]:
    return {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": stamp(hours=1),
    }


def read(*workloads: QueuedWorkload, local: dict[str, Any] | None = None, **more: Any) -> QueueSnapshot:
    queue = {
        "metadata": {"name": "default", "namespace": "team-a"},
        "spec": {"clusterQueue": "team-a", **(local or {})},
    }
    objects = QueueObjects(
        cluster_queues=more.get("queues", [cluster_queue("team-a")]),
        cohorts=more.get("cohorts", []),
        local_queues=[TYPES.local_queues.decode_object(json.dumps(queue).encode())],
        flavors=more.get("flavors", [flavor("a100", A100), flavor("h100", H100)]),
        workloads=workloads,
    )
    return snapshot_of(objects, GPU, NOW)


def waiting(*conditions: dict[str, str], local: dict[str, Any] | None = None, **more: Any) -> PendingJob:
    (found,) = read(workload(*conditions, **more), local=local).waiting
    return found


def test_a_queue_with_its_gpus() -> None:
    (queue,) = read().queues
    assert (queue.name, queue.cohort, queue.strict, queue.stopped) == ("team-a", "research", False, False)
    assert queue.flavors == {"a100": FlavorQuota(16, 8), "h100": FlavorQuota(8)}
    (other,) = read(
        queues=[
            cluster_queue("b", queueingStrategy="StrictFIFO", stopPolicy="Hold", cohortName="", cohort="x")
        ]
    ).queues
    assert (other.cohort, other.strict, other.stopped) == ("x", True, True)


def test_the_uppermost_cohort_counts_and_keeps_its_own_gpus() -> None:
    above = {
        "metadata": {"name": "all"},
        "spec": {"resourceGroups": [group(GPU, a100={"nominalQuota": "4"})]},
    }
    below = {"metadata": {"name": "research"}, "spec": {"parentName": "all"}}
    cohorts = [TYPES.cohorts.decode_object(json.dumps(body).encode()) for body in (above, below)]
    found = read(cohorts=cohorts)
    assert (found.queues[0].cohort, found.cohorts) == ("all", {"all": {"a100": 4}})


def test_a_job_that_waits() -> None:
    found = waiting(
        condition(
            "QuotaReserved",
            "False",
            "Pending",
            f"insufficient unused quota for {GPU} in flavor a100, 8 more needed",
        ),
        pods=2,
    )
    assert (found.uid, found.queue, found.local_queue, found.gpus) == ("job-1", "team-a", "default", 16)
    assert (found.flavors, found.priority, found.since) == (("a100", "h100"), 7, NOW - timedelta(hours=2))
    assert (found.blocked, found.evicted) == ("", None)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (waiting(spec={"active": False}), "taken out"),
        (waiting(local={"stopPolicy": "Hold"}), "stopped"),
        (waiting(status={"requeueState": {"count": 1, "requeueAt": stamp(hours=-1)}}), "again later"),
        (waiting(condition("QuotaReserved", "False", "Inadmissible", "no")), "does not take it"),
        (
            waiting(
                condition(
                    "QuotaReserved",
                    "False",
                    "Pending",
                    "insufficient unused quota for cpu in flavor x, 1 more",
                )
            ),
            "something else",
        ),
        (waiting(status={"requeueState": {"requeueAt": stamp(hours=1)}}), ""),
    ],
)
def test_what_free_gpus_do_not_start(found: PendingJob, why: str) -> None:
    assert (why in found.blocked) if why else found.blocked == ""


def test_a_job_that_was_put_back_keeps_its_place_unless_it_did_not_get_ready() -> None:
    preempted = waiting(condition("Evicted", "True", "Preempted"))
    assert (preempted.evicted, preempted.since) == (NOW - timedelta(hours=1), NOW - timedelta(hours=2))
    unready = waiting(condition("Evicted", "True", "PodsReadyTimeout"))
    assert unready.since == unready.evicted == NOW - timedelta(hours=1)
    assert waiting(condition("Evicted", "False", "QuotaReserved")).evicted is None


def needs(operator: str, *values: str, key: str = PRODUCT) -> dict[str, Any]:
    term = {"matchExpressions": [{"key": key, "operator": operator, "values": values}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    return {"affinity": {"nodeAffinity": required}}


@pytest.mark.parametrize(
    ("pod", "flavors"),
    [
        (needs("In", H100), ("h100",)),
        (needs("NotIn", H100), ("a100",)),
        (needs("Exists"), ("a100", "h100")),
        (needs("DoesNotExist"), ()),
        (needs("In", "x", key="not-of-a-flavor"), ("a100", "h100")),
        ({"nodeSelector": {PRODUCT: A100}}, ("a100",)),
        ({"nodeSelector": {"kubernetes.io/os": "linux"}}, ("a100", "h100")),
    ],
)
def test_the_flavors_that_a_pod_can_use(pod: dict[str, Any], flavors: tuple[str, ...]) -> None:
    assert waiting(pod=pod).flavors == flavors


def test_a_taint_of_a_flavor_must_be_tolerated() -> None:
    flavors = [flavor("a100", A100), flavor("h100", H100, taint="big")]
    tolerant = workload(pod={"tolerations": [{"key": "big", "operator": "Exists"}]})
    found = read(workload(), tolerant, flavors=flavors).waiting
    assert [job.flavors for job in found] == [("a100",), ("a100", "h100")]


HELD = {
    "admission": {
        "clusterQueue": "team-a",
        "podSetAssignments": [{"flavors": {GPU: "h100", "cpu": "default"}, "resourceUsage": {GPU: "16"}}],
    }
}


def test_what_has_its_quota_holds_gpus_and_does_not_wait() -> None:
    reserved = condition("QuotaReserved")
    found = read(
        workload(reserved, condition("Admitted"), status=HELD, spec={"maximumExecutionTimeSeconds": 60}),
        workload(reserved, status=HELD, owner="Pod"),
    )
    assert found.waiting == ()
    assert [(held.gpus, held.limit, held.ends) for held in found.admitted] == [
        ({"h100": 16}, 60, True),
        ({"h100": 16}, None, False),
    ]
    assert found.admitted[0].since == NOW - timedelta(hours=1)


def test_what_gave_way_and_what_ended_is_counted() -> None:
    stats = {
        "schedulingStats": {"evictions": [{"reason": "Preempted", "count": 2}, {"reason": "x", "count": 9}]}
    }
    found = read(
        workload(status=stats), workload(condition("Finished"), condition("QuotaReserved"), status=HELD)
    )
    assert (found.queues[0].preempted, found.queues[0].finished, found.admitted) == (2, 1, ())
