"""The channels of an exec: what a command in a container prints, and how it ended.

A message begins with the number of its channel. Documented by the code alone: docs/FACTS.md, "Exec".
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from enum import IntEnum

from backend_client.kubernetes.api.transport import Response, Transport
from backend_client.kubernetes.api.websocket import WebSocket, open_websocket
from backend_client.kubernetes.exec.container import Container
from backend_client.kubernetes.exec.refusals import refusal

SUBPROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
"""Both say how a command ended as a Status; older ones in prose."""


class Channel(IntEnum):
    """What a message of an exec is about, of those that are read."""

    STDOUT = 1
    STDERR = 2
    STATUS = 3


class Channels:
    """The open channels of an exec."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    async def receive(self) -> tuple[int, bytes] | None:
        """Return the next piece and its channel, of `Channel` or another; None after a proper end.

        Safe to cancel. Raises Unreachable where the connection was lost.
        """
        while (message := await self._websocket.receive()) is not None:
            if len(message) > 1:  # each channel begins with an empty piece
                return message[0], message[1:]
        return None


@asynccontextmanager
async def open_exec(
    transport: Transport, container: Container, argv: Sequence[str]
) -> AsyncIterator[Channels]:
    """Start a command, which goes on when its channels are closed. Raises a BackendError."""
    query = [
        *(("command", word) for word in argv),
        ("container", container.name),
        ("stdout", "true"),
        ("stderr", "true"),
    ]
    opened = await open_websocket(transport, container.exec_path, query, SUBPROTOCOLS)
    if isinstance(opened, Response):
        raise await refusal(transport, container, opened)
    try:
        yield Channels(opened)
    finally:
        opened.close()
