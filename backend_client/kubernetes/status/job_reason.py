"""Why a whole job is not where it should be, in one sentence (pure)."""

from collections.abc import Sequence

from backend_client.kubernetes import labels
from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.resources.workloads import Deployment, KubeJob
from backend_client.kubernetes.status import message_parsers
from backend_client.kubernetes.status.attempts import by_age, has_ended, ranks
from backend_client.kubernetes.status.exit_reason import (
    condition,
    container_exit_reason,
    main_container_status,
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
    anchor: RootObject,
    pods: Sequence[Pod],
    state: JobState,
    spec: JobSpec,
    around: RelatedObjects,
    *,
    again: bool = False,
) -> str:
    """The sentence that stands beside the state; "" where it says it all. `again`: there is a try left."""
    if anchor.metadata.deletion_timestamp:
        return _deleting(anchor, pods)
    if isinstance(anchor, Pod):
        return pod_reason(anchor, spec.gpu_type, around)
    if labels.HELD in anchor.metadata.annotations:
        return HALF_CREATED
    if isinstance(anchor, KubeJob) and anchor.spec.suspend and state is JobState.QUEUED:
        queue = anchor.metadata.labels.get(labels.QUEUE, "")
        return queue_reason(queue, around.workload, around.no_workloads)
    if isinstance(anchor, KubeJob) and (words := _failed(anchor, pods, spec)):
        return words
    if isinstance(anchor, KubeJob) and state is JobState.FAILED and not again:
        return first_failure(pods, spec)
    if state in (JobState.SUCCEEDED, JobState.STOPPED, JobState.STOPPING):
        return ""
    return _of_pods(anchor, pods, spec, around)


def unreadable_events_reason(state: JobState, around: RelatedObjects) -> str:
    """Why nothing is said: mounts, sandboxes and what admission makes of a Job's pods tell events only."""
    waits = state in (JobState.PENDING, JobState.STARTING)
    return f"why is hidden: {around.no_events}" if waits and around.no_events else ""


def _deleting(anchor: RootObject, pods: Sequence[Pod]) -> str:
    """What still holds an object that somebody has deleted."""
    holders = [name for name in anchor.metadata.finalizers if name not in _DELETERS]
    alive = sum(not has_ended(pod) for pod in pods)
    waits = [f"{alive} pod{'s' * (alive > 1)}"] * bool(alive) + [f"the finalizer {name}" for name in holders]
    return f"is being deleted; waits for {' and '.join(waits)}" if waits else "is being deleted"


def _failed(job: KubeJob, pods: Sequence[Pod], spec: JobSpec) -> str:
    failed = condition(job.status.conditions, "Failed") or condition(job.status.conditions, "FailureTarget")
    if not failed or not failed.true:
        return ""
    if failed.reason == "DeadlineExceeded" and spec.max_runtime:
        return f"ran longer than its max_runtime of {duration_text(spec.max_runtime)}"
    return first_failure(pods, spec) or failed.message or failed.reason


def first_failure(pods: Sequence[Pod], spec: JobSpec) -> str:
    """How the newest attempt failed; of several ranks the one that failed first, as the others follow it."""
    failed = [(rank, pod) for rank, pod in ranks(by_age(pods)) if pod.status.phase == "Failed"]
    if not failed:
        return ""
    rank, pod = min(failed, key=lambda item: _ended_at(item[1])) if spec.nodes > 1 else failed[-1]
    words = _labelled(rank, pod_exit_reason(pod), spec)
    return f"{words} ({len(failed)} tries)" if len(failed) > 1 and spec.nodes == 1 else words


def _ended_at(pod: Pod) -> str:
    status = main_container_status(pod)
    ended = status.state.terminated if status else None
    return str(ended.finished_at if ended else pod.metadata.creation_timestamp)


def _labelled(rank: int, words: str, spec: JobSpec) -> str:
    if not words or max(spec.nodes, spec.replicas) == 1:
        return words
    return f"{'rank' if spec.kind == 'job' else 'replica'} {rank}: {words}"


def _of_pods(anchor: KubeJob | Deployment, pods: Sequence[Pod], spec: JobSpec, around: RelatedObjects) -> str:
    """The first pod that is stuck; else the pods that could not even be made; else what came before."""
    alive = [(rank, pod) for rank, pod in ranks(by_age(pods)) if not _over(pod)]
    stuck = [(rank, pod) for rank, pod in alive if pod_state(pod) != JobState.RUNNING]
    said = (_labelled(rank, pod_reason(pod, spec.gpu_type, around), spec) for rank, pod in stuck)
    if words := next(filter(None, said), ""):
        return words
    if len(alive) < max(spec.nodes, spec.replicas) and (refused := creation_refused(anchor, around)):
        return message_parsers.refused(refused) or refused
    return _before(alive, pods, spec) or ("" if alive else _going(pods))


def _going(pods: Sequence[Pod]) -> str:
    """A pod whose node is lost stays for good, and a Job makes no other one before it is gone."""
    going = next((pod for pod in pods if pod.metadata.deletion_timestamp and not has_ended(pod)), None)
    if going is None:
        return ""
    words = pod_eviction_reason(going)
    return f"waits for its pod on {going.spec.node_name} to be gone" + (f": it {words}" if words else "")


def _over(pod: Pod) -> bool:
    return has_ended(pod) or pod.metadata.deletion_timestamp is not None


def creation_refused(anchor: KubeJob | Deployment, around: RelatedObjects) -> str:
    """The raw message of whoever refused its pods; "" where nobody did."""
    if isinstance(anchor, KubeJob):
        return last_message(around.events, anchor.uid, ("FailedCreate",))
    failure = condition(anchor.status.conditions, "ReplicaFailure")
    return failure.message if failure and failure.true else ""


def _before(alive: Sequence[tuple[int, Pod]], pods: Sequence[Pod], spec: JobSpec) -> str:
    """How the starts before the present one ended: worth a word for as long as it goes on."""
    for rank, pod in alive:
        status = main_container_status(pod)
        ended = status.last_state.terminated if status else None
        if status and ended and not ended.exit_code:
            return _labelled(rank, f"has finished before (exit 0), and {RESTARTS_FROM_START}", spec)
        if status and ended:
            words = container_exit_reason(ended, memory_limit(pod, status.name))
            return _labelled(rank, f"was started again; before that: {words}", spec)
    words = first_failure(pods, spec)
    return f"is tried again: {words}" if words else ""
