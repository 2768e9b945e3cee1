"""v1 Nodes with their taints, and RuntimeClasses."""

from msgspec import field

from backend_client.kubernetes.resources.core import Condition, KubeStruct, Object


class Taint(KubeStruct, frozen=True):
    """What a pod must tolerate to run on a node."""

    key: str = ""
    value: str = ""
    effect: str = ""


class NodeSpec(KubeStruct, frozen=True):
    """What an administrator said about a node."""

    unschedulable: bool = False
    taints: tuple[Taint, ...] = ()


class NodeStatus(KubeStruct, frozen=True):
    """What a node offers. With DRA its allocatable may not tell the truth about GPUs."""

    allocatable: dict[str, str] = field(default_factory=dict)
    conditions: tuple[Condition, ...] = ()


class Node(Object, frozen=True):
    """v1 Node."""

    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()
