"""The GPUs of a cluster, counted at most every 10 s: it takes a list of all nodes and of all pods."""

import time

from backend_client.errors import Forbidden
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.manifests.gpus import NodeGpus, gpus_by_node, pools
from backend_client.kubernetes.resources.resource_types import NODES, PODS
from backend_client.kubernetes.watch.listing import list_all
from backend_client.protocol import Capacity

REFRESH_SECONDS = 10.0
FRESH_SECONDS = 30.0
"""How long a count may be told as the reason why a job waits."""


class CapacityCache:
    """The last count of one cluster."""

    def __init__(self) -> None:
        self._counted_at = float("-inf")
        self._node_gpus: tuple[NodeGpus, ...] | None = None
        self._capacity = Capacity()

    def node_gpus(self) -> tuple[NodeGpus, ...] | None:
        """The GPUs of every node; None where nobody has counted lately, or may."""
        return self._node_gpus if time.monotonic() - self._counted_at < FRESH_SECONDS else None

    async def capacity(self, transport: Transport, resource: str) -> Capacity:
        """GPUs free and in all; hidden where nodes or pods of the cluster may not be listed."""
        if time.monotonic() - self._counted_at > REFRESH_SECONDS:
            self._capacity = await self._count(transport, resource)
            self._counted_at = time.monotonic()
        return self._capacity

    async def _count(self, transport: Transport, resource: str) -> Capacity:
        try:
            nodes = await list_all(transport, NODES)
            pods = await list_all(transport, PODS)
        except Forbidden as error:
            self._node_gpus = None
            return Capacity(unknown_because=error.title)
        self._node_gpus = gpus_by_node(nodes, pods, resource)
        return Capacity(pools(self._node_gpus))
