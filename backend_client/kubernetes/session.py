"""A context that is opened when it is first used: kubeconfig, transport, and which namespaces are meant."""

import asyncio
from collections.abc import Sequence

from backend_client.kubernetes.access import is_allowed, resource_rule
from backend_client.kubernetes.api import kubeconfig
from backend_client.kubernetes.api.kubeconfig import Target
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.resources.resource_types import PODS


class ClusterSession:
    """One context, of the kubeconfig or given. Reads nothing and contacts nobody before it is asked."""

    def __init__(self, name: str, target: Target | None = None) -> None:
        """`target`: where it leads, if no kubeconfig knows it."""
        self.name = name
        self._target = target
        self._transport: Transport | None = None
        self._lock = asyncio.Lock()

    async def transport(self) -> Transport:
        """The same one each time. Raises NotFound or Refused where the kubeconfig does not hold it."""
        async with self._lock:
            if self._transport is None:
                self._transport = Transport(self._target or await self._load_target())
            return self._transport

    async def _load_target(self) -> Target:
        """In a thread: a home folder may be on a network."""
        return await asyncio.to_thread(kubeconfig.load, self.name)

    async def namespaces(self, requested: Sequence[str]) -> list[str]:
        """Where to look; [""] is the whole cluster. "" among the wanted is all that the caller may read:
        everything where that is allowed, else the namespaces that contexts of this cluster name.

        Raises a BackendError.
        """
        if requested and "" not in requested:
            return list(dict.fromkeys(requested))
        transport = await self.transport()
        if await is_allowed(transport, resource_rule("list", PODS)):
            return [""]
        siblings = await asyncio.to_thread(self._sibling_namespaces)
        candidates = list(dict.fromkeys([transport.target.namespace, *siblings]))
        reviews = (is_allowed(transport, resource_rule("list", PODS, namespace)) for namespace in candidates)
        readable = await asyncio.gather(*reviews)
        allowed = [place for place, yes in zip(candidates, readable, strict=True) if yes]
        return allowed or [transport.target.namespace]

    def _sibling_namespaces(self) -> list[str]:
        if self._target:
            return []
        contexts = kubeconfig.list_contexts()
        cluster = next((found.cluster for found in contexts if found.name == self.name), "")
        return [found.namespace or "default" for found in contexts if found.cluster == cluster]

    async def aclose(self) -> None:
        """Close the connections that wait."""
        if self._transport:
            await self._transport.aclose()
