"""Kubernetes objects as typed structs: only the fields that status, reasons and capacity read. Here: pods.

Names are Kubernetes' own in snake_case, units and spelling too (quantities stay text: `500m`, `64Gi`).
What is absent has a plain default: None stands only for times, and where absence means something.
"""

from datetime import datetime
from typing import Any

from msgspec import Struct, field


class Part(Struct, frozen=True, gc=False, rename="camel"):
    """The base of all: read-only, unknown fields ignored, no work for the garbage collector."""


_NOTHING: dict[str, Any] = {}


def nothing() -> dict[str, Any]:
    """One empty mapping for all: nobody changes what an object has."""
    return _NOTHING


class Owner(Part, frozen=True):
    """An owner reference."""

    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool = False


class Meta(Part, frozen=True):
    """What every object has. managedFields are left behind."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    labels: dict[str, str] = field(default_factory=nothing)
    annotations: dict[str, str] = field(default_factory=nothing)
    owner_references: tuple[Owner, ...] = ()
    finalizers: tuple[str, ...] = ()


class Object(Part, frozen=True):
    """Any object, by its metadata alone: Namespace, RuntimeClass, PriorityClass, LocalQueue and the like."""

    metadata: Meta = Meta()

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
    def owner(self) -> Owner | None:
        """The controller among the owners."""
        return next((owner for owner in self.metadata.owner_references if owner.controller), None)


class Condition(Part, frozen=True):
    """A condition of a pod, Job, Deployment, ReplicaSet, node or Workload."""

    type: str = ""
    status: str = "Unknown"
    """"True", "False" or "Unknown"."""
    reason: str = ""
    message: str = ""
    last_transition_time: datetime | None = None

    @property
    def true(self) -> bool:
        return self.status == "True"


class Reference(Part, frozen=True):
    """A thing by its name."""

    name: str = ""


class Resources(Part, frozen=True):
    """Quantities by resource name."""

    limits: dict[str, str] = field(default_factory=nothing)
    requests: dict[str, str] = field(default_factory=nothing)


class Container(Part, frozen=True):
    """A container as a pod names it: enough to count what it asks for and to show what it runs."""

    name: str = ""
    image: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    resources: Resources = Resources()
    restart_policy: str = ""
    """"Always" makes an init container a sidecar."""


class PodSpec(Part, frozen=True):
    """What a pod asks for."""

    node_name: str = ""
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    restart_policy: str = "Always"
    priority_class_name: str = ""
    scheduling_gates: tuple[Reference, ...] = ()


class Waiting(Part, frozen=True):
    """A container that does not run yet."""

    reason: str = ""
    message: str = ""


class Running(Part, frozen=True):
    """A container that runs."""

    started_at: datetime | None = None


class Terminated(Part, frozen=True):
    """A container that has ended."""

    exit_code: int = 0
    signal: int = 0
    reason: str = ""
    message: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    container_id: str = field(default="", name="containerID")


class ContainerState(Part, frozen=True):
    """At most one of the three."""

    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


class ContainerStatus(Part, frozen=True):
    """How one container stands."""

    name: str = ""
    ready: bool = False
    started: bool = False
    restart_count: int = 0
    image: str = ""
    container_id: str = field(default="", name="containerID")
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()


class PodStatus(Part, frozen=True):
    """How a pod stands."""

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
