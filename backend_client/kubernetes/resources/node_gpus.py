"""GPUs of a node: their product by its labels, what they are called, what keeps new pods off it (pure)."""

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct

from backend_client.gpu_nodes import is_type
from backend_client.kubernetes.resources.core import Container, PodSpec
from backend_client.kubernetes.resources.nodes import Node, Taint
from backend_client.kubernetes.resources.quantities import parse_whole

if TYPE_CHECKING:
    from backend_client.kubernetes.resources.scheduling import AskingContainer, PlacedSpec

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


_KNOWN_PRODUCTS = """
    Tesla-P100-PCIE-16GB Tesla-T4 Tesla-V100-PCIE-16GB Tesla-V100-PCIE-32GB Tesla-V100-SXM2-16GB
    Tesla-V100-SXM2-32GB Tesla-V100-SXM3-32GB NVIDIA-A2 NVIDIA-A10 NVIDIA-A10G NVIDIA-A16 NVIDIA-A30
    NVIDIA-A40 NVIDIA-A100-PCIE-40GB NVIDIA-A100-80GB-PCIe NVIDIA-A100-SXM4-40GB NVIDIA-A100-SXM4-80GB
    NVIDIA-H100-PCIe NVIDIA-H100-NVL
    NVIDIA-H100-80GB-HBM3 NVIDIA-H200 NVIDIA-H200-NVL NVIDIA-GH200-480GB NVIDIA-GH200-144G-HBM3e NVIDIA-B200
    NVIDIA-B300 NVIDIA-GB200 NVIDIA-GB300 NVIDIA-L4 NVIDIA-L40 NVIDIA-L40S NVIDIA-RTX-A4000 NVIDIA-RTX-A5000
    NVIDIA-RTX-A6000 NVIDIA-RTX-6000-Ada-Generation NVIDIA-GeForce-RTX-2080-Ti NVIDIA-GeForce-RTX-3090
    NVIDIA-GeForce-RTX-4090 NVIDIA-GeForce-RTX-5090 nvidia-tesla-p100 nvidia-tesla-t4 nvidia-tesla-v100
    nvidia-l4 nvidia-tesla-a100 nvidia-a100-80gb nvidia-h100-80gb nvidia-h100-mega-80gb nvidia-h200-141gb
    nvidia-b200
""".split()
"""Products as GPU feature discovery (NVML's names, blanks as -) and GKE write them."""


def products_called(gpu_type: str) -> tuple[str, ...]:
    """Return the label values that a GPU type may mean where no node may be read: as typed, and known."""
    typed = gpu_type.strip().replace(" ", "-")
    return tuple(dict.fromkeys((typed, *(name for name in _KNOWN_PRODUCTS if is_type(name, gpu_type)))))


def product_label(node: Node) -> tuple[str, str]:
    """Return the label (key, value) that names the GPU of a node; ("", "") where none does."""
    labels = node.metadata.labels
    return next(((key, labels[key]) for key in SOURCES if labels.get(key)), ("", ""))


def no_node_has(requested: int, totals: Iterable[int], gpu_type: str = "") -> str:
    """Return that no node has as many GPUs as a pod requests, free or not; "" where one has.

    `totals`: the GPUs of each node that could take it.
    """
    largest = max(totals, default=0)
    kind = f" of the type {gpu_type}" if gpu_type else ""
    return f"no node has {requested} GPUs{kind}; the largest has {largest}" if largest < requested else ""


_RESOURCES = (
    "nvidia.com/gpu",
    "nvidia.com/gpu.shared",
    "amd.com/gpu",
    "gpu.intel.com/i915",
    "gpu.intel.com/xe",
)
_SLICES = "nvidia.com/mig-"
"""What device plugins call GPUs: NVIDIA/k8s-device-plugin (README, "Shared Access to GPUs"; the MIG strategy
"mixed" has a name for each profile), ROCm/k8s-device-plugin, intel/intel-device-plugins-for-kubernetes, whose
other names (i915_monitoring, millicores) count no GPUs.
"""


@lru_cache(1024)
def gpu_resources(names: frozenset[str], site_resource: str) -> tuple[str, ...]:
    """Return those of the resource names that count GPUs: the site's own first, the others by name."""
    known = {
        name for name in names if name in _RESOURCES or name.startswith(_SLICES) or name == site_resource
    }
    return tuple(sorted(known, key=lambda name: (name != site_resource, name)))


def product_of(node: Node, resource: str) -> str:
    """Return the product of a node's GPUs that are called so; slices and shared ones say that they are.

    GPU feature discovery labels slices of the strategy "mixed" by their profile, and appends -SHARED to the
    product only where the resource keeps its name.
    """
    if resource.startswith(_SLICES):
        if label := node.metadata.labels.get(f"{resource}.product"):
            return label
        return f"{product_label(node)[1]}-MIG-{resource.removeprefix(_SLICES)}".removeprefix("-")
    product = product_label(node)[1]
    if resource.endswith(".shared") and not product.endswith("-SHARED"):
        return f"{product}-SHARED".removeprefix("-")
    return product


def gpus_of(spec: "PodSpec | PlacedSpec", resource: str) -> int:
    """Count the GPUs of a pod: of its containers and sidecars together, or of its largest init container."""
    sidecars = [c for c in spec.init_containers if c.restart_policy == "Always"]
    running = sum(_requested(container, resource) for container in (*spec.containers, *sidecars))
    return max([running, *(_requested(container, resource) for container in spec.init_containers)])


def _requested(container: "Container | AskingContainer", resource: str) -> int:
    requirements = container.resources
    return parse_whole(requirements.limits.get(resource) or requirements.requests.get(resource) or "0")


class NodeGpus(Struct, frozen=True):
    """The GPUs of one node."""

    node: str
    product: str
    total: int
    free: int
    """0 on a node that takes no new pods."""
    trouble: str = ""
    """What is wrong with the node: "does not answer"; "" where nothing is."""


_UNREACHABLE = "node.kubernetes.io/unreachable"
"""Key of the taint that the node controller sets on a node that it has not heard of (Ready is Unknown)."""
_TOLD_OTHERWISE = (_UNREACHABLE, "node.kubernetes.io/unschedulable", "node.kubernetes.io/not-ready")
"""Taints that say what `trouble_of` says, or that the node is cordoned."""


def trouble_of(node: Node) -> str:
    """Return what is wrong with a node: it does not answer, or says that it is not ready."""
    ready = node.condition("Ready")
    if any(taint.key == _UNREACHABLE for taint in node.spec.taints) or (ready and ready.status == "Unknown"):
        return "does not answer"
    if ready and not ready.true:
        return f"is not ready: {ready.message or ready.reason}"
    return ""


def untolerated_taints(node: Node) -> tuple[Taint, ...]:
    """Return the taints that keep our jobs off a node, beside those of a node that is sick or cordoned.

    Jobs that ask for GPUs tolerate all lasting taints of the nodes that have them (`tolerations_of` in
    backend_client/kubernetes/manifests/scheduling.py).
    """
    return tuple(
        taint
        for taint in node.spec.taints
        if taint.repels and not taint.is_lasting and taint.key not in _TOLD_OTHERWISE
    )


def takes_pods(node: Node) -> bool:
    """Check whether a node takes new pods of ours: it is ready, not cordoned, and no taint is in the way."""
    return node.has_condition("Ready") and not node.spec.unschedulable and not untolerated_taints(node)
