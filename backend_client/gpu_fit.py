"""Whether a job would find its GPUs free now, and what it waits for else (pure)."""

from collections.abc import Sequence

from backend_client.gpu_nodes import GpuNode, GpuNodes, is_type
from backend_client.models import JobSpec


def start_words(found: GpuNodes, spec: JobSpec) -> str:
    """Return whether a job with GPUs starts now, as far as free GPUs go; "" for one that asks for none.

    "starts now: 8 free on gpu-3", "waits: largest free block is 5 x H100 on gpu-12".
    """
    if not spec.gpus:
        return ""
    if found.unknown_because:
        return f"when it starts is not known ({found.unknown_because})"
    nodes = [node for node in found.nodes if _could_take(node, spec)]
    kind = f"{spec.gpu_type} " if spec.gpu_type else ""
    if not nodes and spec.gpu_type:  # a site may have names of its own for types, which only it can resolve
        return f"when it starts is not known (no machine says that it has a {spec.gpu_type})"
    if not nodes:
        return "waits: no machine here has GPUs"
    pods = max(spec.nodes, spec.replicas)
    if sum(node.total // spec.gpus for node in nodes) < pods:
        return _too_few(nodes, spec.gpus, pods)
    places = sum(node.free // spec.gpus for node in nodes)
    largest = max(nodes, key=lambda node: node.free)
    if places >= pods:
        return _starts(nodes, spec, largest)
    fits = f"{places} of {pods} fit; " if places else ""
    if not largest.free:
        return f"waits: no {kind}GPU is free"
    block = f"largest free block is {_block(largest)}"
    return f"waits: {fits}{block}"


def _could_take(node: GpuNode, spec: JobSpec) -> bool:
    """Check whether a machine has GPUs that a job asks for, free or not, and may ever take it."""
    return (
        node.usable
        and (not spec.cluster or not node.cluster or node.cluster == spec.cluster)
        and (not spec.gpu_type or is_type(node.product, spec.gpu_type))
    )


def _too_few(nodes: Sequence[GpuNode], gpus: int, pods: int) -> str:
    largest = max(nodes, key=lambda node: node.total)
    if largest.total < gpus:
        return f"waits: no machine has {gpus}; the largest has {largest.total}"
    room = sum(node.total // gpus for node in nodes)
    return f"waits: {pods} x {gpus} is more than there is; {room} would fit, were all free"


def _starts(nodes: Sequence[GpuNode], spec: JobSpec, largest: GpuNode) -> str:
    if spec.queue:
        return f"GPUs are free; the queue {spec.queue} decides when it starts"
    if max(spec.nodes, spec.replicas) == 1:
        return f"starts now: {_block(largest, ' free')}"
    return f"starts now: {sum(node.free for node in nodes)} free"


def _block(node: GpuNode, free: str = "") -> str:
    product = node.product.removeprefix("NVIDIA-")
    return f"{node.free}{f' x {product}' if product else ''}{free} on {node.name}"
