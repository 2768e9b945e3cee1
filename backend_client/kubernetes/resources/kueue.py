"""kueue.x-k8s.io Workloads."""

from backend_client.kubernetes.resources.core import Condition, KubeStruct, Object


class WorkloadSpec(KubeStruct, frozen=True):
    """The spec of a Workload."""

    active: bool = True


class WorkloadStatus(KubeStruct, frozen=True):
    """The status of a Workload: under StrictFIFO one that was not tried yet may have no condition at all."""

    conditions: tuple[Condition, ...] = ()


class Workload(Object, frozen=True):
    """kueue.x-k8s.io Workload (v1beta1 and v1beta2)."""

    spec: WorkloadSpec = WorkloadSpec()
    status: WorkloadStatus = WorkloadStatus()

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return self.status.conditions
