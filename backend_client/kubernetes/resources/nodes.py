"""v1 Nodes: taints, allocatable resources and conditions."""

from msgspec import field

from backend_client.kubernetes.resources.core import Condition, KubeStruct, Object

_SYSTEM_TAINTS = ("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/", "node-role.kubernetes.io/")
"""Prefixes of the taints that Kubernetes itself sets, for a node's condition or role (kubernetes.io,
"Well-Known Labels, Annotations and Taints")."""
_AUTOSCALER = ("ToBeDeletedByClusterAutoscaler", "DeletionCandidateOfClusterAutoscaler")


class Taint(KubeStruct, frozen=True):
    """A taint, which a pod must tolerate to run on the node."""

    key: str = ""
    value: str = ""
    effect: str = ""

    def __str__(self) -> str:
        return f"{self.key}={self.value}:{self.effect}" if self.value else f"{self.key}:{self.effect}"

    @property
    def repels(self) -> bool:
        """Whether new pods that do not tolerate it stay away; PreferNoSchedule is a wish."""
        return self.effect in ("NoSchedule", "NoExecute")

    @property
    def is_lasting(self) -> bool:
        """Whether it says what a node is for, not that the node is sick, cordoned or about to go."""
        return not self.key.startswith(_SYSTEM_TAINTS) and self.key not in _AUTOSCALER


class NodeSpec(KubeStruct, frozen=True):
    """The spec of a node, which administrators write."""

    unschedulable: bool = False
    taints: tuple[Taint, ...] = ()


class NodeStatus(KubeStruct, frozen=True):
    """The status of a node. With DRA (KEP-4381) `allocatable` may not count GPUs rightly."""

    allocatable: dict[str, str] = field(default_factory=dict)
    capacity: dict[str, str] = field(default_factory=dict)
    conditions: tuple[Condition, ...] = ()


class DeviceClassSpec(KubeStruct, frozen=True):
    """The spec of a DeviceClass."""

    extended_resource_name: str = ""
    """The extended resource whose requests it serves (KEP-5004)."""


class DeviceClass(Object, frozen=True):
    """resource.k8s.io/v1 DeviceClass: devices that dynamic resource allocation gives out."""

    spec: DeviceClassSpec = DeviceClassSpec()


class Node(Object, frozen=True):
    """v1 Node."""

    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return self.status.conditions
