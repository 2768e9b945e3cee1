"""Kubernetes objects as typed structs with only the fields that are read; in this file metadata and pods.

Names are the API's own in snake_case, units and spelling too (quantities stay text: `500m`, `64Gi`). An
absent field has a plain default: None stands only for times, and where absence means something.
"""

from datetime import datetime
from typing import Any

from msgspec import Struct, field

from backend_client.kubernetes.labels import MAIN_CONTAINER


class KubeStruct(Struct, frozen=True, gc=False, rename="camel"):
    """The base of all objects: read-only, unknown fields ignored, not tracked by the garbage collector."""


_NO_ENTRIES: dict[str, Any] = {}


def no_entries() -> dict[str, Any]:
    """Return the one empty mapping that all objects share; nobody changes an object's mappings."""
    return _NO_ENTRIES


class OwnerReference(KubeStruct, frozen=True):
    """An owner reference."""

    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool = False


class ObjectMeta(KubeStruct, frozen=True):
    """metav1.ObjectMeta; managedFields are left out."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    labels: dict[str, str] = field(default_factory=no_entries)
    annotations: dict[str, str] = field(default_factory=no_entries)
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[str, ...] = ()


class Condition(KubeStruct, frozen=True):
    """metav1.Condition, in the forms of pods, Jobs, Deployments, nodes and Workloads."""

    type: str = ""
    status: str = "Unknown"
    """"True", "False" or "Unknown"."""
    reason: str = ""
    message: str = ""
    last_transition_time: datetime | None = None

    @property
    def true(self) -> bool:
        return self.status == "True"


class Object(KubeStruct, frozen=True):
    """Any object, by its metadata alone: Namespace, RuntimeClass, PriorityClass, LocalQueue and the like."""

    metadata: ObjectMeta = ObjectMeta()

    @property
    def uid(self) -> str:
        return self.metadata.uid

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def namespace(self) -> str:
        return self.metadata.namespace

    @property
    def owner(self) -> OwnerReference | None:
        """The owner reference whose owner is the controller."""
        return next((owner for owner in self.metadata.owner_references if owner.controller), None)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The conditions of its status; none for a type that is read by its metadata alone."""
        return ()

    def condition(self, type_: str) -> Condition | None:
        """Return the condition of a type, whatever its status; None where the object does not report it."""
        return next((condition for condition in self.conditions if condition.type == type_), None)

    def has_condition(self, type_: str) -> bool:
        """Return whether the condition of a type holds: its status is "True"."""
        condition = self.condition(type_)
        return condition is not None and condition.true


class Reference(KubeStruct, frozen=True):
    """A reference to an object by its name."""

    name: str = ""


class ResourceRequirements(KubeStruct, frozen=True):
    """Quantities by resource name."""

    limits: dict[str, str] = field(default_factory=no_entries)
    requests: dict[str, str] = field(default_factory=no_entries)


class Container(KubeStruct, frozen=True):
    """A container of a pod: enough to count its requests and to show what it runs."""

    name: str = ""
    image: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    resources: ResourceRequirements = ResourceRequirements()
    restart_policy: str = ""
    """"Always" makes an init container a sidecar."""


class PodSpec(KubeStruct, frozen=True):
    """The spec of a pod."""

    node_name: str = ""
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    restart_policy: str = "Always"
    priority_class_name: str = ""
    scheduling_gates: tuple[Reference, ...] = ()


class Waiting(KubeStruct, frozen=True):
    """The state of a container that does not run yet."""

    reason: str = ""
    message: str = ""


class Running(KubeStruct, frozen=True):
    """The state of a container that runs."""

    started_at: datetime | None = None


class Terminated(KubeStruct, frozen=True):
    """The state of a container that has ended."""

    exit_code: int = 0
    reason: str = ""
    message: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    container_id: str = field(default="", name="containerID")


class ContainerState(KubeStruct, frozen=True):
    """The state of a container: at most one of the three."""

    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


class ContainerStatus(KubeStruct, frozen=True):
    """The status of one container."""

    name: str = ""
    restart_count: int = 0
    image: str = ""
    container_id: str = field(default="", name="containerID")
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()


class PodStatus(KubeStruct, frozen=True):
    """The status of a pod."""

    phase: str = "Pending"
    reason: str = ""
    message: str = ""
    conditions: tuple[Condition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()


class Pod(Object, frozen=True):
    """v1 Pod."""

    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return self.status.conditions

    @property
    def main_container_status(self) -> ContainerStatus | None:
        """The status of the container that does the work: ours by its name, else the first of the spec."""
        statuses = self.status.container_statuses
        if len(statuses) < 2:
            return statuses[0] if statuses else None
        by_name = {status.name: status for status in statuses}
        first = self.spec.containers[0].name if self.spec.containers else ""
        return by_name.get(MAIN_CONTAINER) or by_name.get(first) or statuses[0]
