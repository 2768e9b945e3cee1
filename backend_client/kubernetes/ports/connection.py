"""One connection to a port in a pod: a WebSocket of its own, as the node connects to the port at its opening.

Channel 0 carries the bytes, channel 1 in words why there are none; the first message of each is the number of
the port. That one side alone has ended cannot be said (docs/FACTS.md, "Ports").
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from backend_client.errors import BackendError, Refused, Unreachable, sentence
from backend_client.kubernetes.api.transport import Response, Transport
from backend_client.kubernetes.api.websocket import open_websocket
from backend_client.kubernetes.ports.refusals import refusal
from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.resources.resource_types import PODS
from backend_client.websocket import WebSocket

SUBPROTOCOLS = ("v4.channel.k8s.io",)
"""The one that every API server takes for ports over a WebSocket."""
_DATA, _TROUBLE = 0, 1
_LARGEST = 32 * 1024
"""A message beyond some MiB is dropped without a word."""
_NOBODY_LISTENS = re.compile(r"connection refused|failed to connect to localhost")


class PodPortConnection:
    """An open connection to a port in a pod (`exec_session.PortConnection`)."""

    def __init__(self, websocket: WebSocket, pod: Pod, port: int) -> None:
        self._websocket = websocket
        self._pod, self._port = pod.name, port
        self._begun: set[int] = set()
        """Channels whose first message has come."""

    async def receive(self) -> bytes:
        while (message := await self._websocket.receive()) is not None:
            if not message:
                continue
            channel, data = message[0], message[1:]
            if channel not in self._begun:
                self._begun.add(channel)
            elif channel == _TROUBLE and data:
                raise self._trouble(data)
            elif channel == _DATA and data:
                return data
        return b""

    async def send(self, data: bytes) -> None:
        for begin in range(0, len(data), _LARGEST):
            await self._websocket.send(bytes([_DATA]) + data[begin : begin + _LARGEST])

    def _trouble(self, data: bytes) -> BackendError:
        said = " ".join(data[:2000].decode(errors="replace").split())
        if _NOBODY_LISTENS.search(said):
            return Refused(f"Nothing listens on port {self._port} of pod {self._pod}.")
        why = said.rpartition(": ")[2][:200]  # before it stand the names of the node's own parts
        return Unreachable(sentence(f"The connection to port {self._port} of pod {self._pod} broke: {why}"))


@asynccontextmanager
async def open_connection(transport: Transport, pod: Pod, port: int) -> AsyncIterator[PodPortConnection]:
    """Connect to a port in a pod. Raises Conflict where the pod is gone; else a BackendError."""
    path = PODS.path(pod.metadata.namespace, pod.name, "portforward")
    opened = await open_websocket(transport, path, [("ports", str(port))], SUBPROTOCOLS)
    if isinstance(opened, Response):
        raise await refusal(transport, pod, path, opened)
    try:
        yield PodPortConnection(opened, pod, port)
    finally:
        opened.close()
