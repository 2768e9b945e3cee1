"""Kueue's queues: ClusterQueues, cohorts, LocalQueues, flavors and priorities, and the order of what waits.

Each as v1beta1 and v1beta2 of kueue.x-k8s.io have it.
"""

from msgspec import field

from backend_client.kubernetes.resources.core import Condition, KubeStruct, Object, no_entries
from backend_client.kubernetes.resources.nodes import Taint
from backend_client.kubernetes.resources.scheduling import PodToleration


class ResourceQuotaOfFlavor(KubeStruct, frozen=True):
    """What a queue or a cohort has of one resource in one flavor; as quantities."""

    name: str = ""
    nominal_quota: str | int = "0"
    borrowing_limit: str | int | None = None
    lending_limit: str | int | None = None


class FlavorQuotas(KubeStruct, frozen=True):
    """The quotas of one flavor."""

    name: str = ""
    resources: tuple[ResourceQuotaOfFlavor, ...] = ()


class ResourceGroup(KubeStruct, frozen=True):
    """Resources that are found in the same flavors; the flavors in the order in which they are tried."""

    flavors: tuple[FlavorQuotas, ...] = ()


class ResourceUsage(KubeStruct, frozen=True):
    """What is used of one resource in one flavor, and what of it is borrowed."""

    name: str = ""
    total: str | int = "0"
    borrowed: str | int = "0"


class FlavorUsage(KubeStruct, frozen=True):
    """What is used of one flavor."""

    name: str = ""
    resources: tuple[ResourceUsage, ...] = ()


class QueueSpec(KubeStruct, frozen=True):
    """What the specs of ClusterQueues and LocalQueues share."""

    stop_policy: str = "None"

    @property
    def stopped(self) -> str:
        """How a queue was stopped: Hold, HoldAndDrain; "" where it was not."""
        return "" if self.stop_policy == "None" else self.stop_policy


class ClusterQueueSpec(QueueSpec, frozen=True):
    """The spec of a ClusterQueue."""

    cohort_name: str = ""
    """In v1beta2."""
    cohort: str = ""
    """In v1beta1."""
    queueing_strategy: str = ""
    resource_groups: tuple[ResourceGroup, ...] = ()


class CohortSpec(KubeStruct, frozen=True):
    """The spec of a Cohort."""

    parent_name: str = ""
    """In v1beta2."""
    parent: str = ""
    """In v1beta1."""
    resource_groups: tuple[ResourceGroup, ...] = ()


class Cohort(Object, frozen=True):
    """kueue.x-k8s.io Cohort: quotas of its own, and the cohort above it."""

    spec: CohortSpec = CohortSpec()

    @property
    def parent(self) -> str:
        """The name of the cohort above; "" for none."""
        return self.spec.parent_name or self.spec.parent


class QueueStatus(KubeStruct, frozen=True):
    """The status of a ClusterQueue or a LocalQueue."""

    conditions: tuple[Condition, ...] = ()
    flavors_reservation: tuple[FlavorUsage, ...] = ()
    pending_workloads: int = 0
    admitted_workloads: int = 0


class Queue(Object, frozen=True):
    """What ClusterQueues and LocalQueues share."""

    spec: QueueSpec = QueueSpec()
    status: QueueStatus = QueueStatus()

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return self.status.conditions


class ClusterQueue(Queue, frozen=True):
    """kueue.x-k8s.io ClusterQueue."""

    spec: ClusterQueueSpec = ClusterQueueSpec()

    @property
    def cohort(self) -> str:
        """The name of its cohort; "" for none."""
        return self.spec.cohort_name or self.spec.cohort


class LocalQueueSpec(QueueSpec, frozen=True):
    """The spec of a LocalQueue."""

    cluster_queue: str = ""


class LocalQueue(Queue, frozen=True):
    """kueue.x-k8s.io LocalQueue."""

    spec: LocalQueueSpec = LocalQueueSpec()


class FlavorSpec(KubeStruct, frozen=True):
    """The nodes of a flavor: their labels, and the taints that a job must tolerate to get it."""

    node_labels: dict[str, str] = field(default_factory=no_entries)
    node_taints: tuple[Taint, ...] = ()
    tolerations: tuple[PodToleration, ...] = ()
    """What Kueue adds to the pods that get it."""


class ResourceFlavor(Object, frozen=True):
    """kueue.x-k8s.io ResourceFlavor: which nodes a queue's quota is of."""

    spec: FlavorSpec = FlavorSpec()


class WorkloadPriorityClass(Object, frozen=True):
    """kueue.x-k8s.io WorkloadPriorityClass."""

    value: int = 0
    description: str = ""


class PendingWorkload(Object, frozen=True):
    """An entry of the visibility API: what waits in a queue, by the order in which it is tried."""

    priority: int = 0
    local_queue_name: str = ""
    position_in_cluster_queue: int = 0
    """From 0."""


class PendingWorkloads(KubeStruct, frozen=True):
    """visibility.kueue.x-k8s.io PendingWorkloadsSummary (v1beta1 and v1beta2)."""

    items: tuple[PendingWorkload, ...] = ()
