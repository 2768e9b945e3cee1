"""kueue.x-k8s.io Workloads, in the versions v1beta1 and v1beta2."""

from collections.abc import Iterator
from datetime import datetime

from msgspec import field

from backend_client.kubernetes.resources.core import Condition, KubeStruct, Object, Reference, no_entries
from backend_client.kubernetes.resources.scheduling import SelectingSpec


class TopologyRequest(KubeStruct, frozen=True):
    """How close together the pods of a pod set have to be: labels of nodes."""

    required: str = ""
    preferred: str = ""


class PodSetTemplate(KubeStruct, frozen=True):
    """The pod template of a pod set as it was asked for, before Kueue added anything."""

    spec: SelectingSpec = SelectingSpec()


class PodSet(KubeStruct, frozen=True):
    """Pods of a Workload that are alike."""

    name: str = ""
    count: int = 1
    template: PodSetTemplate = PodSetTemplate()
    topology_request: TopologyRequest = TopologyRequest()


class WorkloadSpec(KubeStruct, frozen=True):
    """The spec of a Workload."""

    active: bool = True
    queue_name: str = ""
    priority: int | None = None
    priority_class_ref: Reference = Reference()
    """v1beta2; v1beta1 has `priority_class_name`."""
    priority_class_name: str = ""
    maximum_execution_time_seconds: int = 0
    pod_sets: tuple[PodSet, ...] = ()


class PodSetAssignment(KubeStruct, frozen=True):
    """What a queue has given to a pod set: the flavor of each resource, and how much of it in all."""

    name: str = ""
    flavors: dict[str, str] = field(default_factory=no_entries)
    resource_usage: dict[str, str] = field(default_factory=no_entries)
    count: int = 0


class Admission(KubeStruct, frozen=True):
    """What a queue has given to a Workload."""

    cluster_queue: str = ""
    pod_set_assignments: tuple[PodSetAssignment, ...] = ()


class RequeueState(KubeStruct, frozen=True):
    """When a Workload is tried again after an eviction, and how often it was."""

    count: int = 0
    requeue_at: datetime | None = None


class AdmissionCheckState(KubeStruct, frozen=True):
    """What an admission check says: Pending, Ready, Retry or Rejected."""

    name: str = ""
    state: str = ""
    message: str = ""
    retry_count: int = 0


class EvictionCount(KubeStruct, frozen=True):
    """How often a Workload was evicted for one reason."""

    reason: str = ""
    underlying_cause: str = ""
    count: int = 0


class SchedulingStats(KubeStruct, frozen=True):
    """What happened to a Workload before."""

    evictions: tuple[EvictionCount, ...] = ()


class WorkloadStatus(KubeStruct, frozen=True):
    """The status of a Workload: under StrictFIFO one that was not tried yet may have no condition at all."""

    conditions: tuple[Condition, ...] = ()
    admission: Admission = Admission()
    requeue_state: RequeueState = RequeueState()
    admission_checks: tuple[AdmissionCheckState, ...] = ()
    accumulated_past_execution_time_seconds: int = 0
    """How long it was admitted before its last eviction, all its starts together."""
    scheduling_stats: SchedulingStats = SchedulingStats()


class Workload(Object, frozen=True):
    """kueue.x-k8s.io Workload: what a queue knows of one Job, or of one pod of a Deployment."""

    spec: WorkloadSpec = WorkloadSpec()
    status: WorkloadStatus = WorkloadStatus()

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return self.status.conditions

    @property
    def priority_class(self) -> str:
        """The name of its priority class; "" where it has none."""
        return self.spec.priority_class_ref.name or self.spec.priority_class_name

    @property
    def owner_uids(self) -> Iterator[str]:
        """The uids of the Job or pods that it stands for; of a pod group all its pods."""
        if uid := self.metadata.labels.get(JOB_UID):
            yield uid
        for owner in self.metadata.owner_references:
            if owner.uid != uid:
                yield owner.uid


KUEUE = "kueue.x-k8s.io"
KUEUE_VISIBILITY = "visibility.kueue.x-k8s.io"
VERSIONS = ("v1beta2", "v1beta1")
"""Of both groups, the newest first."""
JOB_UID = "kueue.x-k8s.io/job-uid"
"""Label of a Workload: the uid of its Job or pod (Kueue, pkg/controller/constants: JobUIDLabel)."""
