"""GPUs of nodes, counted anew from all nodes and all pods: what the ledger must come to."""

from collections import Counter
from collections.abc import Iterable

from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.resources.gpu_pods import DevicePod
from backend_client.kubernetes.resources.node_gpus import (
    NodeGpus,
    gpus_of,
    product_label,
    takes_pods,
    trouble_of,
)
from backend_client.kubernetes.resources.nodes import Node
from backend_client.kubernetes.resources.quantities import parse_whole


def gpus_by_node(
    nodes: Iterable[Node], pods: Iterable[Pod | DevicePod], resource: str
) -> tuple[NodeGpus, ...]:
    """Count the GPUs of every node, also of those that have none, given all pods of the cluster."""
    used: Counter[str] = Counter()
    for pod in pods:
        if pod.spec.node_name and pod.status.phase not in ("Succeeded", "Failed"):
            used[pod.spec.node_name] += gpus_of(pod.spec, resource)
    return tuple(
        NodeGpus(
            node.name,
            product_label(node)[1],
            total := parse_whole(node.status.allocatable.get(resource, "0")),
            max(0, total - used[node.name]) if takes_pods(node) else 0,
            trouble_of(node),
        )
        for node in nodes
    )
