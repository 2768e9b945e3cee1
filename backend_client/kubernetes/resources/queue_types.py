"""The resource types of Kueue, in the version that a cluster serves."""

from functools import cache, cached_property

import msgspec

from backend_client.kubernetes.resources.core import Object
from backend_client.kubernetes.resources.kueue import KUEUE, KUEUE_VISIBILITY, Workload
from backend_client.kubernetes.resources.queued_workloads import QueuedWorkload
from backend_client.kubernetes.resources.queues import (
    ClusterQueue,
    Cohort,
    LocalQueue,
    PendingWorkload,
    PendingWorkloads,
    ResourceFlavor,
    WorkloadPriorityClass,
)
from backend_client.kubernetes.resources.resource_types import ResourceType, T, decode, kueue_workloads

_PENDING = msgspec.json.Decoder(PendingWorkloads)


class QueueTypes:
    """The types of Kueue's group in one version; each is made when it is first used."""

    def __init__(self, version: str) -> None:
        """`version`: v1beta1 or v1beta2."""
        self._version = version

    @cached_property
    def cluster_queues(self) -> ResourceType[ClusterQueue]:
        return self._of_cluster("ClusterQueue", "clusterqueues", ClusterQueue)

    @cached_property
    def cohorts(self) -> ResourceType[Cohort]:
        return self._of_cluster("Cohort", "cohorts", Cohort)

    @cached_property
    def flavors(self) -> ResourceType[ResourceFlavor]:
        return self._of_cluster("ResourceFlavor", "resourceflavors", ResourceFlavor)

    @cached_property
    def priorities(self) -> ResourceType[WorkloadPriorityClass]:
        return self._of_cluster("WorkloadPriorityClass", "workloadpriorityclasses", WorkloadPriorityClass)

    @cached_property
    def local_queues(self) -> ResourceType[LocalQueue]:
        return ResourceType(self._api, "LocalQueue", "localqueues", LocalQueue)

    @cached_property
    def workloads(self) -> ResourceType[Workload]:
        return kueue_workloads(self._version)

    @cached_property
    def queued_workloads(self) -> ResourceType[QueuedWorkload]:
        """Workloads, with the pods that they ask for."""
        return ResourceType(self._api, "Workload", "workloads", QueuedWorkload)

    @property
    def _api(self) -> str:
        return f"/apis/{KUEUE}/{self._version}"

    def _of_cluster(self, kind: str, plural: str, type_: type[T]) -> ResourceType[T]:
        return ResourceType(self._api, kind, plural, type_, namespaced=False)


queue_types_of = cache(QueueTypes)
"""Returns the types of a version, the same each time."""


class VisibilityTypes:
    """The types of Kueue's visibility API in one version: queues with the subresource `pendingworkloads`."""

    def __init__(self, version: str) -> None:
        """`version`: v1beta1 or v1beta2."""
        api = f"/apis/{KUEUE_VISIBILITY}/{version}"
        self.cluster_queues = ResourceType(api, "ClusterQueue", "clusterqueues", Object, namespaced=False)
        self.local_queues = ResourceType(api, "LocalQueue", "localqueues", Object)


def decode_pending(body: bytes) -> tuple[PendingWorkload, ...]:
    """Decode what waits in a queue: the answer of its visibility API. Raises msgspec.DecodeError."""
    return decode(_PENDING, body).items
