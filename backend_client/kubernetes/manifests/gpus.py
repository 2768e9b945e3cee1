"""Which GPUs a cluster has: products out of node labels, and what is free (pure)."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from backend_client.kubernetes.resources.core import Container, Pod, PodSpec
from backend_client.kubernetes.resources.nodes import Node
from backend_client.kubernetes.resources.quantities import parse_whole
from backend_client.protocol import GpuPool

SOURCES = (
    "nvidia.com/gpu.product",
    "cloud.google.com/gke-accelerator",
    "gpu.nvidia.com/class",
    "gpu.nvidia.com/model",
    "amd.com/gpu.product-name",
    "beta.amd.com/gpu.product-name",
    "node.kubernetes.io/instance-type",
)
"""Node labels that name the GPU, the surest first: NVIDIA and AMD node labellers, GKE, CoreWeave, Nebius."""


def product_label(node: Node) -> tuple[str, str]:
    """The label (key, value) that names the node's GPU; ("", "") where none does."""
    labels = node.metadata.labels
    return next(((key, labels[key]) for key in SOURCES if labels.get(key)), ("", ""))


def is_type(product: str, wanted: str) -> bool:
    """True where a product is of the wanted type, in any case: a100 is NVIDIA-A100-SXM4-80GB.

    Slices (MIG) and shared GPUs are meant only where they are named.
    """
    have, want = (text.lower().replace("_", "-").replace(" ", "-") for text in (product, wanted))
    if any(part in have and part not in want for part in ("-mig-", "-shared")):
        return False
    return f"-{want}-" in f"-{have}-"


def gpus_of(spec: PodSpec, resource: str) -> int:
    """GPUs that a pod takes: its containers and sidecars together, or its largest init container."""
    sidecars = [c for c in spec.init_containers if c.restart_policy == "Always"]
    running = sum(_asked(container, resource) for container in (*spec.containers, *sidecars))
    return max([running, *(_asked(container, resource) for container in spec.init_containers)])


def _asked(container: Container, resource: str) -> int:
    asked = container.resources
    return parse_whole(asked.limits.get(resource) or asked.requests.get(resource) or "0")


class NodeGpus(Struct, frozen=True):
    """The GPUs of one node."""

    node: str
    product: str
    total: int
    free: int
    """0 on a node that takes no new pods."""


def gpus_by_node(nodes: Iterable[Node], pods: Iterable[Pod], resource: str) -> tuple[NodeGpus, ...]:
    """The GPUs of every node that has some, given all pods of the cluster."""
    used: Counter[str] = Counter()
    for pod in pods:
        if pod.spec.node_name and pod.status.phase not in ("Succeeded", "Failed"):
            used[pod.spec.node_name] += gpus_of(pod.spec, resource)
    return tuple(block for node in nodes if (block := _block(node, used, resource)).total)


def _block(node: Node, used: Mapping[str, int], resource: str) -> NodeGpus:
    total = parse_whole(node.status.allocatable.get(resource, "0"))
    free = max(0, total - used.get(node.name, 0)) if takes_pods(node) else 0
    return NodeGpus(node.name, product_label(node)[1], total, free)


def takes_pods(node: Node) -> bool:
    """False where it is cordoned or not ready."""
    ready = any(condition.type == "Ready" and condition.true for condition in node.status.conditions)
    return ready and not node.spec.unschedulable


def pools(found: Sequence[NodeGpus]) -> tuple[GpuPool, ...]:
    """Per product: total, free and the largest free block, in the order of their names."""
    products: dict[str, list[NodeGpus]] = defaultdict(list)
    for block in found:
        products[block.product].append(block)
    return tuple(
        GpuPool(
            product=product,
            total=sum(block.total for block in group),
            free=sum(block.free for block in group),
            largest=max(block.free for block in group),
        )
        for product, group in sorted(products.items())
    )
