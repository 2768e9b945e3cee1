"""What must be read of a cluster before manifests can be written; what is forbidden stays unknown."""

import asyncio
from typing import TypeVar

from backend_client.errors import Forbidden, NotFound
from backend_client.kubernetes import kinds
from backend_client.kubernetes.kinds import Kind
from backend_client.kubernetes.objects import Object
from backend_client.kubernetes.placement import Seen
from backend_client.kubernetes.surroundings import Node, ResourceQuota
from backend_client.kubernetes.transport import Transport
from backend_client.models import JobSpec

T = TypeVar("T", bound=Object)

_ENFORCED = "pod-security.kubernetes.io/enforce"
_PAGE = "500"


async def look(transport: Transport, namespace: str, spec: JobSpec) -> Seen:
    """Nodes and runtime classes are asked for only where a job wants GPUs. Raises as `Transport.request`."""
    if not spec.gpus:
        return Seen(namespace=namespace, pod_security=await _pod_security(transport, namespace))
    level, nodes, classes = await asyncio.gather(
        _pod_security(transport, namespace),
        listed(transport, kinds.NODES),
        listed(transport, kinds.RUNTIME_CLASSES),
    )
    known: tuple[Node, ...] | None = nodes
    runtimes = frozenset(found.name for found in classes or ())
    return Seen(namespace=namespace, pod_security=level, nodes=known, runtime_classes=runtimes)


async def quotas(transport: Transport, namespace: str) -> tuple[ResourceQuota, ...]:
    """The namespace's quotas; none where they may not be read."""
    return await listed(transport, kinds.QUOTAS, namespace) or ()


async def listed(
    transport: Transport, kind: Kind[T], namespace: str = "", *, labels: str = ""
) -> tuple[T, ...] | None:
    """All objects of a kind that a label selector picks; None where the caller may not list them."""
    found: list[T] = []
    query = {"limit": _PAGE, **({"labelSelector": labels} if labels else {})}
    while True:
        try:
            answer = await transport.request("GET", kind.path(namespace), query=query)
        except (Forbidden, NotFound):
            return None
        page = kind.page(answer.body)
        found += page.items
        if not page.metadata.more:
            return tuple(found)
        query["continue"] = page.metadata.more


async def _pod_security(transport: Transport, namespace: str) -> str:
    try:
        answer = await transport.request("GET", kinds.NAMESPACES.path(name=namespace))
    except (Forbidden, NotFound):
        return ""
    return kinds.NAMESPACES.one(answer.body).metadata.labels.get(_ENFORCED, "")
