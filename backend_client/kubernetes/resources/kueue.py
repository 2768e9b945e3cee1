"""kueue.x-k8s.io Workloads."""

from datetime import datetime

from backend_client.kubernetes.resources.core import Condition, KubeStruct, Object, Reference


class PodSet(KubeStruct, frozen=True):
    """Pods of one shape in a Workload."""

    name: str = ""
    count: int = 0


class WorkloadSpec(KubeStruct, frozen=True):
    """What Kueue was asked for."""

    queue_name: str = ""
    active: bool = True
    priority: int = 0
    priority_class_ref: Reference = Reference()
    pod_sets: tuple[PodSet, ...] = ()


class Requeue(KubeStruct, frozen=True):
    """When Kueue tries again."""

    count: int = 0
    requeue_at: datetime | None = None


class Admission(KubeStruct, frozen=True):
    """Where Kueue has put it."""

    cluster_queue: str = ""


class WorkloadStatus(KubeStruct, frozen=True):
    """How a Workload stands. With StrictFIFO one not looked at yet may have no condition at all."""

    conditions: tuple[Condition, ...] = ()
    requeue_state: Requeue | None = None
    admission: Admission | None = None


class Workload(Object, frozen=True):
    """kueue.x-k8s.io Workload (v1beta1 and v1beta2)."""

    spec: WorkloadSpec = WorkloadSpec()
    status: WorkloadStatus = WorkloadStatus()
