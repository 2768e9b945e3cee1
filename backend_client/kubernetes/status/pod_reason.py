"""Why a pod is not where it should be: the first cause, in one sentence (pure; the order of facts 3.5).

Nothing is guessed: every sentence comes out of a structured field or a tested parser, and where neither knows
the message the raw one stands.
"""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from backend_client.kubernetes import labels
from backend_client.kubernetes.manifests.gpus import NodeGpus, gpus_of, is_type
from backend_client.kubernetes.resources.core import ContainerStatus, Pod
from backend_client.kubernetes.resources.surroundings import Ingress, KubeEvent, Workload
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.status import message_parsers
from backend_client.kubernetes.status.attempts import has_ended
from backend_client.kubernetes.status.exit_reason import (
    condition,
    container_exit_reason,
    memory_limit,
    pod_exit_reason,
)
from backend_client.kubernetes.status.kueue_reason import queue_reason
from backend_client.kubernetes.status.pod_state import KUEUE_GATES, last_crash
from backend_client.messages import RESTARTS_FROM_START

_IMAGE = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
_UNDER_WAY = ("", "ContainerCreating", "PodInitializing")
_NOT_READY = ("FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox")


class RelatedObjects(Struct, frozen=True, kw_only=True):
    """What else is known than a job's anchor and pods. All of it may be missing."""

    site: KubernetesSettings = KubernetesSettings()
    events: tuple[KubeEvent, ...] = ()
    workload: Workload | None = None
    ingress: Ingress | None = None
    blocks: tuple[NodeGpus, ...] | None = None
    """The GPUs of all nodes; None where the user may not list nodes."""
    no_events: str = ""
    """Why events are not known; "" where they are."""
    no_workloads: str = ""


def last_message(events: Iterable[KubeEvent], uid: str, reasons: tuple[str, ...]) -> str:
    """What the newest event about an object says that has one of these reasons."""
    about = (e for e in events if uid and e.involved_object.uid == uid and e.reason in reasons)
    return max(about, key=lambda event: str(event.time or ""), default=KubeEvent()).message


def pod_reason(pod: Pod, gpu_type: str, around: RelatedObjects) -> str:
    """Why one pod does not run, or how it ended; "" where all is well. `gpu_type` as in JobSpec."""
    if has_ended(pod):
        return pod_exit_reason(pod)
    return _unplaced(pod, gpu_type, around) or crash_reason(pod) or _waits(pod, around)


def _unplaced(pod: Pod, gpu_type: str, around: RelatedObjects) -> str:
    scheduled = condition(pod.status.conditions, "PodScheduled")
    if pod.spec.node_name or not scheduled or scheduled.true:
        return ""
    if scheduled.reason == "SchedulingGated":
        return _gated(pod, around)
    words = message_parsers.unschedulable(scheduled.message) or scheduled.message or scheduled.reason
    return "; ".join(part for part in (_closest_miss(pod, gpu_type, around), words) if part)


def _gated(pod: Pod, around: RelatedObjects) -> str:
    """A foreign gate can remain after Kueue has let a pod through (kueue#9482)."""
    gates = [gate.name for gate in pod.spec.scheduling_gates]
    foreign = [gate for gate in gates if not gate.startswith(KUEUE_GATES)]
    if foreign or not gates:
        return f"held back by the scheduling gate {', '.join(foreign)}".rstrip()
    return queue_reason(pod.metadata.labels.get(labels.QUEUE, ""), around.workload, around.no_workloads)


def _closest_miss(pod: Pod, gpu_type: str, around: RelatedObjects) -> str:
    """The scheduler counts nodes; a person wants to know how much smaller the job has to be."""
    asked = gpus_of(pod.spec, around.site.gpu_resource)
    fitting = [b for b in around.blocks or () if not gpu_type or is_type(b.product, gpu_type)]
    best = max(fitting, key=lambda block: block.free, default=None)
    if best is None or best.free >= asked:
        return ""
    where = f" on {best.node} ({best.product})" if best.free else ""
    return f"{asked} GPUs asked, the largest free block is {best.free}{where}"


def crash_reason(pod: Pod) -> str:
    """How the container ended that its pod is about to start again; "" where there is none."""
    crash = last_crash(pod)
    if not crash:
        return ""
    status, ended = crash
    if not ended.exit_code:
        return f"finished (exit 0), and {RESTARTS_FROM_START}"
    count = status.restart_count
    times = f", {count} restart{'s' * (count > 1)}" if count > 0 else ""
    return f"crashes: {container_exit_reason(ended, memory_limit(pod, status.name))}{times}"


def _waits(pod: Pod, around: RelatedObjects) -> str:
    said = (_waiting(status, pod) for status in _containers(pod))
    return next(filter(None, said), "") or _unready(pod, around)


def _containers(pod: Pod) -> Iterator[ContainerStatus]:
    yield from pod.status.init_container_statuses
    yield from pod.status.container_statuses


def _waiting(status: ContainerStatus, pod: Pod) -> str:
    waiting = status.state.waiting
    if not waiting or waiting.reason in _UNDER_WAY:
        return ""
    if waiting.reason in _IMAGE:
        return message_parsers.image(
            waiting.reason, waiting.message, status.image or _image(pod, status.name)
        )
    raw = f"{waiting.reason}: {waiting.message}" if waiting.message else waiting.reason
    return message_parsers.container(waiting.message) or raw


def _image(pod: Pod, name: str) -> str:
    asked = (c.image for c in (*pod.spec.init_containers, *pod.spec.containers) if c.name == name)
    return next(asked, "")


def _unready(pod: Pod, around: RelatedObjects) -> str:
    """Mounts and sandboxes that fail leave no trace in the status, only events (facts 3.5)."""
    if not pod.spec.node_name or any(status.state.running for status in _containers(pod)):
        return ""
    message = last_message(around.events, pod.uid, _NOT_READY)
    return message_parsers.mount(message) or message
