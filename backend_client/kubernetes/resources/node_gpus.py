"""GPUs of a cluster: the product that a node's labels name, and how many GPUs are free (pure)."""

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
"""Node labels that name the GPU, the surest first.

They are written by NVIDIA's GPU feature discovery (NVIDIA/k8s-device-plugin), GKE, CoreWeave (two), AMD's
node labeller (two, ROCm/k8s-device-plugin) and every cloud: Nebius names the GPU in the instance type only.
"""


def product_label(node: Node) -> tuple[str, str]:
    """Return the label (key, value) that names the GPU of a node; ("", "") where none does."""
    labels = node.metadata.labels
    return next(((key, labels[key]) for key in SOURCES if labels.get(key)), ("", ""))


def is_type(product: str, gpu_type: str) -> bool:
    """Check whether a product is of a GPU type, in upper or lower case: a100 is NVIDIA-A100-SXM4-80GB.

    Slices (MIG) and shared GPUs match only a type that names them: k8s-device-plugin appends `-MIG-1g.5gb` or
    `-SHARED` to the product.
    """
    have, want = (text.lower().replace("_", "-").replace(" ", "-") for text in (product, gpu_type))
    if any(suffix in have and suffix not in want for suffix in ("-mig-", "-shared")):
        return False
    return f"-{want}-" in f"-{have}-"


def gpus_of(spec: PodSpec, resource: str) -> int:
    """Count the GPUs of a pod: of its containers and sidecars together, or of its largest init container."""
    sidecars = [c for c in spec.init_containers if c.restart_policy == "Always"]
    running = sum(_requested(container, resource) for container in (*spec.containers, *sidecars))
    return max([running, *(_requested(container, resource) for container in spec.init_containers)])


def _requested(container: Container, resource: str) -> int:
    requirements = container.resources
    return parse_whole(requirements.limits.get(resource) or requirements.requests.get(resource) or "0")


class NodeGpus(Struct, frozen=True):
    """The GPUs of one node."""

    node: str
    product: str
    total: int
    free: int
    """0 on a node that takes no new pods."""


def gpus_by_node(nodes: Iterable[Node], pods: Iterable[Pod], resource: str) -> tuple[NodeGpus, ...]:
    """Count the GPUs of every node that has some, given all pods of the cluster."""
    used: Counter[str] = Counter()
    for pod in pods:
        if pod.spec.node_name and pod.status.phase not in ("Succeeded", "Failed"):
            used[pod.spec.node_name] += gpus_of(pod.spec, resource)
    return tuple(gpus for node in nodes if (gpus := _node_gpus(node, used, resource)).total)


def _node_gpus(node: Node, used: Mapping[str, int], resource: str) -> NodeGpus:
    total = parse_whole(node.status.allocatable.get(resource, "0"))
    free = max(0, total - used.get(node.name, 0)) if takes_pods(node) else 0
    return NodeGpus(node.name, product_label(node)[1], total, free)


def takes_pods(node: Node) -> bool:
    """Check whether a node takes new pods: it is ready and not cordoned."""
    ready = any(condition.type == "Ready" and condition.true for condition in node.status.conditions)
    return ready and not node.spec.unschedulable


def pools(nodes: Sequence[NodeGpus]) -> tuple[GpuPool, ...]:
    """Sum the GPUs of nodes by product: total, free and the largest free block, ordered by product."""
    products: dict[str, list[NodeGpus]] = defaultdict(list)
    for node in nodes:
        products[node.product].append(node)
    return tuple(
        GpuPool(
            product=product,
            total=sum(node.total for node in group),
            free=sum(node.free for node in group),
            largest=max(node.free for node in group),
        )
        for product, group in sorted(products.items())
    )
