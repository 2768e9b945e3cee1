"""The GPU capacity of a cluster, counted at most every 10 s: a count lists all nodes and all pods."""

import time

from backend_client.errors import Forbidden, fragment
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.resources.node_gpus import NodeGpus, gpus_by_node, pools
from backend_client.kubernetes.resources.resource_types import NODES, PODS
from backend_client.kubernetes.watch.listing import list_all
from backend_client.protocol import Capacity

REFRESH_SECONDS = 10.0
FRESH_SECONDS = 30.0
"""How long a count may explain why a job waits."""


class CapacityCache:
    """The last GPU count of one cluster."""

    def __init__(self) -> None:
        self._counted_at = float("-inf")
        self._node_gpus: tuple[NodeGpus, ...] | None = None
        self._capacity = Capacity()

    def node_gpus(self) -> tuple[NodeGpus, ...] | None:
        """Return the GPUs of every node; None where no recent count is there, or nodes may not be listed."""
        return self._node_gpus if time.monotonic() - self._counted_at < FRESH_SECONDS else None

    async def capacity(self, transport: Transport, resource: str) -> Capacity:
        """Return GPUs free and in all; unknown where the cluster's nodes or pods may not be listed."""
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
            return Capacity(unknown_because=fragment(error.title))
        self._node_gpus = gpus_by_node(nodes, pods, resource)
        return Capacity(pools(self._node_gpus))
