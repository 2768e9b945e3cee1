"""The Job that a person sees, out of a root object (Deployment, Job or bare Pod) and its pods (pure)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from backend_client.kubernetes import labels
from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.resources.networking import Ingress
from backend_client.kubernetes.resources.training import TrainingJob
from backend_client.kubernetes.resources.workloads import Deployment, KubeJob
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.status import message_parsers
from backend_client.kubernetes.status.attempts import (
    EPOCH,
    attempts_of,
    count_restarts,
    has_ended,
    is_over,
)
from backend_client.kubernetes.status.cause import Blocker, cause, reworded
from backend_client.kubernetes.status.failure_policy import counts_as_try
from backend_client.kubernetes.status.job_reason import (
    creation_refused,
    job_reason,
    queue_ending,
    root_object,
)
from backend_client.kubernetes.status.kueue_history import Ending
from backend_client.kubernetes.status.pauses import pauses_of
from backend_client.kubernetes.status.pod_reason import RelatedObjects
from backend_client.kubernetes.status.pod_state import next_start, pod_state
from backend_client.kubernetes.status.queue_place import queue_place
from backend_client.kubernetes.status.spec_from_objects import (
    RootObject,
    code_of,
    gpus_per_pod,
    kind_of,
    outputs_of,
    own_spec,
    spec_of,
)
from backend_client.kubernetes.status.training_job import allows, read_only_training, training_state
from backend_client.models import Attempt, Job, JobRef, JobSpec, JobState, QueuePlace

_ORDER = (
    JobState.RUNNING,
    JobState.FAILED,
    JobState.UNKNOWN,
    JobState.STARTING,
    JobState.PENDING,
    JobState.QUEUED,
)
"""The state of several pods is the first of these that any of them is in."""
_FIRST_RETRY, _LAST_RETRY = 10, 600
"""Seconds that the Job controller waits after a failure: doubled each time, up to ten minutes
(pkg/controller/job/job_controller.go, MaxJobPodFailureBackOff; docs/FACTS.md, "Jobs and Deployments")."""


_SYSTEM = "kube-"
"""What the names of the cluster's own namespaces begin with."""


def is_shown(root: RootObject, site: KubernetesSettings, *, everywhere: bool = False) -> bool:
    """Return whether a root object is a job here; `everywhere`: in a list of the whole cluster.

    Ours, what asks for GPUs and has no shown owner, and every Job, which is work that runs to its end; but
    not the cluster's own housekeeping.
    """
    if own_spec(root):
        return True
    if isinstance(root, KubeJob) and not (everywhere and root.namespace.startswith(_SYSTEM)):
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
    attempts = attempts_of(own_pods, related.past)
    ended = queue_ending(root, related) if isinstance(root, KubeJob) else None
    retry_at = None if ended else next_try(root, own_pods, state, attempts)
    blocker = _blocker(root, own_pods, state, spec, related, will_retry=retry_at is not None)
    metadata = root.metadata
    return Job(
        ref=JobRef(context, metadata.namespace, _ref_kind(root), metadata.name, metadata.uid),
        state=_as_shown(root, own_pods, state, will_retry=retry_at is not None),
        spec=spec,
        reason=blocker.cause.sentence if blocker else "",
        owner=metadata.annotations.get(labels.OWNER, ""),
        created=metadata.creation_timestamp or EPOCH,
        started=min((a.started for a in attempts if a.started), default=None),
        finished=_finished_at(root, attempts, ended) if state.ended and not retry_at else None,
        next_try=retry_at,
        attempts=_with_gpu_types(attempts, spec, related),
        restarts=count_restarts(attempts),
        pauses=pauses_of(root),
        code=code_of(root),
        outputs=outputs_of(root),
        queue=_queue_place(root, own_pods, state, related),
        urls=urls(root, related.ingress),
        internal_addresses=internal_addresses(root),
        read_only=read_only(root),
        allows=allows(root),
        made_by=root.training.kind if isinstance(root, TrainingJob) else "",
    )


def _with_gpu_types(
    attempts: tuple[Attempt, ...], spec: JobSpec, related: RelatedObjects
) -> tuple[Attempt, ...]:
    """Return attempts with the product of their GPUs: their node's, else the one that was asked for."""
    if not spec.gpus:
        return attempts
    products = {known.node: known.product for known in related.node_gpus or () if known.total}
    return tuple(
        replace(attempt, gpu_type=products.get(attempt.node) or spec.gpu_type) for attempt in attempts
    )


def _queue_place(
    root: RootObject, pods: Sequence[Pod], state: JobState, related: RelatedObjects
) -> QueuePlace | None:
    """Return where a job stands in its queue: one that has ended, or that a person stopped, is in none."""
    if not related.workloads and labels.QUEUE not in root.metadata.labels:
        return None
    uids = (root.uid, *(pod.uid for pod in pods if not is_over(pod)))
    workloads = [workload for uid in uids if (workload := related.workloads.get(uid))]
    place = queue_place(
        root, workloads, related.queue_positions, unknown=bool(related.workloads_unknown_because)
    )
    return place if place and (place.held or not state.ended) else None


def blocker_of(root: RootObject, pods: Sequence[Pod], related: RelatedObjects) -> Blocker | None:
    """Return what `Job.reason` of the job of these objects is about; None where it has no reason."""
    own_pods = [root] if isinstance(root, Pod) else list(pods)
    state = state_of(root, own_pods, related)
    ended = queue_ending(root, related) if isinstance(root, KubeJob) else None
    attempts = attempts_of(own_pods, related.past)
    will_retry = not ended and next_try(root, own_pods, state, attempts) is not None
    return _blocker(root, own_pods, state, spec_of(root, related.site), related, will_retry=will_retry)


def _blocker(
    root: RootObject,
    pods: Sequence[Pod],
    state: JobState,
    spec: JobSpec,
    related: RelatedObjects,
    *,
    will_retry: bool,
) -> Blocker | None:
    """Return what stands beside the state; of a job that goes on, also how an earlier pod was interrupted.

    That pod may be gone.
    """
    found = job_reason(root, pods, state, spec, related, will_retry=will_retry)
    reason, earlier = found.cause.sentence if found else "", related.interruption
    if not earlier or state.ended or state is JobState.STOPPING or earlier.partition(" (")[0] in reason:
        return found
    sentence = f"earlier it {earlier}"
    if found is None:
        return Blocker(cause("job.interrupted", sentence, root_object(root)))
    return Blocker(reworded(found.cause, f"{reason}; {sentence}"), found.pod)


def _as_shown(root: RootObject, pods: Sequence[Pod], state: JobState, *, will_retry: bool) -> JobState:
    """Return the state that is shown: a Job that is tried again has not failed.

    Its next pod is not there yet, or (restartPolicy OnFailure) its container is started again where it is.
    """
    if not isinstance(root, KubeJob) or state is not JobState.FAILED or not will_retry:
        return state
    return JobState.PENDING if all(map(has_ended, pods)) else JobState.STARTING


def _ref_kind(root: RootObject) -> str:
    if isinstance(root, TrainingJob):
        return root.training.name
    return "pod" if isinstance(root, Pod) else kind_of(root)


def state_of(root: RootObject, pods: Sequence[Pod], related: RelatedObjects) -> JobState:
    """Return the state of a job as a whole."""
    if root.metadata.deletion_timestamp:
        return JobState.STOPPING
    if isinstance(root, Pod):
        return pod_state(root)
    if labels.HELD in root.metadata.annotations:
        return JobState.PENDING
    if isinstance(root, KubeJob):
        settled = _job_state(root, pods, queue_ending(root, related))
    else:
        settled = _deployment_state(root, pods)
    state = settled or _pods_state(root, pods, related)
    return training_state(root, state) if isinstance(root, TrainingJob) and not settled else state


_EARLY_CONDITIONS = {"FailureTarget": JobState.FAILED, "SuccessCriteriaMet": JobState.SUCCEEDED}
"""Conditions by which a Job announces its end before its last pods are gone (KEP-3998, KEP-3329)."""


def _job_state(job: KubeJob, pods: Sequence[Pod], ended: Ending | None) -> JobState | None:
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
    if ended:
        return ended.state if all(map(has_ended, pods)) else JobState.STOPPING
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

    A pod that was deleted (by a stop before this resume) failed nothing: another takes its place. Whether a
    training job of another tool goes on once its pods have ended, that tool says.
    """
    if isinstance(job, TrainingJob):
        return None
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
    counted_failures = sum(pod_state(pod) == JobState.FAILED and counts_as_try(pod, root) for pod in pods)
    ended = max((a.finished for a in attempts if a.finished), default=None)
    # The Job's own count comes after its pods' ends.
    if ended is None or max(root.status.failed, counted_failures) > root.spec.backoff_limit:
        return None
    return ended + timedelta(seconds=min(_FIRST_RETRY * 2 ** min(failures - 1, 10), _LAST_RETRY))


def _finished_at(root: RootObject, attempts: Sequence[Attempt], ended: Ending | None) -> datetime | None:
    """Return when a job ended: as the Job or its queue reports, else the end of its last container."""
    if ended and ended.at:
        return ended.at
    if isinstance(root, KubeJob):
        failed = root.condition("Failed")
        reported = root.status.completion_time or (failed.last_transition_time if failed else None)
        if reported:
            return reported
    stopped = next((pause.stopped for pause in pauses_of(root) if not pause.resumed), None)
    return max(filter(None, (*(a.finished for a in attempts), stopped)), default=None)


def urls(root: RootObject, ingress: Ingress | None) -> tuple[str, ...]:
    """Return the URLs that a job answers at. A path alone becomes a URL once the Ingress has an address."""
    url = root.metadata.annotations.get(labels.URL, "")
    if not url.startswith("/"):
        return (url,) if url else ()
    addresses = ingress.status.load_balancer.ingress if ingress else ()
    return tuple(f"http://{a.hostname or a.ip}{url}" for a in addresses if a.hostname or a.ip)


def internal_addresses(root: RootObject) -> tuple[str, ...]:
    """Return HOST:PORT of the Service of one of our jobs, as pods of the cluster reach it."""
    spec, host = own_spec(root), f"{root.name}.{root.namespace}.svc"
    ports = spec.ports if spec else ()
    return tuple(f"{host}:{port.number}{'/udp' * (port.protocol == 'UDP')}" for port in ports)


def read_only(root: RootObject) -> str:
    """Return why a job cannot be changed from here; "" for ours."""
    if own_spec(root):
        return ""
    if isinstance(root, TrainingJob) and not root.owner:
        return read_only_training(root)
    owner = root.owner
    return f"made by {owner.kind} {owner.name}, not by traindeck" if owner else "not made by traindeck"
