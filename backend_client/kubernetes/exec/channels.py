"""The channels of an exec: what goes to a command in a container, what it prints, and how it ended.

A message begins with the number of its channel. Documented by the code alone: docs/FACTS.md, "Exec".
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from enum import IntEnum

from backend_client.errors import Refused
from backend_client.exec_session import ExecChannel, ExecEnding
from backend_client.kubernetes.api.transport import Response, Transport
from backend_client.kubernetes.api.websocket import open_websocket
from backend_client.kubernetes.exec.container import Container
from backend_client.kubernetes.exec.ending import UNTOLD, ending_of
from backend_client.kubernetes.exec.refusals import refusal
from backend_client.websocket import WebSocket

_V5 = "v5.channel.k8s.io"
SUBPROTOCOLS = (_V5, "v4.channel.k8s.io")
"""Both say how a command ended as a Status; older ones in prose. Only the first can end an input."""
PIECE = 32 * 1024
"""Bytes of a message of input: of one that is too large nobody is told."""


class Channel(IntEnum):
    """What a message of an exec is about."""

    STDIN = 0
    STDOUT = 1
    STDERR = 2
    STATUS = 3
    RESIZE = 4
    CLOSE = 255


_OUTPUT: dict[int, ExecChannel] = {Channel.STDOUT: ExecChannel.STDOUT, Channel.STDERR: ExecChannel.STDERR}


class Channels:
    """The open channels of a command, for one reader and one writer."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._status = b""
        self.ended = False
        """It was told how the command ended, so that nothing of it goes on."""

    async def receive(self) -> tuple[ExecChannel, bytes] | None:
        """Return the next piece of output; None after a proper end. Safe to cancel.

        Raises Unreachable where the connection was lost.
        """
        while (message := await self._websocket.receive()) is not None:
            if len(message) < 2:  # each channel begins with an empty piece
                continue
            if channel := _OUTPUT.get(message[0]):
                return channel, message[1:]
            if message[0] == Channel.STATUS:
                self._status += message[1:]
                self.ended = True
        return None

    async def send(self, channel: Channel, data: bytes) -> None:
        """Send a piece; waits while the other side takes none."""
        for start in range(0, len(data), PIECE):
            await self._websocket.send(bytes([channel]) + data[start : start + PIECE])

    @property
    def ending(self) -> ExecEnding:
        """How the command ended, as far as that was told."""
        return ending_of(self._status) if self._status else UNTOLD


@asynccontextmanager
async def open_channels(
    transport: Transport,
    container: Container,
    argv: Sequence[str],
    *,
    stdin: bool = False,
    tty: bool = False,
) -> AsyncIterator[Channels]:
    """Start a command, which goes on when its channels are closed. Raises a BackendError."""
    query = [
        *(("command", word) for word in argv),
        ("container", container.name),
        ("stdin", str(stdin).lower()),
        ("stdout", "true"),
        ("stderr", str(not tty).lower()),  # a terminal has one output
        ("tty", str(tty).lower()),
    ]
    opened = await open_websocket(transport, container.exec_path, query, SUBPROTOCOLS)
    if isinstance(opened, Response):
        raise await refusal(transport, container, opened)
    try:
        if stdin and not tty and opened.subprotocol != _V5:
            raise Refused(
                "The cluster cannot end the input of a command, so that none is sent.",
                "Kubernetes can from version 1.30 on; a terminal (-it) works before.",
            )
        yield Channels(opened)
    finally:
        opened.close()
