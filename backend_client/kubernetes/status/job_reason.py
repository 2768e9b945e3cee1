"""The reason of a job's state: why it is not where it should be, in one sentence with its cause (pure)."""

from collections import Counter
from collections.abc import Sequence

from backend_client.kubernetes import labels
from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.resources.events import KubeEvent
from backend_client.kubernetes.resources.training import TrainingJob
from backend_client.kubernetes.resources.workloads import Deployment, KubeJob
from backend_client.kubernetes.status import message_parsers
from backend_client.kubernetes.status.attempts import by_age, has_ended, is_over, ranks
from backend_client.kubernetes.status.cause import Blocker, about, cause, pod_object, reworded
from backend_client.kubernetes.status.exit_reason import (
    container_exit,
    memory_limit,
    pod_eviction,
    pod_exit,
)
from backend_client.kubernetes.status.failure_policy import counts_as_try
from backend_client.kubernetes.status.kueue_history import Ending, ending
from backend_client.kubernetes.status.pod_reason import (
    RelatedObjects,
    last_event,
    pod_queue_cause,
    pod_reason,
    seen_at,
)
from backend_client.kubernetes.status.pod_state import held_by_queue, pod_state
from backend_client.kubernetes.status.queue_place import queue_place
from backend_client.kubernetes.status.running_pod import lost_node
from backend_client.kubernetes.status.spec_from_objects import RootObject, kind_of
from backend_client.kubernetes.status.training_job import between_ends
from backend_client.messages import RESTARTS_FROM_START
from backend_client.models import JobSpec, JobState
from backend_client.models.fields import duration_text
from backend_client.why import Cause

_DELETERS = ("foregroundDeletion", "orphan")
_FAILED = {
    "BackoffLimitExceeded": "job.tries",
    "DeadlineExceeded": "job.deadline",
    "MaxFailedIndexesExceeded": "job.indexes",
    "FailedIndexes": "job.indexes",
    "PodFailurePolicy": "job.failure-policy",
}
"""Reason of a Job's condition Failed -> id, where no pod is left that tells more."""
HALF_CREATED = "only half made: its creation was cut off; resume finishes it, delete removes it"


def job_reason(
    root: RootObject,
    pods: Sequence[Pod],
    state: JobState,
    spec: JobSpec,
    related: RelatedObjects,
    *,
    will_retry: bool = False,
) -> Blocker | None:
    """Return what stands beside a job's state; None where that says it all. `will_retry`: a try is left."""
    found = _job_reason(root, pods, state, spec, related, will_retry=will_retry)
    if found is None:
        return _unreadable_events(root, state, related)
    return Blocker(about(found.cause, root_object(root)), found.pod)


def root_object(root: RootObject) -> str:
    """Return a root object as kubectl names it: "job/bert"."""
    return f"pod/{root.name}" if isinstance(root, Pod) else f"{kind_of(root)}/{root.name}"


def _job_reason(
    root: RootObject,
    pods: Sequence[Pod],
    state: JobState,
    spec: JobSpec,
    related: RelatedObjects,
    *,
    will_retry: bool,
) -> Blocker | None:
    if root.metadata.deletion_timestamp:
        return Blocker(_deletion_reason(root, pods, related))
    if isinstance(root, Pod):
        found = pod_reason(root, spec.gpu_type, related)
        return Blocker(found, root) if found else None
    if labels.HELD in root.metadata.annotations:
        return Blocker(cause("job.half-made", HALF_CREATED, since=root.metadata.creation_timestamp))
    if isinstance(root, KubeJob) and waits_in_queue(root, state, related):
        return Blocker(job_queue_cause(root, spec, related))
    if isinstance(root, KubeJob) and (failed := _failure_reason(root, pods, spec)):
        return failed
    if isinstance(root, KubeJob) and state is JobState.FAILED and not will_retry:
        return first_failure(root, pods, spec)
    if state in (JobState.SUCCEEDED, JobState.STOPPED, JobState.STOPPING):
        return None
    reason = _pods_reason(root, pods, spec, related)
    return _training_reason(root, pods, reason) if isinstance(root, TrainingJob) else reason


def _training_reason(job: TrainingJob, pods: Sequence[Pod], found: Blocker | None) -> Blocker | None:
    """Return why the pods of a training job do not run, else what its own controller says."""
    if told := between_ends(job, pods):
        return Blocker(cause("training.between", told, root_object(job)))
    if found or not job.raw:
        return found
    return Blocker(cause("", job.raw, root_object(job), raw=job.raw))


def waits_in_queue(job: KubeJob, state: JobState, related: RelatedObjects) -> bool:
    """Return whether a Job's queue has not started it, or has ended it."""
    held = job.spec.suspend and labels.STOPPED not in job.metadata.annotations
    return held and (state is JobState.QUEUED or queue_ending(job, related) is not None)


def job_queue_cause(job: KubeJob, spec: JobSpec, related: RelatedObjects) -> Cause:
    """Return why a Job waits in its queue, or how that ended it."""
    if job.metadata.labels.get(labels.QUEUE) == labels.NO_QUEUE:
        return _held_back(job)
    from backend_client.kubernetes.status.kueue_reason import queue_cause  # noqa: PLC0415  few wait in one

    workload = related.workloads.get(job.uid)
    return queue_cause(
        job.metadata.labels.get(labels.QUEUE, ""),
        workload,
        related.workloads_unknown_because,
        place=queue_place(job, (workload,), related.queue_positions) if workload else None,
        gpu_type=spec.gpu_type,
        last_reason=related.last_reason,
        name_of=related.name_of,
        now=related.now,
    )


def _held_back(job: KubeJob) -> Cause:
    """Return that a person holds a Job back."""
    queue = job.metadata.annotations.get(labels.QUEUE_BEFORE_HOLD, "")
    words = f"held back; release puts it into the queue {queue} again, at its place"
    return cause("queue.held-back", words, root_object(job))


def queue_ending(job: KubeJob, related: RelatedObjects) -> Ending | None:
    """Return how a Job's queue ended it; None where it has not, or a person had stopped it before."""
    if not job.spec.suspend or labels.STOPPED in job.metadata.annotations:
        return None
    return ending(related.workloads.get(job.uid), now=related.now, last_reason=related.last_reason)


def _unreadable_events(root: RootObject, state: JobState, related: RelatedObjects) -> Blocker | None:
    """Return why no reason is known: only events report mounts, sandboxes and refused pods of a Job."""
    unknown_because = related.events_unknown_because
    if state not in (JobState.PENDING, JobState.STARTING) or not unknown_because:
        return None
    return Blocker(cause("job.hidden", f"why is hidden: {unknown_because}", root_object(root)))


def _deletion_reason(root: RootObject, pods: Sequence[Pod], related: RelatedObjects) -> Cause:
    """Describe what still holds a deleted object: its pods and finalizers, and a node that is lost."""
    holders = [name for name in root.metadata.finalizers if name not in _DELETERS]
    alive = sum(not has_ended(pod) for pod in pods)
    waits = [f"{alive} pod{'s' * (alive > 1)}"] * bool(alive) + [f"the finalizer {name}" for name in holders]
    lost = next(filter(None, (lost_node(pod, related.node_gpus) for pod in pods)), None)
    why = f": {lost.sentence}" if lost else ""
    sentence = f"is being deleted; waits for {' and '.join(waits)}{why}" if waits else "is being deleted"
    id_ = "job.deleted-finalizer" if holders else "job.deleted-pods" if alive else "job.deleted"
    return cause(id_, sentence, since=root.metadata.deletion_timestamp)


def _failure_reason(job: KubeJob, pods: Sequence[Pod], spec: JobSpec) -> Blocker | None:
    failed = job.condition("Failed") or job.condition("FailureTarget")
    if not failed or not failed.true:
        return None
    since, raw = failed.last_transition_time, failed.message
    if failed.reason == "DeadlineExceeded" and spec.max_runtime:
        words = f"ran longer than its max_runtime of {duration_text(spec.max_runtime)}"
        return Blocker(cause("job.deadline", words, raw=raw, since=since))
    told = cause(_FAILED.get(failed.reason, ""), raw or failed.reason, raw=raw, since=since)
    failure = first_failure(job, pods, spec) or _ended_from_outside(pods) or Blocker(told)
    if failed.reason != "PodFailurePolicy":
        return failure
    sentence = f"{failure.cause.sentence}; its podFailurePolicy allows no other try"
    return Blocker(reworded(failure.cause, sentence, "job.failure-policy"), failure.pod)


def _ended_from_outside(pods: Sequence[Pod]) -> Blocker | None:
    """Return what ends a pod that counts as a failure and is not gone yet: it was preempted, or drained."""
    evictions = (Blocker(found, pod) for pod in by_age(pods) if (found := pod_eviction(pod)))
    return next(evictions, None)


def first_failure(root: KubeJob | Deployment, pods: Sequence[Pod], spec: JobSpec) -> Blocker | None:
    """Return how the newest attempt failed; of several ranks the one that failed first.

    The tries are those that count towards the Job's backoffLimit, as far as its pods or its status tell.
    """
    failed = [(rank, pod) for rank, pod in ranks(by_age(pods)) if pod.status.phase == "Failed"]
    if not failed:
        return None
    rank, pod = min(failed, key=lambda item: _ended_at(item[1])) if spec.nodes > 1 else failed[-1]
    found = pod_exit(pod)
    tries = len(failed)
    if isinstance(root, KubeJob):
        tries = max(root.status.failed, sum(counts_as_try(pod, root) for _, pod in failed))
    counted = f" ({tries} tries)" if tries > 1 and spec.nodes == 1 else ""
    if found is None:
        return Blocker(cause("", counted)) if counted else None
    found = _with_rank(rank, found, spec)
    return Blocker(reworded(found, found.sentence + counted), pod)


def _ended_at(pod: Pod) -> str:
    status = pod.main_container_status
    ended = status.state.terminated if status else None
    return str(ended.finished_at if ended else pod.metadata.creation_timestamp)


def _with_rank(rank: int, found: Cause, spec: JobSpec) -> Cause:
    if max(spec.nodes, spec.replicas) == 1:
        return found
    return reworded(found, f"{'rank' if spec.kind == 'job' else 'replica'} {rank}: {found.sentence}")


def _pods_reason(
    root: KubeJob | Deployment, pods: Sequence[Pod], spec: JobSpec, related: RelatedObjects
) -> Blocker | None:
    """Return why the first stuck pod is stuck; else why pods are missing; else how earlier ones ended."""
    alive = [(rank, pod) for rank, pod in ranks(by_age(pods)) if not is_over(pod)]
    pods_wanted = max(spec.nodes, spec.replicas)
    stuck: list[tuple[int, Pod]] = []
    running: list[tuple[int, Pod]] = []
    queued: list[Pod] = []
    for rank, pod in alive:
        if pod_state(pod) is JobState.RUNNING:
            running.append((rank, pod))
        elif pods_wanted > 1 and held_by_queue(pod):
            queued.append(pod)
        else:
            stuck.append((rank, pod))
    missing = len(alive) < pods_wanted
    return (
        _stuck_reason(stuck, queued, len(running), spec, related)
        or (_refusal(root, related) if missing else None)
        or _first_reason(running, spec, related)
        or _previous_start_reason(root, alive, pods, spec)
        or (_terminating_pod_reason(pods, related) if missing else None)
    )


def _stuck_reason(
    stuck: Sequence[tuple[int, Pod]],
    queued: Sequence[Pod],
    running: int,
    spec: JobSpec,
    related: RelatedObjects,
) -> Blocker | None:
    """Return why the first pod is stuck that its queue has let go, and what the queue still holds back."""
    first, waits = _first_reason(stuck, spec, related), _queued_reason(queued, running, spec, related)
    if first and waits:
        return Blocker(reworded(first.cause, f"{first.cause.sentence}; {waits.cause.sentence}"), first.pod)
    return first or waits


def _queued_reason(
    pods: Sequence[Pod], running: int, spec: JobSpec, related: RelatedObjects
) -> Blocker | None:
    """Return what holds the replicas in the queue back: each pod of a Deployment has its own Workload."""
    if not pods:
        return None
    causes = [pod_queue_cause(pod, spec.gpu_type, related, placed=False) for pod in pods]
    counted = Counter(_told_of(pod, found) for pod, found in zip(pods, causes, strict=True))
    waits = " and ".join(_waits(count, *told) for told, count in counted.items())
    return Blocker(reworded(causes[0], f"{running} of {spec.replicas} replicas run; {waits}"), pods[0])


def _told_of(pod: Pod, found: Cause) -> tuple[str, str]:
    """Return why one of several replicas waits, without its place: the others have others."""
    not_looked_at = found.id in ("queue.untried", "queue.behind")
    return ("", pod.metadata.labels.get(labels.QUEUE, "")) if not_looked_at else (found.id, found.sentence)


def _waits(count: int, cause_id: str, sentence: str) -> str:
    """Describe replicas that wait for the same; `sentence`: without a cause the name of the queue."""
    waits = f"{count} wait{'s' * (count == 1)}"
    each = " each" if count > 1 and cause_id == "queue.quota" else ""
    return f"{waits}: {sentence}{each}" if cause_id else f"{waits} in the queue {sentence}"


def _first_reason(pods: Sequence[tuple[int, Pod]], spec: JobSpec, related: RelatedObjects) -> Blocker | None:
    """Return the reason of the first pod that has one."""
    for rank, pod in pods:
        if found := pod_reason(pod, spec.gpu_type, related):
            return Blocker(_with_rank(rank, found, spec), pod)
    return None


def _refusal(root: KubeJob | Deployment, related: RelatedObjects) -> Blocker | None:
    """Return what refused a job's pods: a quota, PodSecurity, a rule of the cluster."""
    refused = creation_refused(root, related)
    if not refused:
        return None
    from backend_client.kubernetes.status.kueue_reason import held_amount  # noqa: PLC0415  few are refused

    event = _refusal_event(root, related)
    condition = root.condition("ReplicaFailure")
    found = message_parsers.refused(refused) or cause("", refused, raw=refused)
    since = condition.last_transition_time if condition else None
    if event:
        found = reworded(found, found.sentence + seen_at(event, related))
        since = event.metadata.creation_timestamp
    if held := held_amount(related.workloads.get(root.uid)):
        found = reworded(found, f"{found.sentence}; {held}")
    return Blocker(about(found, "", since))


def _terminating_pod_reason(pods: Sequence[Pod], related: RelatedObjects) -> Blocker | None:
    """Describe the pod that a Job waits for: on a lost node it stays, and no other is made before it is gone
    (podReplacementPolicy Failed, KEP-3939).
    """
    terminating = next((pod for pod in pods if pod.metadata.deletion_timestamp and not has_ended(pod)), None)
    if terminating is None:
        return None
    words = f"waits for its pod on {terminating.spec.node_name} to be gone"
    if lost := lost_node(terminating, related.node_gpus):
        words = f"{words}: {lost.sentence}"
    elif evicted := pod_eviction(terminating):
        words = f"{words}: it {evicted.sentence}"
    since = terminating.metadata.deletion_timestamp
    return Blocker(cause("job.old-pod", words, pod_object(terminating), since=since), terminating)


def creation_refused(root: KubeJob | Deployment, related: RelatedObjects) -> str:
    """Return the raw message of what refused a job's pods; "" where nothing did."""
    if isinstance(root, KubeJob):
        event = _refusal_event(root, related)
        return event.message if event else ""
    failure = root.condition("ReplicaFailure")
    return failure.message if failure and failure.true else ""


def _refusal_event(root: KubeJob | Deployment, related: RelatedObjects) -> KubeEvent | None:
    """Return the event by which a Job says that its pods were refused; a Deployment has a condition."""
    return last_event(related, root.uid, ("FailedCreate",)) if isinstance(root, KubeJob) else None


def _previous_start_reason(
    root: KubeJob | Deployment, alive: Sequence[tuple[int, Pod]], pods: Sequence[Pod], spec: JobSpec
) -> Blocker | None:
    """Describe how the starts before the present one ended."""
    for rank, pod in alive:
        status = pod.main_container_status
        ended = status.last_state.terminated if status else None
        if status and ended and not ended.exit_code:
            words = f"has finished before (exit 0), and {RESTARTS_FROM_START}"
            found = cause("container.finished", words, pod_object(pod), since=ended.finished_at)
            return Blocker(_with_rank(rank, found, spec), pod)
        if status and ended:
            found = container_exit(ended, memory_limit(pod, status.name))
            words = f"was started again; before that: {found.sentence}"
            found = about(reworded(found, words, "job.restarted"), pod_object(pod))
            return Blocker(_with_rank(rank, found, spec), pod)
    if failure := first_failure(root, pods, spec):
        words = f"is tried again: {failure.cause.sentence}"
        return Blocker(reworded(failure.cause, words, "job.retried"), failure.pod)
    return None
