"""The state of one pod, and when its crashed container starts again (pure)."""

from datetime import datetime, timedelta

from backend_client.kubernetes.resources.core import ContainerStatus, Pod, Terminated
from backend_client.kubernetes.status import message_parsers
from backend_client.kubernetes.status.attempts import has_ended
from backend_client.models import JobState

KUEUE_GATES = "kueue.x-k8s.io/"
_PHASES = {"Succeeded": JobState.SUCCEEDED, "Failed": JobState.FAILED, "Unknown": JobState.UNKNOWN}


def last_crash(pod: Pod) -> tuple[ContainerStatus, Terminated] | None:
    """Return the container whose crash holds its pod up, and its exit: about to be started again.

    The main container, or, before that was ever started, an init container or sidecar that it waits for.
    """
    main = pod.main_container_status
    if has_ended(pod) or (main and main.state.running):
        return None
    if main and (ended := _exit_before_restart(main, pod)):
        return main, ended
    if main and (main.state.terminated or main.last_state.terminated):
        return None
    inits = ((status, _exit_before_restart(status, pod)) for status in pod.status.init_container_statuses)
    return next(((status, ended) for status, ended in inits if ended), None)


def _exit_before_restart(status: ContainerStatus, pod: Pod) -> Terminated | None:
    """Return the exit of a container that does not run and is started again; None for every other one."""
    policy = pod.restart_policy_of(status.name)
    ended = status.state.terminated or status.last_state.terminated
    if policy == "Never" or status.state.running or ended is None:
        return None
    return ended if ended.exit_code or policy == "Always" else None


def pod_state(pod: Pod) -> JobState:
    """Return the state of one pod. A crash loop is FAILED; a finished container that restarts is STARTING."""
    if final := _PHASES.get(pod.status.phase):
        return final
    if pod.metadata.deletion_timestamp:
        return JobState.STOPPING
    if crash := last_crash(pod):
        return JobState.FAILED if crash[1].exit_code else JobState.STARTING
    return _alive_state(pod)


def _alive_state(pod: Pod) -> JobState:
    status = pod.main_container_status
    if status and status.state.running:  # the phase stays Pending while a container beside it cannot start
        return JobState.RUNNING
    if pod.status.phase == "Running" and not (status and status.state.waiting):
        return JobState.RUNNING
    if pod.spec.node_name:
        return JobState.STARTING
    return JobState.QUEUED if held_by_queue(pod) else JobState.PENDING


def held_by_queue(pod: Pod) -> bool:
    """Return whether Kueue, and nobody else, keeps a pod from the scheduler."""
    scheduled = pod.condition("PodScheduled")
    gates = pod.spec.scheduling_gates
    gated = scheduled is not None and scheduled.reason == "SchedulingGated"
    return gated and bool(gates) and all(gate.name.startswith(KUEUE_GATES) for gate in gates)


def next_start(pod: Pod) -> datetime | None:
    """Return when the kubelet starts a crashed container again, as far as it has reported that."""
    crash = last_crash(pod)
    if not crash or not crash[1].finished_at:
        return None
    waiting = crash[0].state.waiting
    return crash[1].finished_at + timedelta(
        seconds=message_parsers.back_off_seconds(waiting.message) if waiting else 0
    )
