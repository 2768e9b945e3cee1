"""The GPUs of a cluster as its watch knows them: started when first asked for, kept while somebody asks.

The ledger and its watch are loaded then too: the list of jobs stands before, and a verb that lists asks not.
"""

import asyncio
from typing import TYPE_CHECKING

from backend_client.gpu_nodes import GpuNodes
from backend_client.kubernetes.resources.node_gpus import NodeGpus
from backend_client.kubernetes.session import ClusterSession
from backend_client.kubernetes.watch.lists import list_if_allowed
from backend_client.protocol import Capacity

if TYPE_CHECKING:
    from backend_client.kubernetes.status.machines import MachineLedger
    from backend_client.kubernetes.watch.gpu_watch import GpuWatch

IDLE_SECONDS = 600.0
"""So long after the last question the watch goes on."""


_DRA = "{} is served by the device class {} too, whose devices nodes do not count as allocatable"


class CapacityCache:
    """The GPUs of one cluster, watched once for whoever asks."""

    def __init__(self, session: ClusterSession, resource: str, namespace: str) -> None:
        """Ask nothing yet. `resource`: what GPUs are called; `namespace`: where one's own jobs are."""
        self._session, self._resource, self._namespace = session, resource, namespace
        self._watch: GpuWatch | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._unsure: str | None = None
        """None before the cluster was asked."""

    def node_gpus(self) -> tuple[NodeGpus, ...] | None:
        """Return every node with its GPUs; None where they are not known, or are so no more."""
        return self._watch.ledger.table() if self._watch and self._watch.is_fresh else None

    def machines(self) -> "MachineLedger | None":
        """Return what all nodes have left; None where that is not known, or is so no more."""
        return self._watch.machines if self._watch and self._watch.is_fresh else None

    def refresh(self) -> None:
        """Ask the cluster anew at once."""
        if self._watch and self._watch.is_fresh:
            self._watch.refresh()
        else:
            self._stop()

    async def capacity(self) -> Capacity:
        """Return GPUs free and in all, by product; unknown where nodes or pods may not be listed.

        Raises a BackendError where the cluster does not answer.
        """
        from backend_client.gpu_sums import pools_of  # noqa: PLC0415  as `_running`

        was_there = self._watch is not None
        watch = await self._running()
        if why := await watch.why_unknown():
            return Capacity(unknown_because=why)
        if was_there:  # who asks again is a screen, which may show the machines next
            watch.start_owners()
        return Capacity(pools_of(watch.ledger.nodes()))

    async def nodes(self) -> GpuNodes:
        """Return the machines with GPUs and who holds them; unknown as in `capacity`."""
        watch = await self._running()
        if why := await watch.why_unknown():
            return GpuNodes(unknown_because=why)
        watch.start_owners()
        await watch.wait_for_owners()
        return GpuNodes(watch.ledger.nodes(), unsure_because=await self._why_unsure())

    async def _why_unsure(self) -> str:
        """Return that dynamic resource allocation gives out these GPUs too; asked once for each watch."""
        if self._unsure is None:
            from backend_client.kubernetes.watch.gpu_watch import DEVICE_CLASSES  # noqa: PLC0415  as `_running`

            classes = await list_if_allowed(await self._session.transport(), DEVICE_CLASSES)
            serving = next((c.name for c in classes if c.spec.extended_resource_name == self._resource), "")
            self._unsure = _DRA.format(self._resource, serving) if serving else ""
        return self._unsure

    async def aclose(self) -> None:
        """End the watch."""
        await asyncio.gather(*self._stop(), return_exceptions=True)

    async def _running(self) -> "GpuWatch":
        transport = await self._session.transport()
        if self._watch is None:
            from backend_client.kubernetes.resources.gpu_ledger import (  # noqa: PLC0415  a list needs none
                GpuLedger,
            )
            from backend_client.kubernetes.status.machines import MachineLedger  # noqa: PLC0415  as above
            from backend_client.kubernetes.watch.gpu_watch import GpuWatch  # noqa: PLC0415  as above

            self._unsure = None
            ledger = GpuLedger(self._resource, self._namespace)
            self._watch = GpuWatch(transport, ledger, MachineLedger())
            self._watch.start()
        if self._idle:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._stop)
        return self._watch

    def _stop(self) -> list[asyncio.Task[None]]:
        if self._idle:
            self._idle.cancel()
        watch, self._watch, self._idle = self._watch, None, None
        return watch.cancel() if watch else []
