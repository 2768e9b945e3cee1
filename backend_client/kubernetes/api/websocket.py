"""A WebSocket to an API server: opened as any request is, with its login, proxy and TLS.

The frames are those of `websockets`, its grammar alone: it opens no connection of its own. Pings are answered
by the kubelet, so one of them tests the whole way to the node (docs/FACTS.md, "Exec").
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence

from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State
from websockets.utils import accept_key, generate_key

from backend_client.errors import Unreachable, sentence
from backend_client.kubernetes.api.connection import Broken, Connection, describe_error
from backend_client.kubernetes.api.transport import Response, Transport
from backend_client.slow_steps import slow_step

PING_SECONDS = 5.0
"""kubectl's number."""
MOST_PINGS = 6
"""So many without a pong, or any other word, and the other side is taken for dead: after 30 s."""
LITTLE = 4096
"""Bytes that a terminal takes from a person while its program reads nothing. Behind more of them a ping may
stand in the queue, so that silence tells nothing of the other side."""
_READ = 256 * 1024
_DATA = (Opcode.BINARY, Opcode.TEXT, Opcode.CONT)


async def open_websocket(
    transport: Transport, path: str, query: Sequence[tuple[str, str]], subprotocols: Sequence[str]
) -> "WebSocket | Response":
    """Open a WebSocket, which is the caller's to close; return the response that refuses, where one does.

    `subprotocols`: those that are understood, the best one first. Raises a BackendError.
    """
    key = generate_key()
    headers = [
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", key),
        ("Sec-WebSocket-Protocol", ", ".join(subprotocols)),
    ]
    connection, response = await transport.switch(path, query=query, headers=headers)
    if connection is None:
        return response
    if response.headers.get("sec-websocket-accept") != accept_key(key):
        connection.close()
        raise Unreachable(f"{transport.target.address} answered with what is no WebSocket.")
    subprotocol = response.headers.get("sec-websocket-protocol", "")
    return WebSocket(connection, str(transport.target.address), subprotocol)


class WebSocket:
    """An open WebSocket, for one reader and one writer."""

    def __init__(self, connection: Connection, address: str, subprotocol: str = "") -> None:
        """Go on behind the head that opened it. `address`: the other side, as errors name it."""
        self._connection = connection
        self._address = address
        self.subprotocol = subprotocol
        """The one that the other side chose."""
        self._unheard = 0
        """Bytes that were sent since the other side was last heard of."""
        come, self._reader, self._writer = connection.switched()
        self._protocol = Protocol(Side.CLIENT, state=State.OPEN, max_size=None)
        self._parts: list[bytes] = []
        self._messages: deque[bytes] = deque()
        self._take(come)

    async def receive(self) -> bytes | None:
        """Return the next message; None after a proper end. Safe to cancel.

        Raises Unreachable where the connection broke, or nothing was heard for so long that it must have.
        """
        while not self._messages:
            if self._protocol.state is not State.OPEN:
                self._check_end()
                return None
            if data := await self._read():
                self._unheard = 0
                self._take(data)
            else:
                self._protocol.receive_eof()
            self._flush()
        return self._messages.popleft()

    async def send(self, message: bytes) -> None:
        """Send a message; waits while the other side takes none. Where it broke, reading says so."""
        if self._protocol.state is State.OPEN:
            self._unheard += len(message)
            self._protocol.send_binary(message)
            self._flush()
            with contextlib.suppress(*Broken):
                await self._writer.drain()

    def close(self) -> None:
        """Close the connection at once."""
        self._connection.close()

    async def _read(self) -> bytes:
        """Return what is there, b"" at the end; meanwhile ask whether the other side is."""
        asked = 0
        while asked < MOST_PINGS:
            try:
                with slow_step(f"no answer from {self._address}") if asked else contextlib.nullcontext():
                    async with asyncio.timeout(PING_SECONDS) as patience:
                        return await self._reader.read(_READ)
            except Broken as error:
                if not patience.expired():
                    raise self._broken(describe_error(error)) from None
            asked = asked + 1 if self._unheard <= LITTLE else 0
            if asked:
                self._protocol.send_ping(b"")
                self._flush()
        raise self._broken(f"nothing was heard for {MOST_PINGS * PING_SECONDS:.0f} s")

    def _take(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        for frame in self._protocol.events_received():
            if isinstance(frame, Frame) and frame.opcode in _DATA:
                self._parts.append(bytes(frame.data))
                if frame.fin:
                    self._messages.append(b"".join(self._parts))
                    self._parts.clear()

    def _flush(self) -> None:
        """Send what the protocol has to say, without waiting: the other side may wait for a reader."""
        self._writer.write(b"".join(self._protocol.data_to_send()))

    def _check_end(self) -> None:
        """Raise Unreachable unless it was closed in order."""
        closed = self._protocol.close_rcvd
        if closed is None or closed.code != 1000:
            raise self._broken(closed.reason if closed and closed.reason else "closed by the other side")

    def _broken(self, why: str) -> Unreachable:
        return Unreachable(sentence(f"The connection to {self._address} broke: {why}"))
