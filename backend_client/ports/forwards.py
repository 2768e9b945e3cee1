"""The forwards of one program, which end with it."""

import asyncio

from msgspec import Struct

from backend_client.contexts import Contexts
from backend_client.errors import Refused, sentence
from backend_client.exec_session import HasPorts
from backend_client.models import JobRef
from backend_client.ports.forward import Forward
from backend_client.ports.found import FoundPort
from backend_client.protocol import Feature, JobBackend


class Running(Struct, frozen=True):
    """A forward that listens, and what is known of the port in the job."""

    forward: Forward
    port: FoundPort


class Forwards:
    """Each has a backend of its context beside the screens': it goes on when these go to another context."""

    def __init__(self, contexts: Contexts) -> None:
        self._contexts = contexts
        self._backends: dict[str, JobBackend] = {}
        self.running: list[Running] = []

    async def start(self, ref: JobRef, context: str, port: FoundPort) -> Running:
        """Start to forward a port of a job, at the same number here where that is free; return it.

        One that runs already is returned as it is. Raises a BackendError.
        """
        for one in self.running:
            if (one.forward.ref, one.forward.port) == (ref, port.number):
                return one
        forward = Forward(self._backend(context), ref, port.number)
        await forward.listen(port.number)
        made = Running(forward, port)
        self.running.append(made)
        return made

    def _backend(self, context: str) -> HasPorts:
        backend = self._backends.get(context) or self._contexts.open(context)
        self._backends[context] = backend
        if Feature.PORTS not in backend.features or not isinstance(backend, HasPorts):
            why = backend.missing_features.get(Feature.PORTS, "this context passes no connections on")
            raise Refused("The ports of its jobs cannot be reached.", sentence(why))
        return backend

    async def end(self, one: Running) -> None:
        """End a forward with its connections."""
        self.running.remove(one)
        await one.forward.aclose()

    async def aclose(self) -> None:
        """End all of them."""
        running, self.running = self.running, []
        await asyncio.gather(*(one.forward.aclose() for one in running))
        backends, self._backends = self._backends, {}
        await asyncio.gather(*(backend.aclose() for backend in backends.values()))
