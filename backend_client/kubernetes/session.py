"""A session with one cluster, opened at first use: kubeconfig entry, transport, readable namespaces."""

import asyncio
from collections.abc import Sequence

from backend_client.kubernetes.access import is_allowed, resource_rule
from backend_client.kubernetes.api import kubeconfig
from backend_client.kubernetes.api.kubeconfig import Target
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.resources.resource_types import PODS


class ClusterSession:
    """One context, of the kubeconfig or of a `Target`; reads no file and contacts nothing before its use."""

    def __init__(self, name: str, target: Target | None = None) -> None:
        """Keep a context's name, and its `target` where no kubeconfig names it."""
        self.name = name
        self._target = target
        self._transport: Transport | None = None
        self._lock = asyncio.Lock()

    async def transport(self) -> Transport:
        """Return the transport, the same each time. Raises NotFound or Refused for a bad kubeconfig."""
        async with self._lock:
            if self._transport is None:
                self._transport = Transport(self._target or await self._load_target())
            return self._transport

    async def _load_target(self) -> Target:
        """Load the context from the kubeconfig, in a thread: a home folder may be on a network."""
        return await asyncio.to_thread(kubeconfig.load, self.name)

    async def namespaces(self, requested: Sequence[str]) -> list[str]:
        """Return the namespaces to list; [""] is the whole cluster. Raises a BackendError.

        "" among `requested` stands for all that the caller may read: the whole cluster where that is
        allowed, else the namespaces that the kubeconfig's contexts of this cluster name.
        """
        if requested and "" not in requested:
            return list(dict.fromkeys(requested))
        transport = await self.transport()
        if await is_allowed(transport, resource_rule("list", PODS)):
            return [""]
        siblings = await asyncio.to_thread(self._sibling_namespaces)
        candidates = list(dict.fromkeys([transport.target.namespace, *siblings]))
        reviews = (is_allowed(transport, resource_rule("list", PODS, namespace)) for namespace in candidates)
        answers = await asyncio.gather(*reviews)
        allowed = [namespace for namespace, readable in zip(candidates, answers, strict=True) if readable]
        return allowed or [transport.target.namespace]

    def _sibling_namespaces(self) -> list[str]:
        """Return the namespaces of all contexts of the same cluster."""
        if self._target:
            return []
        contexts = kubeconfig.list_contexts()
        cluster = next((context.cluster for context in contexts if context.name == self.name), "")
        return [context.namespace or "default" for context in contexts if context.cluster == cluster]

    async def aclose(self) -> None:
        """Close the idle connections."""
        if self._transport:
            await self._transport.aclose()
