"""Pods and their owners by the few fields that tell who holds GPUs: there are tens of thousands of them."""

from datetime import datetime
from typing import Any

from backend_client.kubernetes.resources.core import KubeStruct, Object
from backend_client.kubernetes.resources.scheduling import PlacedPod, PlacedSpec, PlacedStatus


class DevicePodSpec(PlacedSpec, frozen=True):
    """The spec of a pod, by where it is and what it takes."""

    active_deadline_seconds: int = 0


class DevicePodStatus(PlacedStatus, frozen=True):
    """The status of a pod, by its phase and its start."""

    start_time: datetime | None = None


class StartStatus(KubeStruct, frozen=True):
    """The status of a Job, by its start."""

    start_time: datetime | None = None


class DevicePod(PlacedPod, frozen=True):
    """A pod, by what it takes of its node, and until when."""

    spec: DevicePodSpec = DevicePodSpec()
    status: DevicePodStatus = DevicePodStatus()


class OwnerSpec(KubeStruct, frozen=True):
    """The spec of a Job or a Deployment, by its time limit."""

    active_deadline_seconds: int = 0


class PodOwner(Object, frozen=True):
    """What owns pods, by its time limit."""

    spec: OwnerSpec = OwnerSpec()
    status: StartStatus = StartStatus()


class JobOwner(PodOwner, frozen=True):
    """A Job."""


class DeploymentOwner(PodOwner, frozen=True):
    """A Deployment, which owns pods by way of a ReplicaSet."""


def device_names(spec: DevicePodSpec) -> frozenset[str]:
    """Return the names of all resources that a pod asks for."""
    maps: list[dict[str, Any]] = []
    for container in (*spec.containers, *spec.init_containers):
        maps += (container.resources.limits, container.resources.requests)
    return frozenset().union(*maps)
