"""Why one container of a pod waits or crashes, whichever it is: main, beside it, sidecar, init (pure)."""

from collections.abc import Iterator

from backend_client.kubernetes.resources.core import ContainerStatus, Pod, Terminated
from backend_client.kubernetes.status import message_parsers
from backend_client.kubernetes.status.cause import about, cause, placed_at, pod_object, reworded
from backend_client.kubernetes.status.exit_reason import container_exit, container_prefix, memory_limit
from backend_client.why import Cause

_IMAGE = (
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
    "SignatureValidationFailed",
)
_IN_PROGRESS = ("", "ContainerCreating", "PodInitializing")


def container_reason(status: ContainerStatus, pod: Pod) -> Cause | None:
    """Return why a container waits; None where it does not, or gets ready as it should."""
    waiting = status.state.waiting
    if not waiting or waiting.reason in _IN_PROGRESS:
        return None
    prefix, crashed = container_prefix(status, pod), status.last_state.terminated
    if waiting.reason == "CrashLoopBackOff" and crashed:
        found = crash(status, crashed, pod)
        return reworded(found, f"{prefix.removesuffix(': ')} {found.sentence}".strip())
    if waiting.reason in _IMAGE:
        image = status.image or _image_of(pod, status.name)
        found = message_parsers.image(waiting.reason, waiting.message, image)
    else:
        raw = f"{waiting.reason}: {waiting.message}" if waiting.message else waiting.reason
        found = message_parsers.container(waiting.message) or cause("", raw)
    return about(reworded(found, prefix + found.sentence), pod_object(pod), placed_at(pod))


def crash(status: ContainerStatus, ended: Terminated, pod: Pod) -> Cause:
    """Return how a container that is started again and again ended last: "crashes: exit 1, 3 restarts"."""
    count = status.restart_count
    times = f", {count} restart{'s' * (count > 1)}" if count > 0 else ""
    found = container_exit(ended, memory_limit(pod, status.name))
    return about(reworded(found, f"crashes: {found.sentence}{times}", "container.crashes"), pod_object(pod))


def _image_of(pod: Pod, name: str) -> str:
    images = (c.image for c in (*pod.spec.init_containers, *pod.spec.containers) if c.name == name)
    return next(images, "")


def container_statuses(pod: Pod) -> Iterator[ContainerStatus]:
    """Yield the statuses of a pod's containers in the order in which they start."""
    yield from pod.status.init_container_statuses
    yield from pod.status.container_statuses
