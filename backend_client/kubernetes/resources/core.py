"""Kubernetes objects as typed structs with only the fields that are read; in this file metadata and pods.

Names are the API's own in snake_case, units and spelling too (quantities stay text: `500m`, `64Gi`). An
absent field has a plain default: None stands only for times, and where absence means something.
"""

from collections.abc import Mapping
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

    @property
    def asks_for_devices(self) -> bool:
        """Whether a device plugin's resource is asked for: only those are `DOMAIN/NAME`."""
        return any("/" in name for name in (*self.limits, *self.requests))


class Container(KubeStruct, frozen=True):
    """A container of a pod: enough to count its requests and to show what it runs."""

    name: str = ""
    image: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    resources: ResourceRequirements = ResourceRequirements()
    restart_policy: str = ""
    """"Always" makes an init container a sidecar; of a container it goes before its pod's (KEP-5307)."""


DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
"""Annotation of a pod: the container that `kubectl logs` and `kubectl exec` mean where none is named."""
_SIDECARS = frozenset(
    """aws-otel-collector consul-dataplane daprd datadog-agent envoy filebeat fluent-bit fluentbit fluentd
    gcsfuse git-sync jaeger-agent opentelemetry-collector otc-container otel-collector promtail sidecar
    tailscale vault-agent vector wait xray-daemon""".split()
)
"""Names of containers that tools put beside the one that does the work."""
_SIDECAR_ENDINGS = ("-proxy", "-sidecar")


class PodSpec(KubeStruct, frozen=True):
    """The spec of a pod."""

    node_name: str = ""
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    restart_policy: str = "Always"
    priority_class_name: str = ""
    node_selector: dict[str, str] = field(default_factory=no_entries)
    scheduling_gates: tuple[Reference, ...] = ()
    resources: ResourceRequirements = ResourceRequirements()
    """Of the pod as a whole (KEP-2837)."""
    overhead: dict[str, str] = field(default_factory=no_entries)
    """What its RuntimeClass takes beside."""

    def main_container(self, annotations: Mapping[str, str] = _NO_ENTRIES) -> Container | None:
        """Return the container that does the work; None without containers.

        Ours by its name, the one that kubectl's annotation names, one that asks for devices, the first that
        is no sidecar of a tool.
        """
        by_name = {container.name: container for container in self.containers}
        named = by_name.get(MAIN_CONTAINER) or by_name.get(annotations.get(DEFAULT_CONTAINER, ""))
        with_devices = (container for container in self.containers if container.resources.asks_for_devices)
        workers = (container for container in self.containers if not _is_sidecar(container.name))
        return named or next(with_devices, None) or next(workers, None) or next(iter(self.containers), None)


def _is_sidecar(name: str) -> bool:
    return name in _SIDECARS or name.endswith(_SIDECAR_ENDINGS)


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
    started: bool | None = None
    """Whether its startup probe has passed; None where the kubelet does not say."""
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()


class PodStatus(KubeStruct, frozen=True):
    """The status of a pod."""

    phase: str = "Pending"
    reason: str = ""
    message: str = ""
    nominated_node_name: str = ""
    """The node where pods of lower priority are ended to make room for this one."""
    conditions: tuple[Condition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()
    ephemeral_container_statuses: tuple[ContainerStatus, ...] = ()
    """Those that `kubectl debug` adds: they neither hold a pod up nor keep it."""


class Pod(Object, frozen=True):
    """v1 Pod."""

    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return self.status.conditions

    @property
    def main_container(self) -> Container | None:
        """The container that does the work."""
        return self.spec.main_container(self.metadata.annotations)

    @property
    def main_container_status(self) -> ContainerStatus | None:
        """The status of the container that does the work."""
        statuses = self.status.container_statuses
        if len(statuses) < 2:
            return statuses[0] if statuses else None
        main = self.main_container
        return next((status for status in statuses if main and status.name == main.name), statuses[0])

    def restart_policy_of(self, container: str) -> str:
        """Return when a container is started again after its end: "Always", "OnFailure" or "Never".

        An init container that has to end is started again after a failure only, unless the pod says "Never".
        """
        specs = (*self.spec.init_containers, *self.spec.containers)
        own = next((spec.restart_policy for spec in specs if spec.name == container), "")
        if not own and self.is_init(container):
            return "Never" if self.spec.restart_policy == "Never" else "OnFailure"
        return own or self.spec.restart_policy

    def is_init(self, container: str) -> bool:
        """Return whether a container is an init container or a sidecar: it is started before the others."""
        return any(status.name == container for status in self.status.init_container_statuses)
