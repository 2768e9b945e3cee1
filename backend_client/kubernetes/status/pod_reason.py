"""The reason of a pod's state: the first cause that keeps it from running, in one sentence (pure).

The order is that of a pod's life: scheduling gates, the scheduler, crashes, images and containers, mounts
(kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle; docs/FACTS.md, "Pods and their reasons"). Nothing
is guessed: every sentence comes from a structured field or a tested parser; the raw message stands where
neither knows it.
"""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from backend_client.kubernetes import labels
from backend_client.kubernetes.resources.core import ContainerStatus, Pod
from backend_client.kubernetes.resources.events import KubeEvent
from backend_client.kubernetes.resources.kueue import Workload
from backend_client.kubernetes.resources.networking import Ingress
from backend_client.kubernetes.resources.node_gpus import NodeGpus, gpus_of, is_type
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.status import message_parsers
from backend_client.kubernetes.status.attempts import has_ended
from backend_client.kubernetes.status.exit_reason import (
    container_exit_reason,
    memory_limit,
    pod_exit_reason,
)
from backend_client.kubernetes.status.kueue_reason import queue_reason
from backend_client.kubernetes.status.pod_state import KUEUE_GATES, last_crash
from backend_client.messages import RESTARTS_FROM_START

_IMAGE = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
_IN_PROGRESS = ("", "ContainerCreating", "PodInitializing")
_MOUNT_EVENTS = ("FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox")


class RelatedObjects(Struct, frozen=True, kw_only=True):
    """What is known beside a job's root object and pods. All of it may be missing."""

    site: KubernetesSettings = KubernetesSettings()
    events: tuple[KubeEvent, ...] = ()
    workload: Workload | None = None
    ingress: Ingress | None = None
    node_gpus: tuple[NodeGpus, ...] | None = None
    """The GPUs of all nodes; None where nodes may not be listed."""
    events_unknown_because: str = ""
    """Why events cannot be read; "" where they can."""
    workloads_unknown_because: str = ""


def last_message(events: Iterable[KubeEvent], uid: str, reasons: tuple[str, ...]) -> str:
    """Return the message of the newest event about an object that has one of these reasons; "" for none."""
    matching = (e for e in events if uid and e.involved_object.uid == uid and e.reason in reasons)
    return max(matching, key=lambda event: str(event.time or ""), default=KubeEvent()).message


def pod_reason(pod: Pod, gpu_type: str, related: RelatedObjects) -> str:
    """Return why one pod does not run, or how it ended; "" where all is well. `gpu_type` as in JobSpec."""
    if has_ended(pod):
        return pod_exit_reason(pod)
    return _scheduling_reason(pod, gpu_type, related) or crash_reason(pod) or _waiting_reason(pod, related)


def _scheduling_reason(pod: Pod, gpu_type: str, related: RelatedObjects) -> str:
    scheduled = pod.condition("PodScheduled")
    if pod.spec.node_name or not scheduled or scheduled.true:
        return ""
    if scheduled.reason == "SchedulingGated":
        return _gate_reason(pod, related)
    reason = message_parsers.unschedulable(scheduled.message) or scheduled.message or scheduled.reason
    return "; ".join(part for part in (_closest_miss(pod, gpu_type, related), reason) if part)


def _gate_reason(pod: Pod, related: RelatedObjects) -> str:
    """Describe the scheduling gates. A foreign one can remain after Kueue admitted the pod (kueue#9482)."""
    gates = [gate.name for gate in pod.spec.scheduling_gates]
    foreign = [gate for gate in gates if not gate.startswith(KUEUE_GATES)]
    if foreign or not gates:
        return f"held back by the scheduling gate {', '.join(foreign)}".rstrip()
    return queue_reason(
        pod.metadata.labels.get(labels.QUEUE, ""), related.workload, related.workloads_unknown_because
    )


def _closest_miss(pod: Pod, gpu_type: str, related: RelatedObjects) -> str:
    """Describe how much smaller a job has to be, where the scheduler only counts nodes."""
    requested = gpus_of(pod.spec, related.site.gpu_resource)
    candidates = [node for node in related.node_gpus or () if not gpu_type or is_type(node.product, gpu_type)]
    largest = max(candidates, key=lambda node: node.free, default=None)
    if largest is None or largest.free >= requested:
        return ""
    location = f" on {largest.node} ({largest.product})" if largest.free else ""
    return f"{requested} GPUs asked, the largest free block is {largest.free}{location}"


def crash_reason(pod: Pod) -> str:
    """Describe the exit of a container that its pod is about to start again; "" where there is none."""
    crash = last_crash(pod)
    if not crash:
        return ""
    status, ended = crash
    if not ended.exit_code:
        return f"finished (exit 0), and {RESTARTS_FROM_START}"
    count = status.restart_count
    times = f", {count} restart{'s' * (count > 1)}" if count > 0 else ""
    return f"crashes: {container_exit_reason(ended, memory_limit(pod, status.name))}{times}"


def _waiting_reason(pod: Pod, related: RelatedObjects) -> str:
    reasons = (_container_reason(status, pod) for status in _container_statuses(pod))
    return next(filter(None, reasons), "") or _event_reason(pod, related)


def _container_statuses(pod: Pod) -> Iterator[ContainerStatus]:
    yield from pod.status.init_container_statuses
    yield from pod.status.container_statuses


def _container_reason(status: ContainerStatus, pod: Pod) -> str:
    waiting = status.state.waiting
    if not waiting or waiting.reason in _IN_PROGRESS:
        return ""
    if waiting.reason in _IMAGE:
        return message_parsers.image(
            waiting.reason, waiting.message, status.image or _image_of(pod, status.name)
        )
    raw = f"{waiting.reason}: {waiting.message}" if waiting.message else waiting.reason
    return message_parsers.container(waiting.message) or raw


def _image_of(pod: Pod, name: str) -> str:
    images = (c.image for c in (*pod.spec.init_containers, *pod.spec.containers) if c.name == name)
    return next(images, "")


def _event_reason(pod: Pod, related: RelatedObjects) -> str:
    """Describe a failed mount or sandbox: the kubelet reports those by events alone (KEP-3085)."""
    if not pod.spec.node_name or any(status.state.running for status in _container_statuses(pod)):
        return ""
    message = last_message(related.events, pod.uid, _MOUNT_EVENTS)
    return message_parsers.mount(message) or message
