"""How a container or pod ended, in words (pure)."""

import signal
from contextlib import suppress

from backend_client.kubernetes.resources.core import ContainerStatus, Pod, Terminated
from backend_client.kubernetes.status import message_parsers

_CANNOT_START = ("StartError", "ContainerCannotRun")
_DISRUPTIONS = {
    "PreemptionByScheduler": "gave way to a pod of higher priority",
    "EvictionByEvictionAPI": "was moved off its node (drain)",
    "DeletionByTaintManager": "was taken off its node, which had got a taint",
    "DeletionByPodGC": "was cleared away, as its node is gone",
    "TerminationByKubelet": "was ended by its node",
}


def signal_number(exit_code: int) -> int | None:
    """The signal that an exit code of 128 + n stands for."""
    if exit_code > 128:
        with suppress(ValueError):
            return int(signal.Signals(exit_code - 128))
    return None


def container_exit_reason(ended: Terminated, memory_limit: str = "") -> str:
    """How a container ended; `memory` is its limit."""
    if ended.reason == "OOMKilled":
        return f"ran out of memory ({f'limit {memory_limit}, ' if memory_limit else ''}OOMKilled)"
    if ended.reason in _CANNOT_START:
        return message_parsers.container(ended.message) or f"could not be started: {ended.message}"
    number = signal_number(ended.exit_code)
    name = f" ({signal.Signals(number).name})" if number else ""
    last_line = ended.message.strip().splitlines()[-1:]
    return f"exit {ended.exit_code}{name}" + (f": {last_line[0]}" if last_line else "")


def pod_eviction_reason(pod: Pod) -> str:
    """Why a pod as a whole was ended from outside; "" where it was not."""
    status, target = pod.status, pod.condition("DisruptionTarget")
    if status.reason == "Evicted":
        return f"was evicted by its node: {status.message}"
    if target and target.true:
        return _DISRUPTIONS.get(target.reason, target.message or target.reason)
    if status.reason:
        return f"{status.reason}: {status.message}" if status.message else status.reason
    return ""


def memory_limit(pod: Pod, container: str) -> str:
    """What a container may use, as its spec says; "" where there is no limit."""
    limits = {found.name: found.resources.limits for found in pod.spec.containers}
    return limits.get(container, {}).get("memory", "")


def pod_exit_reason(pod: Pod) -> str:
    """How a pod that has ended did; "" for one that succeeded or has not ended."""
    if reason := pod_eviction_reason(pod):
        return reason
    for status in pod.status.init_container_statuses:
        if reason := _failure(status, pod):
            return f"init container {status.name}: {reason}"
    containers = [found for found in (pod.main_container_status, *pod.status.container_statuses) if found]
    failures = (_failure(status, pod) for status in containers)
    return next(filter(None, failures), pod.status.message if pod.status.phase == "Failed" else "")


def _failure(status: ContainerStatus, pod: Pod) -> str:
    ended = status.state.terminated
    if not ended or not (ended.exit_code or ended.reason == "OOMKilled"):
        return ""
    return container_exit_reason(ended, memory_limit(pod, status.name))
