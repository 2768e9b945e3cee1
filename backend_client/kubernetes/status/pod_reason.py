"""The reason of a pod's state: the first cause that keeps it from running, in one sentence (pure).

The order is that of a pod's life: scheduling gates, the scheduler, crashes, images and containers, mounts
(kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle; docs/FACTS.md, "Pods and their reasons"). Nothing
is guessed: every sentence comes from a structured field or a tested parser; the raw message stands where
neither knows it.
"""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from backend_client.gpu_nodes import is_type
from backend_client.kubernetes import labels
from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.resources.events import KubeEvent
from backend_client.kubernetes.resources.kueue import Workload
from backend_client.kubernetes.resources.networking import Ingress
from backend_client.kubernetes.resources.node_gpus import NodeGpus, gpus_of, no_node_has
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.status import message_parsers
from backend_client.kubernetes.status.attempts import NO_PAST, PastAttempts, has_ended
from backend_client.kubernetes.status.cause import about, cause, placed_at, pod_object, reworded
from backend_client.kubernetes.status.container_reason import container_reason, container_statuses, crash
from backend_client.kubernetes.status.exit_reason import container_label, container_prefix, pod_exit
from backend_client.kubernetes.status.kueue_history import NameOf, nobody
from backend_client.kubernetes.status.pod_state import KUEUE_GATES, last_crash
from backend_client.kubernetes.status.queue_place import NO_POSITIONS, Positions, added_by_queue, queue_place
from backend_client.kubernetes.status.running_pod import beside_main, lost_node
from backend_client.messages import RESTARTS_FROM_START
from backend_client.why import Cause

NO_WORKLOADS: Mapping[str, Workload] = {}
MOUNT_EVENTS = ("FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox")
PULL_EVENTS = ("FailedToRetrieveImagePullSecret",)
"""Reasons of events by which a kubelet reports what no status has."""
LOGINS = ("image.login", "image.missing-or-login", "image.missing")
"""Causes that a missing pull secret may have."""


class RelatedObjects(Struct, frozen=True, kw_only=True):
    """What is known beside a job's root object and pods. All of it may be missing."""

    site: KubernetesSettings = KubernetesSettings()
    events: tuple[KubeEvent, ...] = ()
    expired_events: tuple[KubeEvent, ...] = ()
    """Events that the cluster has thrown away (after an hour), about objects that are as they were."""
    workloads: Mapping[str, Workload] = NO_WORKLOADS
    """Kueue's, by the uid of the Job or, of a Deployment, of each pod."""
    queue_positions: Positions = NO_POSITIONS
    name_of: NameOf = nobody
    """What names another job that is spoken of; a reason in a list names none."""
    ingress: Ingress | None = None
    node_gpus: tuple[NodeGpus, ...] | None = None
    """The GPUs of all nodes; None where nodes may not be listed."""
    events_unknown_because: str = ""
    """Why events cannot be read; "" where they can."""
    workloads_unknown_because: str = ""
    interruption: str = ""
    """How an earlier pod of the job was ended from outside, as was seen before it was gone."""
    past: PastAttempts = NO_PAST
    """Earlier attempts that were seen and that no pod reports any more."""
    last_reason: str = ""
    """Why the pods that its queue took away last did not run, as was seen before."""
    now: datetime | None = None
    """The time of this look; a time of another day is told with its day."""


def last_event(related: RelatedObjects, uid: str, reasons: tuple[str, ...]) -> KubeEvent | None:
    """Return the newest event about an object that has one of these reasons."""
    known = (*related.events, *related.expired_events)
    matching = (event for event in known if uid and event.involved_object.uid == uid)
    return max(
        (event for event in matching if event.reason in reasons),
        key=lambda event: str(event.time or ""),
        default=None,
    )


def seen_at(event: KubeEvent, related: RelatedObjects) -> str:
    """Return when an event was seen last, in brackets, where the cluster has it no more; else ""."""
    if event not in related.expired_events:
        return ""
    return f" (seen at {event.time:%H:%M} UTC)" if event.time else " (seen a while ago)"


def pod_reason(pod: Pod, gpu_type: str, related: RelatedObjects) -> Cause | None:
    """Return why one pod does not run, or how it ended; None where all is well. `gpu_type` as in JobSpec."""
    if has_ended(pod):
        return pod_exit(pod)
    return (
        _scheduling_reason(pod, gpu_type, related)
        or lost_node(pod, related.node_gpus)
        or crash_reason(pod)
        or _waiting_reason(pod, related)
        or beside_main(pod)
    )


def _scheduling_reason(pod: Pod, gpu_type: str, related: RelatedObjects) -> Cause | None:
    scheduled = pod.condition("PodScheduled")
    if pod.spec.node_name or not scheduled or scheduled.true:
        return None
    since, raw = scheduled.last_transition_time, scheduled.message
    if scheduled.reason == "SchedulingGated":
        gated = _gate_reason(pod, gpu_type, related)
        return about(gated, pod_object(pod), since) if gated else None
    if nominated := pod.status.nominated_node_name:
        words = f"waits on {nominated} until pods of lower priority have made room"
        return cause("schedule.preempts", words, f"node/{nominated}", raw=raw, since=since)
    if never := _never_fits(pod, gpu_type, related):
        return cause("schedule.too-big", never, pod_object(pod), raw=raw, since=since)
    from backend_client.kubernetes.status.scheduler_message import unschedulable  # noqa: PLC0415  few wait

    if labels.TURN in pod.metadata.labels and "anti-affinity rules" in raw:
        words = f"waits for its turn in the sweep {pod.metadata.labels.get(labels.SWEEP, '')}"
        return cause("schedule.turn", words, pod_object(pod), raw=raw, since=since)
    found = unschedulable(raw) or cause("", raw or scheduled.reason)
    added = added_by_queue(pod, _workload_of(pod, related)) if "node affinity/selector" in raw else ""
    sentence = "; ".join(filter(None, (_closest_miss(pod, gpu_type, related), found.sentence, added)))
    return about(reworded(found, sentence), pod_object(pod), since)


def _workload_of(pod: Pod, related: RelatedObjects) -> Workload | None:
    owner = pod.owner
    return related.workloads.get(pod.uid) or (related.workloads.get(owner.uid) if owner else None)


def _never_fits(pod: Pod, gpu_type: str, related: RelatedObjects) -> str:
    """Return that no node has so many GPUs, free or not; "" where one has, or nodes may not be listed."""
    totals = [node.total for node in _candidates(gpu_type, related)]
    return no_node_has(gpus_of(pod.spec, related.site.gpu_resource), totals, gpu_type) if totals else ""


def _candidates(gpu_type: str, related: RelatedObjects) -> list[NodeGpus]:
    """Return the nodes with GPUs of a type, free or not."""
    nodes = [node for node in related.node_gpus or () if node.total]
    return [node for node in nodes if not gpu_type or is_type(node.product, gpu_type)]


def _gate_reason(pod: Pod, gpu_type: str, related: RelatedObjects) -> Cause | None:
    """Return what the scheduling gates wait for. A foreign one can outlast Kueue's own (kueue#9482)."""
    gates = [gate.name for gate in pod.spec.scheduling_gates]
    foreign = [gate for gate in gates if not gate.startswith(KUEUE_GATES)]
    if not gates:  # they are gone; the scheduler has yet to look
        return None
    if foreign:
        return cause("schedule.gate", f"held back by the scheduling gate {', '.join(foreign)}")
    return pod_queue_cause(pod, gpu_type, related)


def pod_queue_cause(pod: Pod, gpu_type: str, related: RelatedObjects, *, placed: bool = True) -> Cause:
    """Return why Kueue holds a pod back: a bare one, or one of a Deployment; `placed`: its place too."""
    from backend_client.kubernetes.status.kueue_reason import queue_cause  # noqa: PLC0415  few wait in one

    queue, workload = pod.metadata.labels.get(labels.QUEUE, ""), related.workloads.get(pod.uid)
    return queue_cause(
        queue,
        workload,
        related.workloads_unknown_because,
        place=queue_place(pod, (workload,), related.queue_positions) if workload and placed else None,
        gpu_type=gpu_type,
        last_reason=related.last_reason,
        name_of=related.name_of,
        now=related.now,
    )


def _closest_miss(pod: Pod, gpu_type: str, related: RelatedObjects) -> str:
    """Describe how much smaller a job has to be, where the scheduler only counts nodes."""
    requested = gpus_of(pod.spec, related.site.gpu_resource)
    largest = max(_candidates(gpu_type, related), key=lambda node: node.free, default=None)
    if largest is None or largest.free >= requested:
        return ""
    location = f" on {largest.node} ({largest.product})" if largest.free else ""
    return f"{requested} GPUs asked, the largest free block is {largest.free}{location}"


def crash_reason(pod: Pod) -> Cause | None:
    """Return how a container ended that its pod is about to start again; None where there is none."""
    found = last_crash(pod)
    if not found:
        return None
    status, ended = found
    is_main = not container_prefix(status, pod)
    if not ended.exit_code and is_main:
        words = f"finished (exit 0), and {RESTARTS_FROM_START}"
        return cause("container.finished", words, pod_object(pod), since=ended.finished_at)
    crashed = crash(status, ended, pod)
    return crashed if is_main else reworded(crashed, f"{container_label(status, pod)} {crashed.sentence}")


def _waiting_reason(pod: Pod, related: RelatedObjects) -> Cause | None:
    reasons = (container_reason(status, pod) for status in container_statuses(pod))
    if found := next(filter(None, reasons), None):
        return _with_pull_secret(found, pod, related)
    return _event_reason(pod, related) or _preparing_reason(pod)


def _with_pull_secret(found: Cause, pod: Pod, related: RelatedObjects) -> Cause:
    """Add to an image that the registry does not give that a pull secret of the pod is not there."""
    event = last_event(related, pod.uid, PULL_EVENTS) if found.id in LOGINS else None
    missing = message_parsers.pull_secret(event.message) if event else None
    if missing is None:
        return found
    return about(reworded(missing, f"{found.sentence}; {missing.sentence}"), "", found.since)


def _preparing_reason(pod: Pod) -> Cause | None:
    """Describe what comes before the main container of a pod: its init containers, the start of sidecars."""
    if pod.status.phase != "Pending":
        return None
    for status in pod.status.init_container_statuses:
        label, running = container_label(status, pod), status.state.running
        if running and pod.restart_policy_of(status.name) != "Always":
            words = f"{label} runs first"
            return cause("container.init-runs", words, pod_object(pod), since=running.started_at)
        if running and status.started is False:
            words = f"waits for {label} to be up"
            return cause("container.sidecar-starts", words, pod_object(pod), since=running.started_at)
    return None


def _event_reason(pod: Pod, related: RelatedObjects) -> Cause | None:
    """Describe a failed mount or sandbox: the kubelet reports those by events alone (KEP-3085)."""
    if not pod.spec.node_name or any(status.state.running for status in container_statuses(pod)):
        return None
    event = last_event(related, pod.uid, MOUNT_EVENTS)
    if event is None or not event.message:
        return None
    found = message_parsers.mount(event.message) or cause("", event.message, raw=event.message)
    worded = reworded(found, found.sentence + seen_at(event, related))
    return about(worded, pod_object(pod), event.metadata.creation_timestamp or placed_at(pod))
