"""Where a job stands in the queue that holds it, and how many replicas of a deployment wait there (pure)."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from backend_client.kubernetes import labels
from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.resources.kueue import Workload
from backend_client.kubernetes.resources.workloads import KubeJob
from backend_client.kubernetes.status.kueue_history import ending
from backend_client.kubernetes.status.spec_from_objects import RootObject
from backend_client.models import JobState, QueuePlace


class QueuePosition(Struct, frozen=True):
    """What is known of a waiting Workload beside the Workload itself."""

    cluster_queue: str = ""
    position: int | None = None
    """From 1, in its ClusterQueue."""
    waiting: int | None = None


Positions = Mapping[str, QueuePosition]
"""By the name of the Workload."""
NO_POSITIONS: Positions = {}


def queue_place(
    root: RootObject, workloads: Sequence[Workload], positions: Positions, *, unknown: bool = False
) -> QueuePlace | None:
    """Return where a job stands; None where no queue holds it. `unknown`: Workloads cannot be read.

    Of a Deployment, which has a Workload for each pod: the best place of those that wait, all the flavors.
    """
    if _queue_of(root) == labels.NO_QUEUE:
        return _held_place(root, workloads)
    held = [workload for workload in workloads if not workload.has_condition("Finished")]
    if not held:
        return _unread_place(root, unknown=unknown)
    waiting = [workload for workload in held if not workload.has_condition("QuotaReserved")]
    first = min(waiting or held, key=lambda workload: _order(workload, positions))
    place = positions.get(first.name, QueuePosition()) if waiting else QueuePosition()
    ended = ending(first)
    return QueuePlace(
        queue=first.spec.queue_name or _queue_of(root),
        cluster_queue=_cluster_queue(held) or place.cluster_queue,
        position=place.position,
        waiting=place.waiting,
        priority=first.spec.priority,
        priority_class=first.priority_class,
        flavors=_flavors(held),
        held=ended is not None and ended.state is JobState.STOPPED,
        requeue_at=None if first.has_condition("Requeued") else first.status.requeue_state.requeue_at,
        requeues=first.status.requeue_state.count,
    )


def _held_place(root: RootObject, workloads: Sequence[Workload]) -> QueuePlace:
    """Return the place of a job that a person holds back: in no queue now, later in its own again."""
    queue = root.metadata.annotations.get(labels.QUEUE_BEFORE_HOLD, "")
    first = next(iter(workloads), Workload())
    return QueuePlace(
        queue=queue, priority=first.spec.priority, priority_class=first.priority_class, held=True
    )


def _unread_place(root: RootObject, *, unknown: bool) -> QueuePlace | None:
    queue = _queue_of(root)
    suspended = (
        isinstance(root, KubeJob) and root.spec.suspend and labels.STOPPED not in root.metadata.annotations
    )
    return QueuePlace(queue=queue) if queue and (suspended or unknown) else None


def _queue_of(root: RootObject) -> str:
    return root.metadata.labels.get(labels.QUEUE, "")


def _order(workload: Workload, positions: Positions) -> tuple[int, str]:
    place = positions.get(workload.name)
    return (place.position or 0 if place else 1 << 31, workload.name)


def _cluster_queue(workloads: Sequence[Workload]) -> str:
    names = (workload.status.admission.cluster_queue for workload in workloads)
    return next(filter(None, names), "")


def _flavors(workloads: Sequence[Workload]) -> tuple[str, ...]:
    """Return the flavors of what device plugins give: only their resources are `DOMAIN/NAME`."""
    flavors = (
        flavor
        for workload in workloads
        for assignment in workload.status.admission.pod_set_assignments
        for resource, flavor in assignment.flavors.items()
        if "/" in resource
    )
    return tuple(dict.fromkeys(flavors))


def added_by_queue(pod: Pod, workload: Workload | None) -> str:
    """Describe the flavor that a queue chose for a pod, by the labels of nodes that it added; "" for none.

    Without it a pod that no node fits seems to have asked for a kind, where its queue has.
    """
    if workload is None:
        return ""
    asked = [pods.template.spec.node_selector for pods in workload.spec.pod_sets]
    added = {
        key: value
        for key, value in pod.spec.node_selector.items()
        if not any(selector.get(key) == value for selector in asked)
    }
    flavors = " and ".join(_flavors([workload]))
    if not added or not flavors:
        return ""
    wanted = " and ".join(f"{key}={value}" for key, value in sorted(added.items()))
    return f"its queue chose the flavor {flavors}, so its node must have {wanted}"
