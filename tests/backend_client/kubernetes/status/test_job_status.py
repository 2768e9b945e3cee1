"""Recorded objects, and odd ones, through status and reasons."""

from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.kubernetes import labels
from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.resources.events import KubeEvent
from backend_client.kubernetes.resources.kueue import Workload
from backend_client.kubernetes.resources.networking import Ingress
from backend_client.kubernetes.resources.node_gpus import NodeGpus
from backend_client.kubernetes.resources.workloads import Deployment, KubeJob
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.status.causes import CAUSES
from backend_client.kubernetes.status.chain import chain_of
from backend_client.kubernetes.status.job_status import is_shown, job_of, root_key
from backend_client.kubernetes.status.pod_reason import RelatedObjects
from backend_client.kubernetes.status.queue_causes import QUEUE_CAUSES
from backend_client.kubernetes.status.spec_from_objects import RootObject
from backend_client.models import Job, JobSpec, JobState
from backend_client.why import Cause
from tests.backend_client.kubernetes.support.recording import TYPES, load
from tests.backend_client.kubernetes.support.scenarios import BUSYBOX, SCENARIOS
from tests.backend_client.kubernetes.support.shapes import EVENTS, PODS, ROOTS, WORKLOADS


def changed(name: str, change: dict[str, Any], *, pods: bool = True, **related: Any) -> Job:
    """A recorded job whose root is a little different; a change is a merge patch."""
    recorded = load(name)
    root = msgspec.convert(merged(recorded.root, change), TYPES[recorded.root["kind"]])
    return job_of(root, recorded.typed_pods() if pods else [], "kind", RelatedObjects(**related))


def merged(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict) or not isinstance(target, dict):
        return patch
    found = target | {key: merged(target.get(key, {}), value) for key, value in patch.items()}
    return {key: value for key, value in found.items() if value is not None}


# What was recorded


@pytest.mark.parametrize("name", SCENARIOS)
def test_recorded_fate(name: str) -> None:
    scenario, job = SCENARIOS[name], load(name).job()
    assert job.state == scenario.state
    assert fnmatchcase(job.reason, scenario.reason), job.reason
    assert scenario.settled(job)
    assert job.name == name
    assert bool(job.read_only) == name.startswith("foreign")
    assert bool(job.finished) == job.ended or job.state is JobState.STOPPED


def test_attempts_of_a_job_are_its_pods() -> None:
    job = load("job-tried-twice").job()
    assert [(a.number, a.exit_code) for a in job.attempts] == [(1, 1), (2, 1)]
    assert job.restarts == 1
    assert len({a.pod for a in job.attempts}) == 2


def test_a_crash_loop_is_known_by_its_last_start() -> None:
    job = load("real-crash-loop").job()
    last = job.attempts[-1]
    assert (job.restarts, last.number, job.exit_code) == (2, 3, 3)
    assert last.finished
    assert job.next_try == last.finished + timedelta(seconds=20)
    assert not job.ended


def test_a_job_between_tries_says_when_the_next_is() -> None:
    job = load("job-between-tries").job()
    assert job.attempts[0].finished
    assert job.next_try == job.attempts[0].finished + timedelta(seconds=10)
    assert not job.ended


def test_no_try_is_promised_that_the_job_has_not_left() -> None:
    seen = load("job-between-tries")
    seen.root["spec"]["backoffLimit"] = 0
    seen.root["status"].pop("failed")  # the Job counts later than its pod ends
    assert (seen.job().ended, seen.job().reason) == (True, "exit 1")
    seen.pods[0]["status"]["conditions"].append({"type": "DisruptionTarget", "status": "True"})
    assert not seen.job().ended  # preempted: burns none


def test_a_pod_that_a_stop_took_away_is_no_failure_of_the_job_that_goes_on() -> None:
    recorded = load("job-between-tries")
    assert recorded.job().next_try
    recorded.pods[0]["metadata"]["deletionTimestamp"] = "2026-11-24T12:00:00Z"
    assert (recorded.job().state, recorded.job().next_try) == (JobState.PENDING, None)


def test_ranks_are_told_apart() -> None:
    job = load("real-ranks").job()
    assert [(a.number, a.rank, a.exit_code) for a in job.attempts] == [(1, 0, 0), (1, 1, 0)]
    assert load("real-rank-failed").job().attempts[-1].rank == 1


def test_killed_by_a_signal() -> None:
    last = load("real-oom").job().attempts[-1]
    assert (last.exit_code, last.signal) == (137, 9)


def test_a_program_that_never_started_has_no_start() -> None:
    assert load("real-no-program").job().started is None


# What was not recorded


@pytest.mark.parametrize(
    ("name", "change", "state", "reason"),
    [
        ("job-running", {"metadata": {"deletionTimestamp": "2026-11-24T12:00:00Z", "finalizers": ["x/y"]}},
         "Stopping", "is being deleted; waits for 1 pod and the finalizer x/y"),
        ("job-running", {"spec": {"suspend": True}}, "Stopping", ""),
        ("job-failed", {"spec": {"suspend": True}, "status": {"conditions": []}}, "Stopped", ""),
        ("job-running", {"status": {"conditions": [{"type": "FailureTarget", "status": "True"}]}},
         "Stopping", ""),
        ("job-failed", {"status": {"conditions": [{"type": "FailureTarget", "status": "True"}]}},
         "Failed", "exit 1"),
        ("job-running", {"metadata": {"labels": {labels.QUEUE: "research"}}, "spec": {"suspend": True}},
         "Queued", "waits in the queue research"),
        ("deployment-running", {"spec": {"replicas": 0}}, "Stopping", ""),
        ("deployment-running", {"spec": {"replicas": 3}}, "Running", ""),
        ("job-failed", {"status": {"conditions": [
            {"type": "Failed", "status": "True", "reason": "PodFailurePolicy", "message": "raw words"}]}},
         "Failed", "exit 1; its podFailurePolicy allows no other try"),
    ],
)  # fmt: skip
def test_changed_fate(name: str, change: dict[str, Any], state: str, reason: str) -> None:
    job = changed(name, change)
    assert (str(job.state), job.reason) == (state, reason)


def test_a_pod_that_does_not_go_is_named() -> None:
    recorded = load("job-running")
    target = {"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager"}
    lost = {"metadata": {"deletionTimestamp": "2026-11-24T12:00:00Z"}, "status": {"conditions": [target]}}
    pods = msgspec.convert([merged(pod, lost) for pod in recorded.pods], list[Pod])
    job = job_of(recorded.typed_root(), pods, "kind")
    words = "waits for its pod on fake-0 to be gone: it was taken off its node fake-0, which had got a taint"
    assert (job.state, job.reason) == (JobState.PENDING, words)


def test_a_failed_job_whose_pods_are_gone_says_what_the_cluster_says() -> None:
    assert changed("job-failed", {}, pods=False).reason == "Job has reached the specified backoff limit"


def test_a_queue_says_why() -> None:
    queued = {"metadata": {"labels": {labels.QUEUE: "research"}}, "spec": {"suspend": True}}

    def reason(**workload: Any) -> str:
        related = msgspec.convert(workload, Workload)
        return changed(
            "job-running",
            queued,
            pods=False,
            workloads={load("job-running").root["metadata"]["uid"]: related},
        ).reason

    waiting = {"type": "QuotaReserved", "status": "False", "message": "insufficient quota for nvidia.com/gpu"}
    admitted = {"type": "QuotaReserved", "status": "True"}
    assert reason() == "waits in the queue research, behind others"
    assert reason(status={"conditions": [waiting]}) == (
        "insufficient quota for nvidia.com/gpu; waits in the queue research"
    )
    assert reason(status={"conditions": [admitted]}).startswith("has its quota from the queue research")
    assert reason(spec={"active": False}) == "was taken out of its queue; it waits to be put back"


def test_urls_are_those_of_the_annotation_or_of_the_ingress() -> None:
    answering = msgspec.convert({"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}, Ingress)
    named = {"metadata": {"annotations": {labels.URL: "https://a.example.org/"}}}
    assert changed("job-running", named).urls == ("https://a.example.org/",)
    assert load("deployment-running").job().urls == ()
    name = load("deployment-running").root["metadata"]["namespace"]
    found = changed("deployment-running", {}, ingress=answering).urls
    assert found == (f"http://192.0.2.1/{name}/deployment-running",)


def test_what_a_job_serves_is_reached_by_its_service() -> None:
    job = load("deployment-running").job()
    assert job.internal_addresses == (f"deployment-running.{job.ref.namespace}.svc:8080",)
    assert load("job-running").job().internal_addresses == ()
    assert load("foreign-deployment").job().internal_addresses == ()  # its Services are not read


def test_a_replica_takes_the_place_of_the_one_that_ended() -> None:
    recorded = load("deployment-running")
    first = recorded.pods[0]
    ended = merged(first, {"metadata": {"name": "a", "creationTimestamp": "2020-01-01T00:00:00Z"}})
    ended = merged(ended, {"status": {"phase": "Failed", "reason": "Evicted", "message": "no disk"}})
    pods = msgspec.convert([*recorded.pods, ended], list[Pod])
    job = job_of(recorded.typed_root(), pods, "kind")
    assert sorted((a.rank, a.number) for a in job.attempts) == [(0, 1), (0, 2), (1, 1)]
    assert (job.state, job.restarts) == (JobState.RUNNING, 1)


def test_one_stuck_replica_is_named() -> None:
    running, stuck = load("deployment-running"), load("deployment-no-image")
    pods = [*running.typed_pods()[:1], *stuck.typed_pods()]
    job = job_of(running.typed_root(), pods, "kind")
    assert job.state is JobState.RUNNING
    assert fnmatchcase(job.reason, f"replica ?: the image {BUSYBOX} does not exist in its registry")


# Which are shown, and whose pods are whose


GPU = {"containers": [{"name": "main", "resources": {"limits": {"nvidia.com/gpu": "1"}}}]}
OURS = {"traindeck.dev/spec": '{"image": "a"}'}


def made(
    kind: type[RootObject], *, gpu: bool, owner: str = "", namespace: str = "ns", ours: bool = False
) -> Any:
    owners = [{"kind": owner, "name": "x", "uid": "x", "controller": True}] * bool(owner)
    metadata = {"name": "a", "namespace": namespace, "ownerReferences": owners}
    metadata["annotations"] = OURS if ours else {}
    spec = GPU if gpu else {}
    body = {"metadata": metadata, "spec": spec if kind is Pod else {"template": {"spec": spec}}}
    return msgspec.convert(body, kind)


@pytest.mark.parametrize(
    ("root", "in_namespace", "everywhere"),
    [
        (made(KubeJob, gpu=True), True, True),
        (made(KubeJob, gpu=False), True, True),  # a CPU preprocessing Job of kubectl
        (made(KubeJob, gpu=False, owner="CronJob"), True, True),
        (made(KubeJob, gpu=False, owner="JobSet"), True, True),
        (made(KubeJob, gpu=False, namespace="kube-system"), True, False),
        (made(KubeJob, gpu=True, namespace="kube-system"), True, True),
        (made(KubeJob, gpu=False, namespace="kubeflow"), True, True),
        (made(KubeJob, gpu=False, namespace="kube-system", ours=True), True, True),
        (made(Deployment, gpu=True), True, True),
        (made(Deployment, gpu=False), False, False),
        (made(Deployment, gpu=False, ours=True), True, True),
        (made(Pod, gpu=True), True, True),
        (made(Pod, gpu=False), False, False),
        (made(Pod, gpu=True, owner="Job"), False, False),
        (made(Pod, gpu=True, owner="ReplicaSet"), False, False),
        (made(Pod, gpu=True, owner="StatefulSet"), True, True),
        (made(Pod, gpu=True, owner="PyTorchJob"), True, True),
        (made(Pod, gpu=False, owner="PyTorchJob"), False, False),
    ],
)
def test_what_is_shown(root: RootObject, in_namespace: bool, everywhere: bool) -> None:
    site = KubernetesSettings()
    assert is_shown(root, site) is in_namespace
    assert is_shown(root, site, everywhere=True) is everywhere


def test_gpus_are_those_that_the_site_names() -> None:
    assert not is_shown(
        load("foreign-deployment").typed_root(), KubernetesSettings(gpu_resource="amd.com/gpu")
    )


@pytest.mark.parametrize("name", SCENARIOS)
def test_pods_find_their_anchor(name: str) -> None:
    recorded = load(name)
    root = recorded.root
    wanted = (root["kind"], root["metadata"]["namespace"], root["metadata"]["name"])
    assert {root_key(pod) for pod in recorded.typed_pods()} <= {wanted}


def test_what_others_made_is_described_and_left_alone() -> None:
    job = load("foreign-job").job()
    assert job.read_only == "not made by traindeck"
    assert (job.spec.nodes, job.spec.gpus, job.ref.kind) == (2, 1, "job")
    controlled = {
        "metadata": {"ownerReferences": [{"kind": "CronJob", "name": "nightly", "controller": True}]}
    }
    assert changed("foreign-job", controlled).read_only == "made by CronJob nightly, not by traindeck"
    assert load("foreign-pod").job().ref.kind == "pod"


def test_recorded_nodes_have_gpus() -> None:
    recorded = load("job-too-big").related()
    assert sum(block.total for block in recorded.node_gpus or ()) > 30


# Why


def check_chain(chain: tuple[Cause, ...], job: Job) -> None:
    """The last link is what the list says, and every id is in the table."""
    told = [cause.sentence for cause in chain[-1:]]
    assert told == ([job.reason] if job.reason else []) or (told == ["is suspended"] and not job.reason)
    ids = {kind.id for kind in (*CAUSES, *QUEUE_CAUSES)}
    assert {cause.id for cause in chain} <= ids | {"", "queue.waits"}


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_chain_ends_with_what_the_list_says(name: str) -> None:
    recorded = load(name)
    chain = chain_of(recorded.typed_root(), recorded.typed_pods(), recorded.related())
    check_chain(chain, recorded.job())
    assert all(cause.object for cause in chain)


# Anything else


@given(ROOTS, st.lists(PODS, max_size=3), EVENTS, WORKLOADS)
def test_never_raises_and_never_ends_what_goes_on(
    root: tuple[type[RootObject], Any], pods: list[Any], events: list[Any], workload: Any
) -> None:
    typed, typed_pods = msgspec.convert(root[1], root[0]), msgspec.convert(pods, list[Pod])
    uids = [typed.uid, *(pod.uid for pod in typed_pods)]
    related = RelatedObjects(
        events=msgspec.convert(events, tuple[KubeEvent, ...]),
        workloads=dict.fromkeys(uids, msgspec.convert(workload, Workload)),
        node_gpus=(NodeGpus("gpu-1", "A100", 8, 3),),
    )
    job = job_of(typed, typed_pods, "kind", related)
    assert isinstance(job.state, JobState)
    assert isinstance(job.spec, JobSpec)
    assert isinstance(job.reason, str)
    assert job.restarts >= 0
    assert all(attempt.number > 0 for attempt in job.attempts)
    assert not (job.finished and not job.ended)
    is_shown(typed, KubernetesSettings())
    check_chain(chain_of(typed, typed_pods, related), job)
