"""Exit reasons: how a container or a pod ended, in words (pure).

Conditions and reasons: kubernetes.io/docs/concepts/workloads/pods/disruptions, "Pod disruption conditions"
(KEP-3329). docs/FACTS.md, "Pods and their reasons".
"""

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
    """Return the signal that an exit code of 128 + n stands for; None for other codes."""
    if exit_code > 128:
        with suppress(ValueError):
            return int(signal.Signals(exit_code - 128))
    return None


def container_exit_reason(ended: Terminated, limit: str = "") -> str:
    """Describe how a container ended; `limit`, of its memory, is shown where that was reached."""
    if ended.reason == "OOMKilled":
        return f"ran out of memory ({f'limit {limit}, ' if limit else ''}OOMKilled)"
    if ended.reason in _CANNOT_START:
        return message_parsers.container(ended.message) or f"could not be started: {ended.message}"
    number = signal_number(ended.exit_code)
    name = f" ({signal.Signals(number).name})" if number else ""
    last_line = ended.message.strip().splitlines()[-1:]
    return f"exit {ended.exit_code}{name}" + (f": {last_line[0]}" if last_line else "")


def pod_eviction_reason(pod: Pod) -> str:
    """Describe why a pod as a whole was ended from outside; "" where it was not."""
    status, target = pod.status, pod.condition("DisruptionTarget")
    if status.reason == "Evicted":
        return f"was evicted by its node: {status.message}"
    if target and target.true:
        return _DISRUPTIONS.get(target.reason, target.message or target.reason)
    if status.reason:
        return f"{status.reason}: {status.message}" if status.message else status.reason
    return ""


def memory_limit(pod: Pod, container: str) -> str:
    """Return the memory limit of a container of a pod; "" where it has none."""
    limits = {spec.name: spec.resources.limits for spec in pod.spec.containers}
    return limits.get(container, {}).get("memory", "")


def pod_exit_reason(pod: Pod) -> str:
    """Describe how a pod ended; "" for one that succeeded or has not ended."""
    if reason := pod_eviction_reason(pod):
        return reason
    for status in pod.status.init_container_statuses:
        if reason := _failure(status, pod):
            return f"init container {status.name}: {reason}"
    containers = [status for status in (pod.main_container_status, *pod.status.container_statuses) if status]
    failures = (_failure(status, pod) for status in containers)
    return next(filter(None, failures), pod.status.message if pod.status.phase == "Failed" else "")


def _failure(status: ContainerStatus, pod: Pod) -> str:
    ended = status.state.terminated
    if not ended or not (ended.exit_code or ended.reason == "OOMKilled"):
        return ""
    return container_exit_reason(ended, memory_limit(pod, status.name))
