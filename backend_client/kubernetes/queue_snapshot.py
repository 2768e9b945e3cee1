"""Kueue's queues as they are now: ClusterQueues, cohorts, flavors and Workloads made into a `QueueSnapshot`.

Reading is one list of each type, at most once a minute and only for a server: a Workload is about 4 KiB.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct

from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.resources.kueue import JOB_UID
from backend_client.kubernetes.resources.node_gpus import gpus_of
from backend_client.kubernetes.resources.quantities import parse_whole
from backend_client.kubernetes.resources.queued_workloads import QueuedWorkload
from backend_client.kubernetes.resources.queues import ClusterQueue, Cohort, LocalQueue, ResourceFlavor
from backend_client.kubernetes.status.queue_room import can_use
from backend_client.kubernetes.watch.kueue_lists import queue_types
from backend_client.kubernetes.watch.lists import list_all, list_if_allowed
from backend_client.queue_snapshot import (
    AdmittedJob,
    FlavorQuota,
    PendingJob,
    QueueQuota,
    QueueSnapshot,
)

_LACKING = re.compile(r"insufficient unused quota for (\S+) in flavor")
_SERVES = frozenset(("Pod", "Deployment", "StatefulSet", "LeaderWorkerSet"))
"""Owners of Workloads that run until somebody stops them; pods are those of Deployments."""


class QueueObjects(Struct, frozen=True, kw_only=True):
    """What a snapshot is made of."""

    cluster_queues: Sequence[ClusterQueue] = ()
    cohorts: Sequence[Cohort] = ()
    local_queues: Sequence[LocalQueue] = ()
    flavors: Sequence[ResourceFlavor] = ()
    workloads: Sequence[QueuedWorkload] = ()


async def read_queue_snapshot(transport: Transport, resource: str) -> QueueSnapshot | None:
    """Read the queues of a cluster; None where it has no Kueue. `resource`: what a GPU is called.

    Raises a BackendError, Forbidden where a type may not be listed.
    """
    types = await queue_types(transport)
    if types is None:
        return None
    cluster_queues, cohorts, local_queues, flavors, workloads = await asyncio.gather(
        list_all(transport, types.cluster_queues),
        list_if_allowed(transport, types.cohorts),
        list_all(transport, types.local_queues),
        list_all(transport, types.flavors),
        list_all(transport, types.queued_workloads),
    )
    objects = QueueObjects(
        cluster_queues=cluster_queues,
        cohorts=cohorts,
        local_queues=local_queues,
        flavors=flavors,
        workloads=workloads,
    )
    return await asyncio.to_thread(snapshot_of, objects, resource, datetime.now(UTC))


def snapshot_of(objects: QueueObjects, resource: str, now: datetime) -> QueueSnapshot:
    """Make a snapshot of the objects (pure)."""
    return _Reading(objects, resource, now).snapshot()


class _Reading:
    """One reading of the objects."""

    def __init__(self, objects: QueueObjects, resource: str, now: datetime) -> None:
        self._objects = objects
        self._resource = resource
        self._now = now
        self._flavors = {flavor.name: flavor for flavor in objects.flavors}
        self._local = {f"{queue.namespace}/{queue.name}": queue for queue in objects.local_queues}
        self._parents = {cohort.name: cohort.parent for cohort in objects.cohorts}

    def snapshot(self) -> QueueSnapshot:
        """Return the snapshot."""
        preempted: Counter[str] = Counter()
        finished: Counter[str] = Counter()
        waiting: list[PendingJob] = []
        admitted: list[AdmittedJob] = []
        for workload in self._objects.workloads:
            queue = self._cluster_queue(workload)
            preempted[queue] += sum(
                eviction.count
                for eviction in workload.status.scheduling_stats.evictions
                if eviction.reason == "Preempted"
            )
            if workload.has_condition("Finished"):
                finished[queue] += 1
            elif workload.has_condition("QuotaReserved"):
                admitted += self._admitted(workload)
            elif queue:
                waiting.append(self._waiting(workload, queue))
        return QueueSnapshot(
            at=self._now,
            queues=tuple(
                self._queue(queue, preempted[queue.name], finished[queue.name])
                for queue in self._objects.cluster_queues
            ),
            cohorts=self._own_of_cohorts(),
            local_queues={name: queue.spec.cluster_queue for name, queue in self._local.items()},
            products={
                name: frozenset(flavor.spec.node_labels.values()) for name, flavor in self._flavors.items()
            },
            waiting=tuple(waiting),
            admitted=tuple(admitted),
        )

    def _cluster_queue(self, workload: QueuedWorkload) -> str:
        local = self._local.get(f"{workload.namespace}/{workload.spec.queue_name}")
        return local.spec.cluster_queue if local else ""

    def _queue(self, queue: ClusterQueue, preempted: int, finished: int) -> QueueQuota:
        return QueueQuota(
            name=queue.name,
            cohort=self._root(queue.cohort),
            strict=queue.spec.queueing_strategy == "StrictFIFO",
            stopped=bool(queue.spec.stopped),
            flavors=self._quotas(queue),
            preempted=preempted,
            finished=finished,
        )

    def _quotas(self, queue: ClusterQueue | Cohort) -> dict[str, FlavorQuota]:
        """Return the GPU quotas of a ClusterQueue or Cohort by flavor, in their order."""
        return {
            flavor.name: FlavorQuota(
                parse_whole(str(quota.nominal_quota)),
                None if quota.borrowing_limit is None else parse_whole(str(quota.borrowing_limit)),
                None if quota.lending_limit is None else parse_whole(str(quota.lending_limit)),
            )
            for group in queue.spec.resource_groups
            for flavor in group.flavors
            for quota in flavor.resources
            if quota.name == self._resource
        }

    def _root(self, cohort: str) -> str:
        """Return the uppermost cohort above one; in a circle, which Kueue does not admit from, any."""
        for _ in self._parents:
            if not (parent := self._parents.get(cohort, "")):
                break
            cohort = parent
        return cohort

    def _own_of_cohorts(self) -> dict[str, dict[str, int]]:
        own: dict[str, Counter[str]] = {}
        for cohort in self._objects.cohorts:
            found = own.setdefault(self._root(cohort.name), Counter())
            found.update({name: quota.nominal for name, quota in self._quotas(cohort).items()})
        return {name: dict(found) for name, found in own.items() if found}

    def _admitted(self, workload: QueuedWorkload) -> Sequence[AdmittedJob]:
        """Return what a Workload holds; nothing where that is no GPU."""
        admission = workload.status.admission
        gpus: Counter[str] = Counter()
        for given in admission.pod_set_assignments:
            if flavor := given.flavors.get(self._resource):
                gpus[flavor] += parse_whole(given.resource_usage.get(self._resource, "0"))
        since = workload.condition("Admitted") or workload.condition("QuotaReserved")
        if not gpus.total():
            return ()
        return [
            AdmittedJob(
                uid=_job_uid(workload),
                namespace=workload.namespace,
                queue=admission.cluster_queue,
                gpus=dict(gpus),
                since=(since.last_transition_time if since else None) or self._now,
                limit=workload.spec.maximum_execution_time_seconds or None,
                ends=not (workload.owner and workload.owner.kind in _SERVES),
            )
        ]

    def _waiting(self, workload: QueuedWorkload, queue: str) -> PendingJob:
        evicted = workload.condition("Evicted")
        put_back = evicted.last_transition_time if evicted and evicted.true else None
        created = workload.metadata.creation_timestamp or self._now
        at_the_end = put_back and evicted and evicted.reason == "PodsReadyTimeout"
        spec = workload.spec
        return PendingJob(
            uid=_job_uid(workload),
            namespace=workload.namespace,
            queue=queue,
            local_queue=spec.queue_name,
            gpus=sum(pods.count * gpus_of(pods.template.spec, self._resource) for pods in spec.pod_sets),
            flavors=tuple(self._usable_flavors(workload, queue)),
            priority=spec.priority or 0,
            since=(put_back if at_the_end else None) or created,
            limit=spec.maximum_execution_time_seconds or None,
            blocked=self._blocked(workload),
            evicted=put_back,
        )

    def _blocked(self, workload: QueuedWorkload) -> str:
        """Return why GPUs that come free do not start a Workload; "" where they do."""
        reserved = workload.condition("QuotaReserved")
        requeue_at = workload.status.requeue_state.requeue_at
        lacking = _LACKING.findall(reserved.message) if reserved else []
        local = self._local.get(f"{workload.namespace}/{workload.spec.queue_name}")
        if not workload.spec.active:
            return "it was taken out of its queue"
        if local and local.spec.stopped:
            return "its queue is stopped"
        if requeue_at and requeue_at > self._now:
            return "it is tried again later"
        if reserved and reserved.reason == "Inadmissible":
            return "its queue does not take it"
        if lacking and self._resource not in lacking:
            return "it waits for something else than GPUs"
        return ""

    def _usable_flavors(self, workload: QueuedWorkload, queue: str) -> Sequence[str]:
        found = next((found for found in self._objects.cluster_queues if found.name == queue), None)
        names = [*self._quotas(found)] if found else []
        known = [name for name in names if name in self._flavors]
        keys = {key for name in known for key in self._flavors[name].spec.node_labels}
        specs = [
            pods.template.spec
            for pods in workload.spec.pod_sets
            if gpus_of(pods.template.spec, self._resource)
        ]
        return [name for name in known if all(can_use(spec, self._flavors[name], keys) for spec in specs)]


def _job_uid(workload: QueuedWorkload) -> str:
    return workload.metadata.labels.get(JOB_UID) or (workload.owner.uid if workload.owner else workload.uid)
