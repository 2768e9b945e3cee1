"""Cluster facts: what manifests depend on, read from the cluster; what is forbidden stays unknown."""

import asyncio

from backend_client.errors import Forbidden, NotFound
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.manifests.scheduling import ClusterFacts
from backend_client.kubernetes.resources import resource_types
from backend_client.kubernetes.resources.nodes import Node
from backend_client.kubernetes.resources.quota import ResourceQuota
from backend_client.kubernetes.watch.lists import list_all, list_if_allowed
from backend_client.models import JobSpec

_ENFORCED = "pod-security.kubernetes.io/enforce"


async def read_cluster_facts(transport: Transport, namespace: str, spec: JobSpec) -> ClusterFacts:
    """Read what the manifests of a job depend on: PodSecurity level, nodes; for GPUs also runtime classes.

    Raises as `Transport.request` does.
    """
    if not spec.gpus:
        level, nodes = await asyncio.gather(_pod_security(transport, namespace), _nodes(transport))
        return ClusterFacts(namespace=namespace, pod_security=level, nodes=nodes)
    level, nodes, classes = await asyncio.gather(
        _pod_security(transport, namespace),
        _nodes(transport),
        list_if_allowed(transport, resource_types.RUNTIME_CLASSES),
    )
    names = frozenset(runtime_class.name for runtime_class in classes)
    return ClusterFacts(namespace=namespace, pod_security=level, nodes=nodes, runtime_classes=names)


async def read_quotas(transport: Transport, namespace: str) -> tuple[ResourceQuota, ...]:
    """Read the ResourceQuotas of a namespace; none where the caller may not."""
    return await list_if_allowed(transport, resource_types.QUOTAS, namespace)


async def _nodes(transport: Transport) -> tuple[Node, ...] | None:
    try:
        return await list_all(transport, resource_types.NODES)
    except Forbidden:
        return None


async def _pod_security(transport: Transport, namespace: str) -> str:
    try:
        answer = await transport.request("GET", resource_types.NAMESPACES.path(name=namespace))
    except (Forbidden, NotFound):
        return ""
    return resource_types.NAMESPACES.decode_object(answer.body).metadata.labels.get(_ENFORCED, "")
