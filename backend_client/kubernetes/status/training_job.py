"""Training jobs of other tools: ranks, what beside its pods tells of the state, what can be done (pure)."""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from backend_client.kubernetes import labels
from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.resources.training import RankGroup, TrainingJob
from backend_client.kubernetes.status.attempts import by_age, has_ended, is_over
from backend_client.kubernetes.status.spec_from_objects import RootObject
from backend_client.models import JobState


def ranked(job: TrainingJob, pods: Iterable[Pod]) -> tuple[Pod, ...]:
    """Return the pods of a job, each with its rank where the pods of an Indexed Job have theirs.

    The rank is counted as its kind counts the pod: its sort, and its index within that. A pod that says no
    index takes the rank that an older one left, or the next of its sort.
    """
    found: dict[int, Pod] = {}
    unplaced: list[Pod] = []
    ranked: list[Pod] = []
    for pod in by_age(pods):
        rank = _rank(job, pod)
        if rank is None:
            unplaced.append(pod)
        else:
            found[rank] = pod
            ranked.append(_with_rank(pod, rank))
    end = sum(group.size for group in job.groups)
    for pod in unplaced:
        group = _group_of(job, pod)
        places = range(group.offset, group.offset + group.size) if group else range(0)
        rank = next((rank for rank in places if rank not in found or is_over(found[rank])), None)
        if rank is None:
            rank = end = max(end, *(number + 1 for number in found), 0)
        found[rank] = pod
        ranked.append(_with_rank(pod, rank))
    return tuple(ranked)


def _rank(job: TrainingJob, pod: Pod) -> int | None:
    """Return the rank of a pod by its labels; None where they do not say it."""
    group = _group_of(job, pod)
    if group is None:
        return None
    index = 0
    for count, label in zip(group.counts, job.training.index_labels, strict=False):
        text = pod.metadata.labels.get(label) or pod.metadata.annotations.get(label, "")
        number = int(text) if text.isdecimal() and len(text) < 9 else -1
        if number < 0 and count == 1 and not text:
            number = 0
        if not 0 <= number < count:
            return None
        index = index * count + number
    return group.offset + index


def _group_of(job: TrainingJob, pod: Pod) -> RankGroup | None:
    names = [pod.metadata.labels.get(label, "").lower() for label in job.training.set_labels]
    name = next(filter(None, names), "")
    return next((group for group in job.groups if group.name == name), None)


def _with_rank(pod: Pod, rank: int) -> Pod:
    marked = {**pod.metadata.labels, labels.INDEX: str(rank)}
    return replace(pod, metadata=replace(pod.metadata, labels=marked))


def training_state(job: TrainingJob, of_pods: JobState) -> JobState:
    """Return the state of a job that has not ended, out of that of its pods and what it says of itself."""
    if job.said in (JobState.STOPPING, JobState.STOPPED):
        return job.said
    return JobState.STARTING if job.said and of_pods is JobState.RUNNING else of_pods


def between_ends(job: TrainingJob, pods: Sequence[Pod]) -> str:
    """Describe a job whose pods have all ended, while it does not say that it has; "" for any other."""
    if not pods or not all(map(has_ended, pods)):
        return ""
    return f"its pods have ended; what comes next its {job.training.kind} has not said yet"


def is_queued(job: TrainingJob) -> bool:
    """Return whether Kueue says when a job runs: it then undoes what anybody else writes to `suspend`."""
    return labels.QUEUE in job.metadata.labels


def can_stop(job: TrainingJob) -> bool:
    """Return whether a job can be stopped without deleting it."""
    return bool(job.training.suspend) and not is_queued(job)


def allows(root: RootObject) -> tuple[str, ...]:
    """Return what can be done to a job although it is read-only."""
    if not isinstance(root, TrainingJob) or root.owner:
        return ()
    stopped = labels.STOPPED in root.metadata.annotations
    return ("stop",) * can_stop(root) + ("resume",) * stopped + ("delete",)


def read_only_training(job: TrainingJob) -> str:
    """Say who made a job, and what can be done here."""
    can = "stop or delete it" if can_stop(job) else "delete it"
    return f"made by {job.training.kind}, not by traindeck: all you can do here is {can}"
