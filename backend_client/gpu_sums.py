"""GPUs of machines, summed by product (pure)."""

from collections.abc import Iterable

from backend_client.gpu_nodes import GpuNode
from backend_client.protocol import GpuPool


def pools_of(nodes: Iterable[GpuNode]) -> tuple[GpuPool, ...]:
    """Sum the GPUs of machines by product: those that jobs here can get first, then by name."""
    groups: dict[tuple[bool, str], list[GpuNode]] = {}
    for node in nodes:
        groups.setdefault((not node.usable, node.product), []).append(node)
    return tuple(
        GpuPool(
            product=product,
            total=sum(node.total for node in group),
            free=sum(node.free for node in group),
            largest=max(node.free for node in group),
            usable=not other,
        )
        for (other, product), group in sorted(groups.items(), key=lambda item: item[0])
        if any(node.total for node in group)
    )
