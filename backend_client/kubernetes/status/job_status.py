"""A Deployment, Job or bare Pod and its pods -> the Job that a person sees (pure)."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from backend_client.kubernetes import labels
from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.resources.networking import Ingress
from backend_client.kubernetes.resources.workloads import Deployment, KubeJob
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.status import message_parsers
from backend_client.kubernetes.status.attempts import EPOCH, attempts_of, count_restarts, has_ended
from backend_client.kubernetes.status.job_reason import creation_refused, job_reason, unreadable_events_reason
from backend_client.kubernetes.status.pod_reason import RelatedObjects
from backend_client.kubernetes.status.pod_state import next_start, pod_state
from backend_client.kubernetes.status.spec_from_objects import (
    RootObject,
    gpus_per_pod,
    kind_of,
    own_spec,
    spec_of,
)
from backend_client.models import Attempt, Job, JobRef, JobState

_ORDER = (
    JobState.RUNNING,
    JobState.FAILED,
    JobState.UNKNOWN,
    JobState.STARTING,
    JobState.PENDING,
    JobState.QUEUED,
)
"""Of several pods, the state that stands for all: the first of these that any is in."""
_FIRST_RETRY, _LAST_RETRY = 10, 360
"""Seconds that the Job controller waits after a failure: doubled each time, up to six minutes (facts 3.3)."""


def is_shown(root: RootObject, site: KubernetesSettings) -> bool:
    """Ours, and of others what asks for GPUs and no other shown object controls."""
    if own_spec(root):
        return True
    owner = root.owner
    is_controlled = isinstance(root, Pod) and owner is not None and owner.kind in ("ReplicaSet", "Job")
    return not is_controlled and gpus_per_pod(root, site) > 0


def root_key(pod: Pod) -> tuple[str, str, str]:
    """(kind, namespace, name) of the object that a pod belongs to; a bare pod belongs to itself.

    A ReplicaSet is called after its Deployment and the hash that its pods bear as a label.
    """
    owner = pod.owner
    if owner and owner.kind == "Job":
        return "Job", pod.namespace, owner.name
    suffix = f"-{pod.metadata.labels.get(labels.TEMPLATE_HASH, '')}"
    if owner and owner.kind == "ReplicaSet" and owner.name.endswith(suffix):
        return "Deployment", pod.namespace, owner.name.removesuffix(suffix)
    return "Pod", pod.namespace, pod.name


_NONE_RELATED = RelatedObjects()


def job_of(
    root: RootObject, pods: Sequence[Pod], context: str, related: RelatedObjects = _NONE_RELATED
) -> Job:
    """The job as it stands. `pods` are all of the anchor's; of a bare pod none, it is its own."""
    own_pods = [root] if isinstance(root, Pod) else list(pods)
    spec, state, attempts = (
        spec_of(root, related.site),
        state_of(root, own_pods, related),
        attempts_of(own_pods),
    )
    retry_at = next_try(root, own_pods, state, attempts)
    metadata = root.metadata
    return Job(
        ref=JobRef(context, metadata.namespace, _ref_kind(root), metadata.name, metadata.uid),
        state=state,
        spec=spec,
        reason=job_reason(root, own_pods, state, spec, related, will_retry=retry_at is not None)
        or unreadable_events_reason(state, related),
        owner=metadata.annotations.get(labels.OWNER, ""),
        created=metadata.creation_timestamp or EPOCH,
        started=min((a.started for a in attempts if a.started), default=None),
        finished=_finished_at(root, attempts) if state.ended and not retry_at else None,
        next_try=retry_at,
        attempts=attempts,
        restarts=count_restarts(attempts),
        urls=urls(root, related.ingress),
        read_only=read_only(root),
    )


def _ref_kind(root: RootObject) -> str:
    return "pod" if isinstance(root, Pod) else kind_of(root)


def state_of(root: RootObject, pods: Sequence[Pod], related: RelatedObjects) -> JobState:
    """Where it stands as a whole."""
    if root.metadata.deletion_timestamp:
        return JobState.STOPPING
    if isinstance(root, Pod):
        return pod_state(root)
    if labels.HELD in root.metadata.annotations:
        return JobState.PENDING
    settled = _job_state(root, pods) if isinstance(root, KubeJob) else _deployment_state(root, pods)
    return settled or _pods_state(root, pods, related)


_EARLY_CONDITIONS = {"FailureTarget": JobState.FAILED, "SuccessCriteriaMet": JobState.SUCCEEDED}
"""What a Job says of its end before its last pods are gone."""


def _job_state(job: KubeJob, pods: Sequence[Pod]) -> JobState | None:
    true = {found.type for found in job.status.conditions if found.true}
    if "Complete" in true:
        return JobState.SUCCEEDED
    # Before its failures: pods that end because a person stopped the Job may count as such.
    if labels.STOPPED in job.metadata.annotations and (job.spec.suspend or not job.spec.parallelism):
        # A list of jobs may be there before the list of their pods: the Job's own count is asked too.
        has_pods = job.status.active or job.status.terminating
        return JobState.STOPPING if has_pods else _stopped_state(pods)
    if "Failed" in true:
        return JobState.FAILED
    if decided := next((_EARLY_CONDITIONS[kind] for kind in _EARLY_CONDITIONS if kind in true), None):
        return decided if all(map(has_ended, pods)) else JobState.STOPPING
    if not job.spec.suspend:
        return None
    return JobState.QUEUED if labels.QUEUE in job.metadata.labels else _stopped_state(pods)


def _deployment_state(deployment: Deployment, pods: Sequence[Pod]) -> JobState | None:
    return None if deployment.spec.replicas else _stopped_state(pods)


def _stopped_state(pods: Sequence[Pod]) -> JobState:
    return JobState.STOPPED if all(map(has_ended, pods)) else JobState.STOPPING


def _pods_state(root: KubeJob | Deployment, pods: Sequence[Pod], related: RelatedObjects) -> JobState:
    states = {pod_state(pod) for pod in pods if not has_ended(pod)}
    for state in _ORDER:
        if state in states:
            return state
    if isinstance(root, KubeJob) and (ended := _state_between_tries(root, pods)):
        return ended
    quota_is_full = message_parsers.is_quota(creation_refused(root, related))
    return JobState.QUEUED if quota_is_full else JobState.PENDING


def _state_between_tries(job: KubeJob, pods: Sequence[Pod]) -> JobState | None:
    """All pods have ended and the Job has not said so yet, or waits before it tries again.

    A pod that was deleted (by a stop before this resume) failed nothing: another takes its place.
    """
    states = [pod_state(pod) for pod in pods if not pod.metadata.deletion_timestamp]
    if JobState.FAILED in states:
        return JobState.FAILED
    completions = job.spec.completions if job.spec.completions is not None else 1
    succeeded = states.count(JobState.SUCCEEDED)
    return JobState.SUCCEEDED if succeeded and succeeded >= completions else None


def next_try(
    root: RootObject, pods: Sequence[Pod], state: JobState, attempts: Sequence[Attempt]
) -> datetime | None:
    """When what crashed is started again; None where it is not, or runs."""
    if state in (JobState.FAILED, JobState.STARTING) and (starts := [t for t in map(next_start, pods) if t]):
        return min(starts)
    if state is not JobState.FAILED or not isinstance(root, KubeJob) or root.has_condition("Failed"):
        return None
    failures = sum(pod_state(pod) == JobState.FAILED for pod in pods)
    counted_failures = sum(pod_state(pod) == JobState.FAILED and not _disrupted(pod) for pod in pods)
    ended = max((a.finished for a in attempts if a.finished), default=None)
    # The Job's own count comes after its pods' ends.
    if ended is None or max(root.status.failed, counted_failures) > root.spec.backoff_limit:
        return None
    return ended + timedelta(seconds=min(_FIRST_RETRY * 2 ** min(failures - 1, 10), _LAST_RETRY))


def _disrupted(pod: Pod) -> bool:
    """Preempted, drained, evicted: the Job's policy counts no failure."""
    return pod.has_condition("DisruptionTarget")


def _finished_at(root: RootObject, attempts: Sequence[Attempt]) -> datetime | None:
    """When it ended: as the Job says, else when its last process did."""
    if isinstance(root, KubeJob):
        failed = root.condition("Failed")
        reported = root.status.completion_time or (failed.last_transition_time if failed else None)
        if reported:
            return reported
    return max((a.finished for a in attempts if a.finished), default=None) or _stopped_at(root)


def _stopped_at(root: RootObject) -> datetime | None:
    """When a person stopped it: the pods, which would know more, are gone."""
    with suppress(ValueError):
        stopped = datetime.fromisoformat(root.metadata.annotations.get(labels.STOPPED, ""))
        return stopped if stopped.tzinfo else None
    return None


def urls(root: RootObject, ingress: Ingress | None) -> tuple[str, ...]:
    """Where it answers. A path alone becomes a URL once the Ingress has an address."""
    url = root.metadata.annotations.get(labels.URL, "")
    if not url.startswith("/"):
        return (url,) if url else ()
    addresses = ingress.status.load_balancer.ingress if ingress else ()
    return tuple(f"http://{a.hostname or a.ip}{url}" for a in addresses if a.hostname or a.ip)


def read_only(root: RootObject) -> str:
    """Why nobody acts on it from here; "" for ours."""
    if own_spec(root):
        return ""
    owner = root.owner
    return f"made by {owner.kind} {owner.name}, not by traindeck" if owner else "not made by traindeck"
