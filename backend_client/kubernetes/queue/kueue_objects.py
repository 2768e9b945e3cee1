"""Kueue's objects -> the queues and the waiting jobs of a board (pure)."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from backend_client.gpu_nodes import Whose
from backend_client.kubernetes import labels
from backend_client.kubernetes.resources.core import Condition, Object
from backend_client.kubernetes.resources.node_gpus import gpus_of
from backend_client.kubernetes.resources.quantities import parse_whole
from backend_client.kubernetes.resources.queued_workloads import QueuedWorkload
from backend_client.kubernetes.resources.queues import (
    ClusterQueue,
    FlavorUsage,
    LocalQueue,
    PendingWorkload,
    QueueStatus,
    ResourceQuotaOfFlavor,
    WorkloadPriorityClass,
)
from backend_client.queues import (
    ClusterQueueInfo,
    FlavorQuota,
    FlavorUse,
    LocalQueueInfo,
    QueuePriority,
    WaitingJob,
)


def cluster_queue_info(queue: ClusterQueue) -> ClusterQueueInfo:
    """Return a ClusterQueue with its quotas, in the order in which their flavors are tried."""
    reserved = {
        (flavor.name, resource.name): resource
        for flavor in queue.status.flavors_reservation
        for resource in flavor.resources
    }
    quotas = []
    for group in queue.spec.resource_groups:
        for flavor in group.flavors:
            for quota in flavor.resources:
                held = reserved.get((flavor.name, quota.name))
                used, borrowed = (_whole(held.total), _whole(held.borrowed)) if held else (0, 0)
                quotas.append(_flavor_quota(flavor.name, quota, used, borrowed))
    return ClusterQueueInfo(
        name=queue.name,
        cohort=queue.cohort,
        strategy=queue.spec.queueing_strategy,
        stopped=queue.spec.stopped,
        trouble=_trouble(queue.condition("Active")),
        quotas=tuple(quotas),
        waiting=queue.status.pending_workloads,
        admitted=queue.status.admitted_workloads,
    )


def local_queue_info(queue: LocalQueue) -> LocalQueueInfo:
    """Return a LocalQueue with what its own jobs hold."""
    return LocalQueueInfo(
        namespace=queue.namespace,
        name=queue.name,
        cluster_queue=queue.spec.cluster_queue,
        stopped=queue.spec.stopped,
        trouble=_trouble(queue.condition("Active")),
        usage=tuple(_uses(queue.status)),
        waiting=queue.status.pending_workloads,
        admitted=queue.status.admitted_workloads,
    )


def priorities_of(classes: Iterable[WorkloadPriorityClass]) -> tuple[QueuePriority, ...]:
    """Return the priorities that a job may have in a queue, the highest first."""
    found = [QueuePriority(name=item.name, value=item.value, about=item.description) for item in classes]
    return tuple(sorted(found, key=lambda item: (-item.value, item.name)))


class JobsOfWorkloads:
    """Names the jobs behind Workloads: whose they are, and how many GPUs they ask for."""

    def __init__(
        self, jobs: Iterable[Object], workloads: Iterable[QueuedWorkload], user: str, gpu_resource: str
    ) -> None:
        """`jobs`: the metadata of Jobs; `user`: the caller, "" where unknown."""
        self._jobs: Mapping[str, Object] = {job.uid: job for job in jobs}
        self._workloads = {(item.namespace, item.name): item for item in workloads}
        self._user = user
        self._gpu_resource = gpu_resource

    def waiting(self, entry: PendingWorkload, cluster_queue: str) -> WaitingJob:
        """Return the job of an entry of the visibility API."""
        owner = next(iter(entry.metadata.owner_references), None)
        uid = owner.uid if owner else ""
        person = self._person(uid)
        return WaitingJob(
            cluster_queue=cluster_queue,
            namespace=entry.namespace,
            queue=entry.local_queue_name,
            position=entry.position_in_cluster_queue + 1,
            name=owner.name if owner else entry.name,
            uid=uid,
            kind=owner.kind if owner else "Workload",
            owner=person,
            whose=self._whose(person),
            priority=entry.priority,
            gpus=self._gpus(self._workloads.get((entry.namespace, entry.name))),
            since=entry.metadata.creation_timestamp,
        )

    def held(self, cluster_queue_of: Callable[[str, str], str]) -> list[WaitingJob]:
        """Return the Jobs that a person holds back. `cluster_queue_of`: of (namespace, LocalQueue)."""
        by_uid = {item.owner.uid: item for item in self._workloads.values() if item.owner}
        return [
            self._held(job, by_uid.get(job.uid), cluster_queue_of)
            for job in self._jobs.values()
            if labels.QUEUE_BEFORE_HOLD in job.metadata.annotations
        ]

    def _held(
        self, job: Object, workload: QueuedWorkload | None, cluster_queue_of: Callable[[str, str], str]
    ) -> WaitingJob:
        queue = job.metadata.annotations[labels.QUEUE_BEFORE_HOLD]
        person = self._person(job.uid)
        return WaitingJob(
            cluster_queue=cluster_queue_of(job.namespace, queue),
            namespace=job.namespace,
            queue=queue,
            name=job.name,
            uid=job.uid,
            kind="Job",
            owner=person,
            whose=self._whose(person),
            priority=workload.spec.priority if workload else None,
            gpus=self._gpus(workload),
            since=job.metadata.creation_timestamp,
            held=True,
        )

    def _person(self, uid: str) -> str:
        job = self._jobs.get(uid)
        return job.metadata.annotations.get(labels.OWNER, "") if job else ""

    def _whose(self, person: str) -> Whose:
        return Whose.MINE if person and person == self._user else Whose.OTHER

    def _gpus(self, workload: QueuedWorkload | None) -> int | None:
        if workload is None:
            return None
        sets = workload.spec.pod_sets
        return sum(each.count * gpus_of(each.template.spec, self._gpu_resource) for each in sets)


def in_order(waiting: Sequence[WaitingJob]) -> tuple[WaitingJob, ...]:
    """Return waiting jobs by ClusterQueue in the order in which they are tried; held ones last."""
    return tuple(sorted(waiting, key=_place))


def _place(job: WaitingJob) -> tuple[str, bool, int, str]:
    return job.cluster_queue, job.position is None, job.position or 0, str(job.since)


def _flavor_quota(flavor: str, quota: ResourceQuotaOfFlavor, used: int, borrowed: int) -> FlavorQuota:
    return FlavorQuota(
        flavor=flavor,
        resource=quota.name,
        nominal=_whole(quota.nominal_quota),
        used=used,
        borrowed=borrowed,
        borrowing_limit=None if quota.borrowing_limit is None else _whole(quota.borrowing_limit),
        lending_limit=None if quota.lending_limit is None else _whole(quota.lending_limit),
    )


def _uses(status: QueueStatus) -> Iterable[FlavorUse]:
    flavors: tuple[FlavorUsage, ...] = status.flavors_reservation
    for flavor in flavors:
        for resource in flavor.resources:
            yield FlavorUse(flavor=flavor.name, resource=resource.name, used=_whole(resource.total))


def _trouble(active: Condition | None) -> str:
    return active.message or active.reason if active and active.status == "False" else ""


def _whole(quantity: str | int) -> int:
    return parse_whole(str(quantity))
