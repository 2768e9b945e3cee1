"""kueue.x-k8s.io Workloads."""

from backend_client.kubernetes.resources.core import Condition, KubeStruct, Object


class WorkloadSpec(KubeStruct, frozen=True):
    """What Kueue was asked for."""

    active: bool = True


class WorkloadStatus(KubeStruct, frozen=True):
    """How a Workload stands. With StrictFIFO one not looked at yet may have no condition at all."""

    conditions: tuple[Condition, ...] = ()


class Workload(Object, frozen=True):
    """kueue.x-k8s.io Workload (v1beta1 and v1beta2)."""

    spec: WorkloadSpec = WorkloadSpec()
    status: WorkloadStatus = WorkloadStatus()

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return self.status.conditions
