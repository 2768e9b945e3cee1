"""The reason of a job's state: why it is not where it should be, in one sentence (pure)."""

from collections.abc import Sequence

from backend_client.kubernetes import labels
from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.resources.workloads import Deployment, KubeJob
from backend_client.kubernetes.status import message_parsers
from backend_client.kubernetes.status.attempts import by_age, has_ended, is_over, ranks
from backend_client.kubernetes.status.exit_reason import (
    container_exit_reason,
    memory_limit,
    pod_eviction_reason,
    pod_exit_reason,
)
from backend_client.kubernetes.status.kueue_reason import queue_reason
from backend_client.kubernetes.status.pod_reason import RelatedObjects, last_message, pod_reason
from backend_client.kubernetes.status.pod_state import pod_state
from backend_client.kubernetes.status.spec_from_objects import RootObject
from backend_client.messages import RESTARTS_FROM_START
from backend_client.models import JobSpec, JobState
from backend_client.models.fields import duration_text

_DELETERS = ("foregroundDeletion", "orphan")
HALF_CREATED = "only half made: its creation was cut off; resume finishes it, delete removes it"


def job_reason(
    root: RootObject,
    pods: Sequence[Pod],
    state: JobState,
    spec: JobSpec,
    related: RelatedObjects,
    *,
    will_retry: bool = False,
) -> str:
    """Return the sentence beside a job's state; "" where that says it all. `will_retry`: a try is left."""
    if root.metadata.deletion_timestamp:
        return _deletion_reason(root, pods)
    if isinstance(root, Pod):
        return pod_reason(root, spec.gpu_type, related)
    if labels.HELD in root.metadata.annotations:
        return HALF_CREATED
    if isinstance(root, KubeJob) and root.spec.suspend and state is JobState.QUEUED:
        queue = root.metadata.labels.get(labels.QUEUE, "")
        return queue_reason(queue, related.workload, related.workloads_unknown_because)
    if isinstance(root, KubeJob) and (reason := _failure_reason(root, pods, spec)):
        return reason
    if isinstance(root, KubeJob) and state is JobState.FAILED and not will_retry:
        return first_failure(pods, spec)
    if state in (JobState.SUCCEEDED, JobState.STOPPED, JobState.STOPPING):
        return ""
    return _pods_reason(root, pods, spec, related)


def unreadable_events_reason(state: JobState, related: RelatedObjects) -> str:
    """Return why no reason is known: only events report mounts, sandboxes and refused pods of a Job."""
    unknown_because = related.events_unknown_because
    is_waiting = state in (JobState.PENDING, JobState.STARTING)
    return f"why is hidden: {unknown_because}" if is_waiting and unknown_because else ""


def _deletion_reason(root: RootObject, pods: Sequence[Pod]) -> str:
    """Describe what still holds a deleted object: its pods and finalizers."""
    holders = [name for name in root.metadata.finalizers if name not in _DELETERS]
    alive = sum(not has_ended(pod) for pod in pods)
    waits = [f"{alive} pod{'s' * (alive > 1)}"] * bool(alive) + [f"the finalizer {name}" for name in holders]
    return f"is being deleted; waits for {' and '.join(waits)}" if waits else "is being deleted"


def _failure_reason(job: KubeJob, pods: Sequence[Pod], spec: JobSpec) -> str:
    failed = job.condition("Failed") or job.condition("FailureTarget")
    if not failed or not failed.true:
        return ""
    if failed.reason == "DeadlineExceeded" and spec.max_runtime:
        return f"ran longer than its max_runtime of {duration_text(spec.max_runtime)}"
    return first_failure(pods, spec) or failed.message or failed.reason


def first_failure(pods: Sequence[Pod], spec: JobSpec) -> str:
    """Describe how the newest attempt failed; of several ranks the one that failed first."""
    failed = [(rank, pod) for rank, pod in ranks(by_age(pods)) if pod.status.phase == "Failed"]
    if not failed:
        return ""
    rank, pod = min(failed, key=lambda item: _ended_at(item[1])) if spec.nodes > 1 else failed[-1]
    reason = _with_rank(rank, pod_exit_reason(pod), spec)
    return f"{reason} ({len(failed)} tries)" if len(failed) > 1 and spec.nodes == 1 else reason


def _ended_at(pod: Pod) -> str:
    status = pod.main_container_status
    ended = status.state.terminated if status else None
    return str(ended.finished_at if ended else pod.metadata.creation_timestamp)


def _with_rank(rank: int, reason: str, spec: JobSpec) -> str:
    if not reason or max(spec.nodes, spec.replicas) == 1:
        return reason
    return f"{'rank' if spec.kind == 'job' else 'replica'} {rank}: {reason}"


def _pods_reason(
    root: KubeJob | Deployment, pods: Sequence[Pod], spec: JobSpec, related: RelatedObjects
) -> str:
    """Return why the first stuck pod is stuck; else why pods are missing; else how earlier ones ended."""
    alive = [(rank, pod) for rank, pod in ranks(by_age(pods)) if not is_over(pod)]
    stuck = [(rank, pod) for rank, pod in alive if pod_state(pod) != JobState.RUNNING]
    reasons = (_with_rank(rank, pod_reason(pod, spec.gpu_type, related), spec) for rank, pod in stuck)
    if reason := next(filter(None, reasons), ""):
        return reason
    if len(alive) < max(spec.nodes, spec.replicas) and (refused := creation_refused(root, related)):
        return message_parsers.refused(refused) or refused
    return _previous_start_reason(alive, pods, spec) or ("" if alive else _terminating_pod_reason(pods))


def _terminating_pod_reason(pods: Sequence[Pod]) -> str:
    """Describe the pod that a Job waits for: on a lost node it stays, and no other is made before it is gone
    (podReplacementPolicy Failed, KEP-3939).
    """
    terminating = next((pod for pod in pods if pod.metadata.deletion_timestamp and not has_ended(pod)), None)
    if terminating is None:
        return ""
    reason = pod_eviction_reason(terminating)
    return f"waits for its pod on {terminating.spec.node_name} to be gone" + (
        f": it {reason}" if reason else ""
    )


def creation_refused(root: KubeJob | Deployment, related: RelatedObjects) -> str:
    """Return the raw message of what refused a job's pods; "" where nothing did."""
    if isinstance(root, KubeJob):
        return last_message(related.events, root.uid, ("FailedCreate",))
    failure = root.condition("ReplicaFailure")
    return failure.message if failure and failure.true else ""


def _previous_start_reason(alive: Sequence[tuple[int, Pod]], pods: Sequence[Pod], spec: JobSpec) -> str:
    """Describe how the starts before the present one ended."""
    for rank, pod in alive:
        status = pod.main_container_status
        ended = status.last_state.terminated if status else None
        if status and ended and not ended.exit_code:
            return _with_rank(rank, f"has finished before (exit 0), and {RESTARTS_FROM_START}", spec)
        if status and ended:
            reason = container_exit_reason(ended, memory_limit(pod, status.name))
            return _with_rank(rank, f"was started again; before that: {reason}", spec)
    reason = first_failure(pods, spec)
    return f"is tried again: {reason}" if reason else ""
