"""What is wrong with a pod whose containers were started: a lost node, others beside the main one (pure)."""

from collections.abc import Sequence

from backend_client.kubernetes.resources.core import ContainerStatus, Pod, Terminated
from backend_client.kubernetes.resources.node_gpus import NodeGpus
from backend_client.kubernetes.status.attempts import has_ended
from backend_client.kubernetes.status.cause import about, cause, node_object, pod_object, reworded
from backend_client.kubernetes.status.container_reason import container_reason, container_statuses
from backend_client.kubernetes.status.exit_reason import (
    container_exit,
    container_label,
    memory_limit,
    pod_eviction,
)
from backend_client.why import Cause


def lost_node(pod: Pod, node_gpus: Sequence[NodeGpus] | None) -> Cause | None:
    """Return that the node of a pod does not answer or is not ready; None where nothing says so.

    The node controller then sets the pod's Ready to False and leaves ContainersReady alone, which the kubelet
    does for a readiness gate only (pkg/controller/util/node, MarkPodsNotReady). Older ones write NodeLost.
    """
    node, status, ready = pod.spec.node_name, pod.status, pod.condition("Ready")
    since = ready.last_transition_time if ready and not ready.true else None
    if status.reason == "NodeLost" or status.phase == "Unknown":
        message = f": {status.message}" if status.message else ""
        words = f"its node {node} does not answer{message}".replace("  ", " ")
        return pod_eviction(pod) or cause("node.lost", words, node_object(pod), since=since)
    if not node or not any(container.state.running for container in container_statuses(pod)):
        return None
    trouble = next((known.trouble for known in node_gpus or () if known.node == node), "")
    of_node = ready is not None and not ready.true and (
        ready.reason.startswith("Node")
        or (pod.has_condition("ContainersReady") and ready.reason in ("", "ContainersReady"))
    )  # fmt: skip
    if not trouble and not of_node:
        return None
    id_ = "node.not-ready" if trouble.startswith("is not ready") else "node.lost"
    return cause(id_, f"its node {node} {trouble or 'does not answer'}", node_object(pod), since=since)


def beside_main(pod: Pod) -> Cause | None:
    """Return what is wrong beside a main container that was started: it has ended and others go on, or one of
    the others crashes, waits or has failed.
    """
    main = pod.main_container_status
    if main is None or has_ended(pod):
        return None
    others = [status for status in container_statuses(pod) if status is not main]
    if ended := main.state.terminated:
        going_on = [status.name for status in others if status.state.running]
        return _outlived(main, ended, going_on, pod) if going_on else None
    found = (_trouble_beside(status, pod) for status in (*others, *pod.status.ephemeral_container_statuses))
    return next(filter(None, found), None) if main.state.running else None


def _outlived(main: ContainerStatus, ended: Terminated, going_on: Sequence[str], pod: Pod) -> Cause:
    """Describe a main container that has ended while others of its pod go on."""
    found = container_exit(ended, memory_limit(pod, main.name))
    with_exit = found.sentence.startswith("exit ")
    end = f"{main.name} ended with {found.sentence}" if with_exit else f"{main.name}: {found.sentence}"
    sentence = f"{end}; {_going_on(going_on)}"
    return about(reworded(found, sentence, "container.outlived"), pod_object(pod))


def _going_on(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]} go on" if len(names) > 1 else f"{names[0]} goes on"


def _trouble_beside(status: ContainerStatus, pod: Pod) -> Cause | None:
    """Describe a container beside a main one that runs: it waits, or has failed for good."""
    if waits := container_reason(status, pod):
        return waits
    ended = status.state.terminated
    is_past = pod.is_init(status.name) and pod.restart_policy_of(status.name) != "Always"
    if ended is None or not ended.exit_code or is_past:
        return None
    found = container_exit(ended, memory_limit(pod, status.name))
    sentence = f"{container_label(status, pod)} failed: {found.sentence}"
    return about(reworded(found, sentence, "container.beside-failed"), pod_object(pod))
