"""v1 Nodes: taints, allocatable resources and conditions."""

from msgspec import field

from backend_client.kubernetes.resources.core import Condition, KubeStruct, Object


class Taint(KubeStruct, frozen=True):
    """A taint, which a pod must tolerate to run on the node."""

    key: str = ""
    value: str = ""
    effect: str = ""


class NodeSpec(KubeStruct, frozen=True):
    """The spec of a node, which administrators write."""

    unschedulable: bool = False
    taints: tuple[Taint, ...] = ()


class NodeStatus(KubeStruct, frozen=True):
    """The status of a node. With DRA (KEP-4381) `allocatable` may not count GPUs rightly."""

    allocatable: dict[str, str] = field(default_factory=dict)
    conditions: tuple[Condition, ...] = ()


class Node(Object, frozen=True):
    """v1 Node."""

    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()
