"""The chain of causes of one job, from the job down to the object that blocks (pure).

The last link is the one whose sentence stands in the list (`Job.reason`); those above it say how far the job
came: its pods, its queue, the pod that is meant. docs/WHY.md lists all causes.
"""

from collections.abc import Iterator, Sequence

from backend_client.kubernetes import labels
from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.resources.workloads import KubeJob
from backend_client.kubernetes.status.attempts import has_ended, is_over
from backend_client.kubernetes.status.cause import Blocker, cause, placed_at, pod_object
from backend_client.kubernetes.status.job_reason import root_object
from backend_client.kubernetes.status.job_status import blocker_of, state_of
from backend_client.kubernetes.status.kueue_history import eviction
from backend_client.kubernetes.status.pod_reason import RelatedObjects
from backend_client.kubernetes.status.pod_state import pod_state
from backend_client.kubernetes.status.spec_from_objects import RootObject, spec_of
from backend_client.models import JobState
from backend_client.why import Cause


def chain_of(root: RootObject, pods: Sequence[Pod], related: RelatedObjects) -> tuple[Cause, ...]:
    """Return the causes of a job from the job down; the last one blocks. () for one that runs well."""
    blocker = blocker_of(root, pods, related)
    if blocker is None:
        return _suspended(root, pods, related)
    above = (
        *_root_link(root, pods, blocker, related),
        *_queue_link(root, blocker, related),
        *_pod_link(blocker),
    )
    return (*(link for link in above if link.object != blocker.cause.object), blocker.cause)


def _suspended(root: RootObject, pods: Sequence[Pod], related: RelatedObjects) -> tuple[Cause, ...]:
    """Return that somebody has suspended a Job of another tool, which its state alone does not tell."""
    if not isinstance(root, KubeJob) or not root.spec.suspend or labels.STOPPED in root.metadata.annotations:
        return ()
    if state_of(root, pods, related) is not JobState.STOPPED:
        return ()
    told = root.condition("Suspended")
    since, raw = (told.last_transition_time, told.message) if told else (None, "")
    return (cause("job.suspended", "is suspended", root_object(root), raw=raw, since=since),)


def _root_link(
    root: RootObject, pods: Sequence[Pod], blocker: Blocker, related: RelatedObjects
) -> Iterator[Cause]:
    """Yield how far the job as a whole came: it has failed, has no pods, or so many of them run."""
    if isinstance(root, Pod):
        return
    of, failed = root_object(root), root.condition("Failed")
    if failed and failed.true:
        yield cause("job.failed", "has failed", of, raw=failed.message, since=failed.last_transition_time)
        return
    spec = spec_of(root, related.site)
    wanted = max(spec.nodes, spec.replicas)
    alive = [pod for pod in pods if not is_over(pod)]
    running = sum(pod_state(pod) is JobState.RUNNING for pod in alive)
    since = root.metadata.creation_timestamp
    if alive or blocker.pod:
        yield cause(
            "job.pods", f"{running} of {_pods(wanted)} run{'s' * (1 in (running, wanted))}", of, since=since
        )
    else:
        yet = "" if any(map(eviction, related.workloads.values())) else " yet"
        yield cause("job.no-pods", f"has none of its {_pods(wanted)}{yet}", of, since=since)


def _pods(number: int) -> str:
    return f"{number} pod{'s' * (number != 1)}"


def _queue_link(root: RootObject, blocker: Blocker, related: RelatedObjects) -> Iterator[Cause]:
    """Yield that the job's queue has let it, or the pod that is meant, start, where it has."""
    workload = related.workloads.get(root.uid) or (blocker.pod and related.workloads.get(blocker.pod.uid))
    admitted = workload.condition("Admitted") if workload else None
    if not workload or not admitted or not admitted.true:
        return
    queue = root.metadata.labels.get(labels.QUEUE, "")
    words = f"the queue {queue} has let it start" if queue else "its queue has let it start"
    yield cause(
        "job.admitted",
        words,
        f"workload/{workload.name}",
        raw=admitted.message,
        since=admitted.last_transition_time,
    )


def _pod_link(blocker: Blocker) -> Iterator[Cause]:
    """Yield where the pod is that holds the job up."""
    pod = blocker.pod
    if pod is None:
        return
    node, of = pod.spec.node_name, pod_object(pod)
    if has_ended(pod):
        yield cause("pod.ended", f"has ended on {node}" if node else "has ended", of)
    elif node:
        runs = pod_state(pod) is JobState.RUNNING
        words = f"runs on {node}" if runs else f"is on {node}, and does not run"
        yield cause("pod.runs" if runs else "pod.placed", words, of, since=placed_at(pod))
    else:
        yield cause("pod.waits", "is on no node yet", of, since=pod.metadata.creation_timestamp)
