"""Exit reasons: how a container or a pod ended, in words (pure).

Conditions and reasons: kubernetes.io/docs/concepts/workloads/pods/disruptions, "Pod disruption conditions"
(KEP-3329). docs/FACTS.md, "Pods and their reasons".
"""

import re
import signal
from contextlib import suppress

from msgspec.structs import replace

from backend_client.kubernetes import labels
from backend_client.kubernetes.resources.core import ContainerStatus, Pod, Terminated
from backend_client.kubernetes.status import message_parsers
from backend_client.kubernetes.status.cause import about, cause, node_object, pod_object, reworded
from backend_client.why import Cause

_CANNOT_START = ("StartError", "ContainerCannotRun")
_UNREMARKABLE = ("", "Error", "Completed")
"""Reasons of an end that say no more than its exit code."""
_DISRUPTIONS = {
    "PreemptionByScheduler": ("pod.preempted", "gave way to a pod of higher priority"),
    "EvictionByEvictionAPI": ("node.drained", "was moved off {node} (drain)"),
    "DeletionByTaintManager": ("node.tainted", "was taken off {node}, which had got a taint"),
    "DeletionByPodGC": ("node.gone", "was cleared away, as {node} is gone"),
    "TerminationByKubelet": ("node.ended", "was ended by {node}"),
}
"""Reasons of the condition DisruptionTarget: id and words."""
_SHUTDOWN = ("node.shutdown", "was ended, as {node} is shutting down")
_POD_REASONS = {
    "Evicted": ("node.evicted", "was evicted by {node}"),
    "Preempting": (
        "node.critical-pod",
        "had to make room on {node} for a pod that the cluster itself needs",
    ),
    "DeadlineExceeded": ("pod.deadline", "ran longer than its time limit"),
    "NodeLost": ("node.lost", "{node} does not answer"),
    "NodeAffinity": (
        "node.other-kind",
        "was refused by {node}, which is not (or no more) of the kind asked for",
    ),
    "NodeShutdown": _SHUTDOWN,
    "Shutdown": _SHUTDOWN,
    "Terminated": _SHUTDOWN,
    "UnexpectedAdmissionError": ("node.devices", "was refused by {node} (UnexpectedAdmissionError)"),
    "AdmissionFailed": ("node.refused", "was refused by {node} (AdmissionFailed)"),
    "TopologyAffinityError": (
        "node.topology",
        "was refused by {node}, where no devices and CPUs lie close together",
    ),
}
"""`status.reason` of a pod, as the kubelet and the node controller write it (pkg/kubelet/eviction, lifecycle,
nodeshutdown, preemption; pkg/util/node): id and words. `{node}` is the node in words."""
_SAID_BY_WORDS = (
    "DeadlineExceeded",
    "NodeLost",
    "NodeAffinity",
    "NodeShutdown",
    "Shutdown",
    "Terminated",
    "Preempting",
)
"""Reasons whose message says no more than our words."""


def signal_number(exit_code: int) -> int | None:
    """Return the signal that an exit code of 128 + n stands for; None for other codes."""
    if exit_code > 128:
        with suppress(ValueError):
            return int(signal.Signals(exit_code - 128))
    return None


def container_exit_reason(ended: Terminated, limit: str = "") -> str:
    """Describe how a container ended, as `container_exit` does."""
    return container_exit(ended, limit).sentence


def container_exit(ended: Terminated, limit: str = "") -> Cause:
    """Return how a container ended; `limit`, of its memory, is shown where that was reached."""
    return replace(_container_exit(ended, limit), raw=ended.message, since=ended.finished_at)


def _container_exit(ended: Terminated, limit: str) -> Cause:
    if ended.reason == "OOMKilled":
        return _out_of_memory(ended, limit)
    if ended.reason in _CANNOT_START:
        raw = f"could not be started: {ended.message}"
        return message_parsers.container(ended.message) or cause("container.start", raw)
    if ended.reason == "ContainerStatusUnknown":
        words = f"how it ended is unknown: its node lost sight of it (exit {ended.exit_code})"
        return cause("exit.unknown", words)
    number = signal_number(ended.exit_code)
    name = f" ({signal.Signals(number).name})" if number else ""
    kind = "" if ended.reason in _UNREMARKABLE else f" ({ended.reason})"
    last_line = ended.message.strip().splitlines()[-1:]
    words = f"exit {ended.exit_code}{name}{kind}" + (f": {last_line[0]}" if last_line else "")
    return cause("exit.signal" if number else "exit.code", words)


def _out_of_memory(ended: Terminated, limit: str) -> Cause:
    """Describe an end by the kernel's OOM killer; where it took a child alone, the exit is its own."""
    words = f"ran out of memory ({f'limit {limit}, ' if limit else ''}OOMKilled)"
    if ended.exit_code == 128 + signal.SIGKILL:
        return cause("exit.memory", words)
    return cause("exit.memory-child", f"exit {ended.exit_code}, after a process of it {words}")


def pod_eviction_reason(pod: Pod) -> str:
    """Describe why a pod as a whole was ended or refused from outside; "" where it was not."""
    found = pod_eviction(pod)
    return found.sentence if found else ""


def pod_eviction(pod: Pod) -> Cause | None:
    """Return why a pod as a whole was ended or refused from outside; None where it was not."""
    found = _pod_eviction(pod)
    if found is None:
        return None
    target = pod.condition("DisruptionTarget")
    raw = pod.status.message or (target.message if target else "")
    of = node_object(pod) if found.id.startswith("node.") else pod_object(pod)
    return about(replace(found, raw=raw), of, target.last_transition_time if target else None)


def _pod_eviction(pod: Pod) -> Cause | None:
    node = f"its node {pod.spec.node_name}".rstrip()
    status, target = pod.status, pod.condition("DisruptionTarget")
    if status.reason in _POD_REASONS:
        id_, pattern = _POD_REASONS[status.reason]
        message = "" if status.reason in _SAID_BY_WORDS else _refusal_message(status.message)
        words = pattern.format(node=node)
        return cause(id_, f"{words}: {message}" if message else words)
    if status.reason.startswith("OutOf"):
        return cause("node.no-room", _no_room_reason(status.reason, status.message, node))
    if target and target.true:
        id_, pattern = _DISRUPTIONS.get(target.reason, ("", target.message or target.reason))
        words = pattern.replace("{node}", node)
        told = target.reason == "TerminationByKubelet" and target.message
        return cause(id_, f"{words}: {target.message}" if told else words)
    if status.reason:
        return cause("", f"{status.reason}: {status.message}" if status.message else status.reason)
    return None


def interruption(pod: Pod) -> str:
    """Describe, with its time, that a pod was ended from outside (preempted, drained); else ""."""
    target = pod.condition("DisruptionTarget")
    if target is None or not target.true:
        return ""
    time = target.last_transition_time
    return pod_eviction_reason(pod) + (f" ({time:%H:%M} UTC)" if time else "")


_MISSING_TOOL = re.compile(r"not found|[Cc]annot exec|can't execute|No such file or directory")
_NO_TOOL = (
    "sh, tar and gzip of the image unpack the code: use one that has them, or have the code in the image or "
    "on a volume"
)
_NOT_UNPACKED = "the code could not be unpacked, so the command did not start"
_REJECTED = re.compile(r"^Pod (was rejected: )?(?=\S)")


def _refusal_message(message: str) -> str:
    """Return why a node refused or evicted a pod, without the words that say that it did."""
    return _REJECTED.sub("", message).removesuffix(", which is unexpected").strip()


def _no_room_reason(reason: str, message: str, node: str) -> str:
    """Describe a pod that its node had no room for when it came there (OutOfcpu, OutOfnvidia.com/gpu)."""
    label = message_parsers.resource_label(reason.removeprefix("OutOf"))
    figures = message_parsers.node_room(message)
    return f"was refused by {node}, which has no {label} left{f': {figures}' if figures else ''} ({reason})"


def memory_limit(pod: Pod, container: str) -> str:
    """Return the memory limit of a container of a pod; "" where it has none."""
    containers = (*pod.spec.init_containers, *pod.spec.containers)
    limits = {spec.name: spec.resources.limits for spec in containers}
    return limits.get(container, {}).get("memory", "")


def pod_exit_reason(pod: Pod) -> str:
    """Describe how a pod ended; "" for one that succeeded or has not ended."""
    found = pod_exit(pod)
    return found.sentence if found else ""


def pod_exit(pod: Pod) -> Cause | None:
    """Return how a pod ended; None for one that succeeded or has not ended."""
    if evicted := pod_eviction(pod):
        return evicted
    inits = [
        status
        for status in pod.status.init_container_statuses
        if pod.restart_policy_of(status.name) != "Always"
    ]
    main = pod.main_container_status
    others = [status for status in pod.status.container_statuses if status is not main]
    for status in (*inits, *filter(None, [main]), *others):
        if failed := _failure(status, pod):
            return about(reworded(failed, container_prefix(status, pod) + failed.sentence), pod_object(pod))
    message = pod.status.message
    return cause("", message, pod_object(pod)) if pod.status.phase == "Failed" and message else None


def container_label(status: ContainerStatus, pod: Pod) -> str:
    """Name a container that is not the main one by what it is: init container, sidecar, container."""
    if pod.is_init(status.name):
        is_sidecar = pod.restart_policy_of(status.name) == "Always"
        return f"{'sidecar' if is_sidecar else 'init container'} {status.name}"
    return f"container {status.name}"


def container_prefix(status: ContainerStatus, pod: Pod) -> str:
    """Return what stands before a reason that is not the main container's; "" for that one."""
    main = pod.main_container_status
    return "" if main and main.name == status.name else f"{container_label(status, pod)}: "


def _failure(status: ContainerStatus, pod: Pod) -> Cause | None:
    ended = status.state.terminated
    if not ended or not (ended.exit_code or ended.reason == "OOMKilled"):
        return None
    found = container_exit(ended, memory_limit(pod, status.name))
    if status.name != labels.CODE_CONTAINER or not pod.is_init(status.name):
        return found
    no_tool = found.id == "container.no-program" or _MISSING_TOOL.search(ended.message)
    return reworded(found, f"{found.sentence}; {_NO_TOOL if no_tool else _NOT_UNPACKED}")
