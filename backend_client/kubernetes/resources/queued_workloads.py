"""kueue.x-k8s.io Workloads with the pods that they ask for: `kueue.Workload` leaves those out, as most do."""

from backend_client.kubernetes.resources.kueue import PodSet, PodSetTemplate, Workload, WorkloadSpec
from backend_client.kubernetes.resources.scheduling import AskingSpec


class AskingTemplate(PodSetTemplate, frozen=True):
    """The pod template of a pod set."""

    spec: AskingSpec = AskingSpec()


class AskingPodSet(PodSet, frozen=True):
    """Pods of a Workload that are alike, and what they ask of nodes."""

    template: AskingTemplate = AskingTemplate()


class QueuedSpec(WorkloadSpec, frozen=True):
    """The spec of a Workload."""

    pod_sets: tuple[AskingPodSet, ...] = ()


class QueuedWorkload(Workload, frozen=True):
    """kueue.x-k8s.io Workload, with what its pods ask for."""

    spec: QueuedSpec = QueuedSpec()
