"""The Job that a person sees, out of a root object (Deployment, Job or bare Pod) and its pods (pure)."""

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
"""The state of several pods is the first of these that any of them is in."""
_FIRST_RETRY, _LAST_RETRY = 10, 360
"""Seconds that the Job controller waits after a failure: doubled each time, up to six minutes
(kubernetes.io/docs/concepts/workloads/controllers/job; pkg/controller/job/job_controller.go)."""


def is_shown(root: RootObject, site: KubernetesSettings) -> bool:
    """Return whether a root object is a job here: ours, or one that asks for GPUs and has no shown owner."""
    if own_spec(root):
        return True
    owner = root.owner
    is_controlled = isinstance(root, Pod) and owner is not None and owner.kind in ("ReplicaSet", "Job")
    return not is_controlled and gpus_per_pod(root, site) > 0


def root_key(pod: Pod) -> tuple[str, str, str]:
    """Return the key (kind, namespace, name) of a pod's root object; a bare pod is its own.

    A ReplicaSet is named after its Deployment and the pod-template-hash that its pods have as a label.
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
    """Return the job that a root object and all its pods are; a bare pod needs no `pods`."""
    own_pods = [root] if isinstance(root, Pod) else list(pods)
    spec = spec_of(root, related.site)
    state = state_of(root, own_pods, related)
    attempts = attempts_of(own_pods)
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
    """Return the state of a job as a whole."""
    if root.metadata.deletion_timestamp:
        return JobState.STOPPING
    if isinstance(root, Pod):
        return pod_state(root)
    if labels.HELD in root.metadata.annotations:
        return JobState.PENDING
    settled = _job_state(root, pods) if isinstance(root, KubeJob) else _deployment_state(root, pods)
    return settled or _pods_state(root, pods, related)


_EARLY_CONDITIONS = {"FailureTarget": JobState.FAILED, "SuccessCriteriaMet": JobState.SUCCEEDED}
"""Conditions by which a Job announces its end before its last pods are gone (KEP-3998, KEP-3329)."""


def _job_state(job: KubeJob, pods: Sequence[Pod]) -> JobState | None:
    true = {condition.type for condition in job.conditions if condition.true}
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
    """Return the state of a Job whose pods have all ended: it has not reported it yet, or waits for a retry.

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
    """Return when a crashed job is started again; None where it runs, or no try is left."""
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
    """Return whether a pod was preempted, drained or evicted: our podFailurePolicy ignores that."""
    return pod.has_condition("DisruptionTarget")


def _finished_at(root: RootObject, attempts: Sequence[Attempt]) -> datetime | None:
    """Return when a job ended: as the Job reports, else the end of its last container."""
    if isinstance(root, KubeJob):
        failed = root.condition("Failed")
        reported = root.status.completion_time or (failed.last_transition_time if failed else None)
        if reported:
            return reported
    return max((a.finished for a in attempts if a.finished), default=None) or _stopped_at(root)


def _stopped_at(root: RootObject) -> datetime | None:
    """Return when a person stopped a job, as its annotation says: its pods are gone."""
    with suppress(ValueError):
        stopped = datetime.fromisoformat(root.metadata.annotations.get(labels.STOPPED, ""))
        return stopped if stopped.tzinfo else None
    return None


def urls(root: RootObject, ingress: Ingress | None) -> tuple[str, ...]:
    """Return the URLs that a job answers at. A path alone becomes a URL once the Ingress has an address."""
    url = root.metadata.annotations.get(labels.URL, "")
    if not url.startswith("/"):
        return (url,) if url else ()
    addresses = ingress.status.load_balancer.ingress if ingress else ()
    return tuple(f"http://{a.hostname or a.ip}{url}" for a in addresses if a.hostname or a.ip)


def read_only(root: RootObject) -> str:
    """Return why a job cannot be changed from here; "" for ours."""
    if own_spec(root):
        return ""
    owner = root.owner
    return f"made by {owner.kind} {owner.name}, not by traindeck" if owner else "not made by traindeck"
