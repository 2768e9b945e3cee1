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
from backend_client.kubernetes.status.attempts import EPOCH, attempts, count_restarts, has_ended
from backend_client.kubernetes.status.job_reason import creation_refused, job_reason, unreadable_events_reason
from backend_client.kubernetes.status.pod_reason import RelatedObjects
from backend_client.kubernetes.status.pod_state import next_start, pod_state
from backend_client.kubernetes.status.spec_from_objects import (
    RootObject,
    gpus_asked,
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


def is_shown(anchor: RootObject, site: KubernetesSettings) -> bool:
    """Ours, and of others what asks for GPUs and no other shown object controls."""
    if own_spec(anchor):
        return True
    owner = anchor.owner
    made = isinstance(anchor, Pod) and owner is not None and owner.kind in ("ReplicaSet", "Job")
    return not made and gpus_asked(anchor, site) > 0


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
    anchor: RootObject, pods: Sequence[Pod], context: str, around: RelatedObjects = _NONE_RELATED
) -> Job:
    """The job as it stands. `pods` are all of the anchor's; of a bare pod none, it is its own."""
    mine = [anchor] if isinstance(anchor, Pod) else list(pods)
    spec, state, found = spec_of(anchor, around.site), state_of(anchor, mine, around), attempts(mine)
    again = next_try(anchor, mine, state, found)
    metadata = anchor.metadata
    return Job(
        ref=JobRef(context, metadata.namespace, _ref_kind(anchor), metadata.name, metadata.uid),
        state=state,
        spec=spec,
        reason=job_reason(anchor, mine, state, spec, around, again=again is not None)
        or unreadable_events_reason(state, around),
        owner=metadata.annotations.get(labels.OWNER, ""),
        created=metadata.creation_timestamp or EPOCH,
        started=min((a.started for a in found if a.started), default=None),
        finished=_finished(anchor, found) if state.ended and not again else None,
        next_try=again,
        attempts=found,
        restarts=count_restarts(found),
        urls=urls(anchor, around.ingress),
        read_only=read_only(anchor),
    )


def _ref_kind(anchor: RootObject) -> str:
    return "pod" if isinstance(anchor, Pod) else kind_of(anchor)


def state_of(anchor: RootObject, pods: Sequence[Pod], around: RelatedObjects) -> JobState:
    """Where it stands as a whole."""
    if anchor.metadata.deletion_timestamp:
        return JobState.STOPPING
    if isinstance(anchor, Pod):
        return pod_state(anchor)
    if labels.HELD in anchor.metadata.annotations:
        return JobState.PENDING
    settled = _of_job(anchor, pods) if isinstance(anchor, KubeJob) else _of_deployment(anchor, pods)
    return settled or _of_pods(anchor, pods, around)


_DECIDED = {"FailureTarget": JobState.FAILED, "SuccessCriteriaMet": JobState.SUCCEEDED}
"""What a Job says of its end before its last pods are gone."""


def _of_job(job: KubeJob, pods: Sequence[Pod]) -> JobState | None:
    true = {found.type for found in job.status.conditions if found.true}
    if "Complete" in true:
        return JobState.SUCCEEDED
    # Before its failures: pods that end because a person stopped the Job may count as such.
    if labels.STOPPED in job.metadata.annotations and (job.spec.suspend or not job.spec.parallelism):
        # A list of jobs may be there before the list of their pods: the Job's own count is asked too.
        going = job.status.active or job.status.terminating
        return JobState.STOPPING if going else _stopped(pods)
    if "Failed" in true:
        return JobState.FAILED
    if decided := next((_DECIDED[kind] for kind in _DECIDED if kind in true), None):
        return decided if all(map(has_ended, pods)) else JobState.STOPPING
    if not job.spec.suspend:
        return None
    return JobState.QUEUED if labels.QUEUE in job.metadata.labels else _stopped(pods)


def _of_deployment(deployment: Deployment, pods: Sequence[Pod]) -> JobState | None:
    return None if deployment.spec.replicas else _stopped(pods)


def _stopped(pods: Sequence[Pod]) -> JobState:
    return JobState.STOPPED if all(map(has_ended, pods)) else JobState.STOPPING


def _of_pods(anchor: KubeJob | Deployment, pods: Sequence[Pod], around: RelatedObjects) -> JobState:
    states = {pod_state(pod) for pod in pods if not has_ended(pod)}
    for state in _ORDER:
        if state in states:
            return state
    if isinstance(anchor, KubeJob) and (ended := _between(anchor, pods)):
        return ended
    full = message_parsers.is_quota(creation_refused(anchor, around))
    return JobState.QUEUED if full else JobState.PENDING


def _between(job: KubeJob, pods: Sequence[Pod]) -> JobState | None:
    """All pods have ended and the Job has not said so yet, or waits before it tries again.

    A pod that was deleted (by a stop before this resume) failed nothing: another takes its place.
    """
    ends = [pod_state(pod) for pod in pods if not pod.metadata.deletion_timestamp]
    if JobState.FAILED in ends:
        return JobState.FAILED
    done = job.spec.completions if job.spec.completions is not None else 1
    succeeded = ends.count(JobState.SUCCEEDED)
    return JobState.SUCCEEDED if succeeded and succeeded >= done else None


def next_try(
    anchor: RootObject, pods: Sequence[Pod], state: JobState, found: Sequence[Attempt]
) -> datetime | None:
    """When what crashed is started again; None where it is not, or runs."""
    if state in (JobState.FAILED, JobState.STARTING) and (starts := [t for t in map(next_start, pods) if t]):
        return min(starts)
    if state is not JobState.FAILED or not isinstance(anchor, KubeJob) or anchor.has_condition("Failed"):
        return None
    failures = sum(pod_state(pod) == JobState.FAILED for pod in pods)
    burnt = sum(pod_state(pod) == JobState.FAILED and not _disrupted(pod) for pod in pods)
    ended = max((a.finished for a in found if a.finished), default=None)
    # The Job's own count comes after its pods' ends.
    if ended is None or max(anchor.status.failed, burnt) > anchor.spec.backoff_limit:
        return None
    return ended + timedelta(seconds=min(_FIRST_RETRY * 2 ** min(failures - 1, 10), _LAST_RETRY))


def _disrupted(pod: Pod) -> bool:
    """Preempted, drained, evicted: the Job's policy counts no failure."""
    return pod.has_condition("DisruptionTarget")


def _finished(anchor: RootObject, found: Sequence[Attempt]) -> datetime | None:
    """When it ended: as the Job says, else when its last process did."""
    if isinstance(anchor, KubeJob):
        failed = anchor.condition("Failed")
        told = anchor.status.completion_time or (failed.last_transition_time if failed else None)
        if told:
            return told
    return max((a.finished for a in found if a.finished), default=None) or _stopped_at(anchor)


def _stopped_at(anchor: RootObject) -> datetime | None:
    """When a person stopped it: the pods, which would know more, are gone."""
    with suppress(ValueError):
        told = datetime.fromisoformat(anchor.metadata.annotations.get(labels.STOPPED, ""))
        return told if told.tzinfo else None
    return None


def urls(anchor: RootObject, ingress: Ingress | None) -> tuple[str, ...]:
    """Where it answers. A path alone becomes a URL once the Ingress has an address."""
    told = anchor.metadata.annotations.get(labels.URL, "")
    if not told.startswith("/"):
        return (told,) if told else ()
    addresses = ingress.status.load_balancer.ingress if ingress else ()
    return tuple(f"http://{a.hostname or a.ip}{told}" for a in addresses if a.hostname or a.ip)


def read_only(anchor: RootObject) -> str:
    """Why nobody acts on it from here; "" for ours."""
    if own_spec(anchor):
        return ""
    owner = anchor.owner
    return f"made by {owner.kind} {owner.name}, not by traindeck" if owner else "not made by traindeck"
