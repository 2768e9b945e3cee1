"""The table of causes: each row's example comes out of the code, and the code gives no id that has no row."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from backend_client.kubernetes import labels
from backend_client.kubernetes.resources.core import Pod, Terminated
from backend_client.kubernetes.resources.events import KubeEvent
from backend_client.kubernetes.resources.kueue import JOB_UID, Workload
from backend_client.kubernetes.resources.node_gpus import NodeGpus
from backend_client.kubernetes.resources.workloads import Deployment, KubeJob
from backend_client.kubernetes.status import causes, message_parsers
from backend_client.kubernetes.status.causes import CAUSES
from backend_client.kubernetes.status.chain import chain_of
from backend_client.kubernetes.status.exit_reason import container_exit
from backend_client.kubernetes.status.pod_reason import RelatedObjects
from backend_client.kubernetes.status.queue_causes import QUEUE_CAUSES
from backend_client.kubernetes.status.scheduler_message import unschedulable
from backend_client.why import Cause
from tests.backend_client.kubernetes.support.pod_statuses import AT, END, ended, pod, running, waiting

NEVER = ". preemption: 0/5 nodes are available: 5 Preemption is not helpful for scheduling."
NODE = "gpu-7"
TRUE = {"status": "True", "lastTransitionTime": END}


def job_chain(
    *pods: dict[str, Any],
    spec: dict[str, Any] | None = None,
    status: dict[str, Any] | None = None,
    kind: type[KubeJob | Deployment] = KubeJob,
    related: RelatedObjects | None = None,
    **metadata: Any,
) -> tuple[Cause, ...]:
    """The chain of a job and its pods."""
    template = {"spec": pods[0]["spec"] if pods else {"containers": [{"name": "main", "image": "img:1"}]}}
    root = {
        "metadata": {"name": "bert", "namespace": "n", "uid": "root", "creationTimestamp": AT, **metadata},
        "spec": {"backoffLimit": 0, "template": template, **(spec or {})},
        "status": status or {},
    }
    typed = msgspec.convert(list(pods), list[Pod])
    return chain_of(msgspec.convert(root, kind), typed, related or RelatedObjects())


def last(*pods: dict[str, Any], **change: Any) -> Cause:
    return job_chain(*pods, **change)[-1]


def link(id_: str, chain: tuple[Cause, ...]) -> Cause:
    return next(cause for cause in chain if cause.id == id_)


def on(node: str, of: dict[str, Any]) -> dict[str, Any]:
    return of | {"spec": of["spec"] | {"nodeName": node}}


def unplaced(reason: str = "Unschedulable", message: str = "", **change: Any) -> dict[str, Any]:
    """A pod that no node has taken."""
    condition = {"type": "PodScheduled", "status": "False", "reason": reason, "message": message}
    of = on("", pod(phase="Pending", status={"conditions": [condition], **change.pop("status", {})}))
    return of | {"spec": of["spec"] | change}


def in_a_sweep(of: dict[str, Any]) -> dict[str, Any]:
    """The same pod with the labels of a job that waits for its turn."""
    metadata = of["metadata"]
    own = {labels.SWEEP: "lrs", labels.TURN: "9f-1"}
    return of | {"metadata": metadata | {"labels": metadata.get("labels", {}) | own}}


def failed(reason: str, message: str = "") -> Cause:
    """The end of a pod that reports a reason of its own."""
    status = {"reason": reason, "message": message}
    return last(on(NODE, pod(waiting("main", "ContainerCreating"), phase="Failed", status=status)))


def disrupted(reason: str, message: str = "") -> Cause:
    target = {"type": "DisruptionTarget", "reason": reason, "message": message, **TRUE}
    return last(on(NODE, pod(ended("main", 137), phase="Failed", status={"conditions": [target]})))


def job_failed(reason: str, message: str, *pods: dict[str, Any], **spec: Any) -> tuple[Cause, ...]:
    condition = {"type": "Failed", "reason": reason, "message": message, **TRUE}
    return job_chain(*pods, status={"conditions": [condition]}, spec=spec)


def no_node(*clauses: str, of: int = 4) -> Cause | None:
    return unschedulable(f"0/{of} nodes are available: {', '.join(clauses)}.")


def image(message: str, reason: str = "ErrImagePull", name: str = "r.example.com/llama:1") -> Cause:
    return message_parsers.image(reason, message, name)


def exited(code: int, reason: str = "", message: str = "", limit: str = "") -> Cause:
    return container_exit(Terminated(exit_code=code, reason=reason, message=message), limit)


def admitted() -> RelatedObjects:
    conditions = [{"type": "Admitted", **TRUE}]
    metadata = {"name": "job-bert", "labels": {JOB_UID: "root"}}
    raw = {"metadata": metadata, "status": {"conditions": conditions}}
    return RelatedObjects(workloads={"root": msgspec.convert(raw, Workload)})


def sick(trouble: str) -> RelatedObjects:
    return RelatedObjects(node_gpus=(NodeGpus(NODE, "", 0, 0, trouble),))


WAITS = pod(waiting("main", "PodInitializing"), phase="Pending")
PROXY = running("istio-proxy")
QUEUED = {"labels": {labels.QUEUE: "research"}}
CREATED = pod(phase="Pending")
REFUSED = 'pods "x" is forbidden: '
GONE = {"deletionTimestamp": END}
EXPECTED = ("requests.nvidia.com/gpu=8", "requests.nvidia.com/gpu=16", "requests.nvidia.com/gpu=16")
QUOTA = "exceeded quota: gpus, requested: {}, used: {}, limited: {}".format(*EXPECTED)
OTHER = "node(s) didn't match Pod's node affinity/selector"
PLACED = on(NODE, pod(waiting("main", "ErrImagePull", "manifest unknown"), phase="Pending"))


def _event(reason: str, message: str, uid: str) -> RelatedObjects:
    raw = {"involvedObject": {"uid": uid}, "reason": reason, "message": message, "eventTime": END}
    return RelatedObjects(events=(msgspec.convert(raw, KubeEvent),))


MADE: dict[str, Callable[[], Cause | None]] = {
    "job.pods": lambda: link("job.pods", job_chain(
        pod(running("main")), unplaced(message="no nodes available to schedule pods"),
        spec={"parallelism": 2, "completions": 2})),
    "job.no-pods": lambda: job_chain(
        spec={"parallelism": 2, "completions": 2}, related=_event("FailedCreate", QUOTA, "root"))[0],
    "job.failed": lambda: job_failed("BackoffLimitExceeded", "raw", pod(ended("main", 1), phase="Failed"))[0],
    "job.admitted": lambda: link("job.admitted", job_chain(PLACED, related=admitted(), **QUEUED)),
    "pod.waits": lambda: link("pod.waits", job_chain(unplaced(
        message='0/5 nodes are available: persistentvolumeclaim "data" not found.'))),
    "pod.placed": lambda: link("pod.placed", job_chain(on(NODE, pod(
        waiting("main", "CreateContainerConfigError", 'secret "hf" not found'), phase="Pending")))),
    "pod.runs": lambda: link("pod.runs", job_chain(on(NODE, pod(running("main"))),
                                                   related=sick("does not answer"))),
    "pod.ended": lambda: link("pod.ended", job_chain(on(NODE, pod(
        phase="Failed", status={"reason": "NodeShutdown"})))),
    "job.half-made": lambda: last(annotations={labels.HELD: "true"}),
    "job.suspended": lambda: last(spec={"suspend": True}),
    "job.deleted": lambda: last(**GONE),
    "job.deleted-pods": lambda: last(pod(running("main")), **GONE),
    "job.deleted-finalizer": lambda: last(**GONE, finalizers=["example.com/keep"]),
    "job.hidden": lambda: last(
        CREATED, related=RelatedObjects(events_unknown_because="you may not list events")),
    "job.old-pod": lambda: last(on(NODE, pod(running("main"), **GONE))),
    "job.interrupted": lambda: last(
        pod(running("main")),
        related=RelatedObjects(interruption="gave way to a pod of higher priority (06:51 UTC)")),
    "job.restarted": lambda: last(pod(running("main", lastState=ended("main", 3)["state"], restartCount=1))),
    "job.retried": lambda: last(pod(ended("main", 5), phase="Failed"), spec={"backoffLimit": 6}),
    "job.deadline": lambda: job_failed("DeadlineExceeded", "raw", activeDeadlineSeconds=2)[-1],
    "job.tries": lambda: job_failed(
        "BackoffLimitExceeded", "Job has reached the specified backoff limit")[-1],
    "job.indexes": lambda: job_failed("FailedIndexes", "Job has failed indexes")[-1],
    "job.failure-policy": lambda: job_failed(
        "PodFailurePolicy", "raw", pod(ended("main", 42), phase="Failed"))[-1],
    # Admission
    "admission.quota": lambda: message_parsers.refused(REFUSED + QUOTA),
    "admission.unstated": lambda: message_parsers.refused(
        REFUSED + "failed quota: memory: must specify limits.memory for: main"),
    "admission.limits": lambda: message_parsers.refused(
        REFUSED + "maximum cpu usage per Container is 2, but limit is 4"),
    "admission.pod-security": lambda: message_parsers.refused(
        REFUSED + 'violates PodSecurity "baseline:latest": hostPath volumes (volume "data")'),
    "admission.policy": lambda: message_parsers.refused(
        REFUSED
        + "ValidatingAdmissionPolicy 'projects' with binding 'b' denied request: only with a project"),
    "admission.webhook": lambda: message_parsers.refused(
        'admission webhook "policy.example.com" denied the request: only signed images'),
    "admission.webhook-down": lambda: message_parsers.refused(
        'Internal error occurred: failed calling webhook "policy.example.com": connection refused'),
    "admission.service-account": lambda: message_parsers.refused(
        REFUSED + 'error looking up service account n/trainer: serviceaccount "trainer" not found'),
    "admission.priority-class": lambda: message_parsers.refused(
        REFUSED + "no PriorityClass with name urgent was found"),
    "admission.runtime-class": lambda: message_parsers.refused(
        REFUSED + 'pod rejected: RuntimeClass "nvidia" not found'),
    # The scheduler
    "schedule.gpus": lambda: no_node(
        "3 node(s) were unschedulable", "33 Insufficient nvidia.com/gpu", of=36),
    "schedule.cpu": lambda: no_node("4 Insufficient cpu"),
    "schedule.memory": lambda: no_node("4 Insufficient memory"),
    "schedule.disk": lambda: no_node("4 Insufficient ephemeral-storage"),
    "schedule.device": lambda: no_node("4 Insufficient example.com/fpga"),
    "schedule.too-big": lambda: unschedulable(
        f"0/5 nodes are available: 1 {OTHER}, 4 Insufficient nvidia.com/gpu" + NEVER),
    "schedule.cordoned": lambda: no_node("1 node(s) were unschedulable", f"3 {OTHER}"),
    "schedule.taint": lambda: no_node(
        "1 node(s) had untolerated taint {dedicated: nlp}", f"2 {OTHER}", of=3),
    "schedule.sick": lambda: no_node(
        "1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }", of=1),
    "schedule.selector": lambda: no_node(f"4 {OTHER}"),
    "schedule.full": lambda: no_node("4 Too many pods"),
    "schedule.port": lambda: no_node("1 node(s) didn't have free ports for the requested pod ports", of=1),
    "schedule.affinity": lambda: no_node("1 node(s) didn't match pod affinity rules", of=1),
    "schedule.anti-affinity": lambda: no_node("1 node(s) didn't match pod anti-affinity rules", of=1),
    "schedule.turn": lambda: last(in_a_sweep(unplaced(
        message="0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules."))),
    "schedule.spread": lambda: no_node("1 node(s) didn't match pod topology spread constraints", of=1),
    "schedule.mixed": lambda: no_node("1 Insufficient cpu", "4 Too many pods", of=5),
    "schedule.no-nodes": lambda: unschedulable("no nodes available to schedule pods"),
    "schedule.gate": lambda: last(
        unplaced("SchedulingGated", schedulingGates=[{"name": "example.com/wait"}])),
    "schedule.preempts": lambda: last(unplaced(message="0/1", status={"nominatedNodeName": NODE})),
    # Volumes, configuration
    "volume.claim": lambda: message_parsers.mount('persistentvolumeclaim "data" not found'),
    "volume.claim-deleted": lambda: unschedulable(
        '0/5 nodes are available: persistentvolumeclaim "data" is being deleted.'),
    "volume.unbound": lambda: unschedulable(
        "0/5 nodes are available: pod has unbound immediate PersistentVolumeClaims."),
    "volume.none": lambda: no_node(
        "1 node(s) didn't find available persistent volumes to bind", of=1),
    "volume.far": lambda: no_node("1 node(s) didn't match PersistentVolume's node affinity", of=1),
    "volume.in-use": lambda: no_node(
        "1 node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use "
        "by another pod", of=1),
    "volume.folder": lambda: message_parsers.mount(
        "hostPath type check failed, /nowhere is not a directory, unable to determine its type"),
    "config.secret": lambda: message_parsers.container('secret "hf" not found'),
    "config.configmap": lambda: message_parsers.container('configmap "train" not found'),
    "config.key": lambda: message_parsers.container("couldn't find key TOKEN in Secret n/hf"),
    # Images
    "image.missing": lambda: image("manifest unknown"),
    "image.missing-or-login": lambda: image("may require authorization", name="llama:1"),
    "image.login": lambda: image("unexpected status: 401 Unauthorized"),
    "image.pull-secret": lambda: last(
        pod(waiting("main", "ErrImagePull", "401 Unauthorized") | {"image": "r.example.com/llama:1"},
            phase="Pending"),
        related=_event(
            "FailedToRetrieveImagePullSecret",
            "Unable to retrieve some image pull secrets (hub); attempting to pull the image may not succeed.",
            "pod")),
    "image.too-many-requests": lambda: image("429 Too Many Requests", name="llama:1"),
    "image.registry-down": lambda: image("no such host"),
    "image.platform": lambda: image("no match for platform in manifest: not found"),
    "image.disk": lambda: image("no space left on device"),
    "image.name": lambda: image("", "InvalidImageName", "UPPER:case:1"),
    "image.never-pull": lambda: image("", "ErrImageNeverPull", "llama:1"),
    "image.unsigned": lambda: image("no signature", "SignatureValidationFailed", "llama:1"),
    "image.broken": lambda: image("bad digest", "ImageInspectError", "llama:1"),
    "image.other": lambda: image("unexpected status: 418", name="llama:1"),
    # Containers
    "container.root": lambda: message_parsers.container(
        "container has runAsNonRoot and image will run as root"),
    "container.no-program": lambda: message_parsers.container(
        'exec: "python": executable file not found in $PATH: unknown'),
    "container.not-a-program": lambda: message_parsers.container('exec: "/a.sh": permission denied: unknown'),
    "container.start": lambda: exited(127, "ContainerCannotRun", "no such device"),
    "container.init-runs": lambda: last(pod(
        waiting("main", "PodInitializing"), init=[running("setup")], phase="Pending")),
    "container.sidecar-starts": lambda: last(pod(
        waiting("main", "PodInitializing"), init=[running("proxy", started=False)], sidecars=["proxy"],
        phase="Pending")),
    "container.crashes": lambda: last(pod(waiting("main", "CrashLoopBackOff", "", 3), restart="OnFailure")),
    "container.finished": lambda: last(
        pod(waiting("main", "CrashLoopBackOff", "", 0), restart="Always"), kind=Deployment),
    "container.outlived": lambda: last(pod(ended("main", 1), PROXY)),
    "container.beside-failed": lambda: last(pod(running("main"), ended("sync", 6))),
    "sandbox.runtime": lambda: message_parsers.mount(
        'Failed to create pod sandbox: no runtime for "nvidia" is configured'),
    # Ends
    "exit.code": lambda: exited(3, message="loss is nan"),
    "exit.signal": lambda: exited(139),
    "exit.memory": lambda: exited(137, "OOMKilled", limit="64Gi"),
    "exit.memory-child": lambda: exited(1, "OOMKilled", limit="64Gi"),
    "exit.unknown": lambda: exited(137, "ContainerStatusUnknown"),
    "pod.deadline": lambda: failed("DeadlineExceeded"),
    "pod.preempted": lambda: disrupted("PreemptionByScheduler"),
    # Nodes
    "node.lost": lambda: last(on(NODE, pod(running("main"))), related=sick("does not answer")),
    "node.not-ready": lambda: last(
        on(NODE, pod(running("main"))), related=sick("is not ready: container runtime is down")),
    "node.drained": lambda: disrupted("EvictionByEvictionAPI"),
    "node.tainted": lambda: disrupted("DeletionByTaintManager"),
    "node.gone": lambda: disrupted("DeletionByPodGC"),
    "node.ended": lambda: disrupted("TerminationByKubelet", "The node had condition: [DiskPressure]."),
    "node.evicted": lambda: failed("Evicted", "The node was low on resource: memory."),
    "node.critical-pod": lambda: failed("Preempting"),
    "node.shutdown": lambda: failed("NodeShutdown"),
    "node.other-kind": lambda: failed("NodeAffinity"),
    "node.no-room": lambda: failed(
        "OutOfcpu", "Pod was rejected: resource: cpu, requested: 5000, used: 1450, capacity: 4000"),
    "node.devices": lambda: failed(
        "UnexpectedAdmissionError", "Pod Allocate failed for no healthy devices, which is unexpected"),
    "node.refused": lambda: failed("AdmissionFailed", "no room"),
    "node.topology": lambda: failed("TopologyAffinityError", "no room"),
}  # fmt: skip


@pytest.mark.parametrize("kind", CAUSES, ids=lambda kind: kind.id)
def test_the_example_of_every_cause_comes_out_of_the_code(kind: causes.CauseKind) -> None:
    found = MADE[kind.id]()
    assert found is not None
    assert (found.id, found.sentence) == (kind.id, kind.example)


def test_every_id_stands_once() -> None:
    ids = Counter(kind.id for kind in (*CAUSES, *QUEUE_CAUSES))
    assert [id_ for id_, count in ids.items() if count > 1] == []
    assert set(MADE) == {kind.id for kind in CAUSES}


def test_every_id_in_the_code_has_a_row() -> None:
    folder = Path(causes.__file__).parent
    groups = "|".join(sorted({kind.id.partition(".")[0] for kind in CAUSES}))
    literal = re.compile(rf'"((?:{groups})\.[a-z-]+)"')
    texts = (path.read_text() for path in folder.glob("*.py") if not path.name.endswith("causes.py"))
    used = {id_ for text in texts for id_ in literal.findall(text)} - {"node.cloudprovider"}
    assert used == {kind.id for kind in CAUSES}


# The chain


def test_the_chain_leads_from_the_job_down_to_what_blocks() -> None:
    stuck = on(NODE, pod(
        waiting("main", "CreateContainerConfigError", 'secret "hf" not found'), phase="Pending",
        status={"conditions": [{"type": "PodScheduled", **TRUE}]},
    ))  # fmt: skip
    chain = job_chain(stuck, related=admitted(), **QUEUED)
    assert [(cause.id, cause.object) for cause in chain] == [
        ("job.pods", "job/bert"),
        ("job.admitted", "workload/job-bert"),
        ("pod.placed", "pod/p"),
        ("config.secret", "secret/hf"),
    ]
    assert chain[0].sentence == "0 of 1 pod runs"
    assert chain[-1].raw == 'secret "hf" not found'
    assert str(chain[-1].since) == "2026-11-29 06:51:00+00:00"


def test_a_job_that_runs_as_it_should_has_no_chain() -> None:
    assert job_chain(pod(running("main"))) == ()
    assert job_chain(pod(ended("main", 0), phase="Succeeded")) == ()


def test_a_message_that_nobody_knows_stands_as_it_is() -> None:
    found = last(unplaced(message="of tomorrow"))
    assert (found.id, found.sentence, found.object) == ("", "of tomorrow", "pod/p")


def test_a_refused_pod_is_about_the_quota() -> None:
    chain = job_chain(related=_event("FailedCreate", REFUSED + QUOTA, "root"))
    assert [(cause.id, cause.object) for cause in chain] == [
        ("job.no-pods", "job/bert"), ("admission.quota", "resourcequota/gpus")
    ]  # fmt: skip


def test_a_preempted_pod_that_is_still_ending_tells_why_its_job_has_failed() -> None:
    target = {"type": "DisruptionTarget", "reason": "PreemptionByScheduler", **TRUE}
    ending = pod(running("main"), status={"conditions": [target]}, **GONE)
    found = job_failed("BackoffLimitExceeded", "raw words", ending)[-1]
    assert (found.id, found.sentence) == ("pod.preempted", "gave way to a pod of higher priority")
