"""A WebSocket on an open connection, whoever has dialled it: frames, pings, an end that is told from a break.

The frames are those of `websockets`, its grammar alone: it opens no connection of its own.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Protocol

from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol as Frames
from websockets.protocol import Side, State
from websockets.utils import accept_key, generate_key

from backend_client.errors import Unreachable, sentence
from backend_client.slow_steps import slow_step

PING_SECONDS = 5.0
"""kubectl's number."""
MOST_PINGS = 6
"""So many without a pong, or any other word, and the other side is taken for dead: after 30 s."""
LITTLE = 4096
"""Bytes that a terminal takes from a person while its program reads nothing. Behind more of them a ping may
stand in the queue, so that silence tells nothing of the other side."""
_DATA = (Opcode.BINARY, Opcode.TEXT, Opcode.CONT)


class ByteStream(Protocol):
    """An open connection. Whatever breaks it is a ConnectionError, which says why."""

    async def read(self) -> bytes:
        """Return all bytes that are there, b"" at the end. Safe to cancel."""
        ...

    def write(self, data: bytes) -> None:
        """Send, without waiting."""
        ...

    async def drain(self) -> None:
        """Wait while too much is still to be sent."""
        ...

    def close(self) -> None:
        """Close it at once."""
        ...


class Handshake:
    """What asks for a WebSocket (RFC 6455, 4.1). `subprotocols`: those that are understood, best first."""

    def __init__(self, subprotocols: Sequence[str] = ()) -> None:
        self._key = generate_key()
        self.headers = [
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", self._key),
        ]
        if subprotocols:
            self.headers.append(("Sec-WebSocket-Protocol", ", ".join(subprotocols)))

    def is_answered_by(self, headers: Mapping[str, str]) -> bool:
        """Tell whether the headers of a 101, by their lower-case names, open this WebSocket."""
        return headers.get("sec-websocket-accept") == accept_key(self._key)


class WebSocket:
    """An open WebSocket, for one reader and one writer."""

    def __init__(self, stream: ByteStream, address: str, *, come: bytes = b"", subprotocol: str = "") -> None:
        """Go on behind the head that opened it. `address`: the other side, as errors name it.

        `come`: what came behind that head already; `subprotocol`: the one that the other side chose.
        """
        self._stream = stream
        self._address = address
        self.subprotocol = subprotocol
        self._unheard = 0
        """Bytes that were sent since the other side was last heard of."""
        self._frames = Frames(Side.CLIENT, state=State.OPEN, max_size=None)
        self._parts: list[bytes] = []
        self._messages: deque[bytes] = deque()
        self._take(come)

    async def receive(self) -> bytes | None:
        """Return the next message; None after a proper end. Safe to cancel.

        Raises Unreachable where the connection broke, or nothing was heard for so long that it must have.
        """
        while not self._messages:
            if self._frames.state is not State.OPEN:
                self._check_end()
                return None
            if data := await self._read():
                self._unheard = 0
                self._take(data)
            else:
                self._frames.receive_eof()
            self._flush()
        return self._messages.popleft()

    async def send(self, message: bytes) -> None:
        """Send a message; waits while the other side takes none. Where it broke, reading says so."""
        if self._frames.state is State.OPEN:
            self._unheard += len(message)
            self._frames.send_binary(message)
            self._flush()
            with contextlib.suppress(ConnectionError):
                await self._stream.drain()

    def close(self) -> None:
        """Close the connection at once."""
        self._stream.close()

    async def _read(self) -> bytes:
        """Return what is there, b"" at the end; meanwhile ask whether the other side is."""
        asked = 0
        while asked < MOST_PINGS:
            try:
                with slow_step(f"no answer from {self._address}") if asked else contextlib.nullcontext():
                    async with asyncio.timeout(PING_SECONDS):
                        return await self._stream.read()
            except ConnectionError as error:
                raise self._broken(str(error)) from None
            except TimeoutError:
                asked = asked + 1 if self._unheard <= LITTLE else 0
            if asked:
                self._frames.send_ping(b"")
                self._flush()
        raise self._broken(f"nothing was heard for {MOST_PINGS * PING_SECONDS:.0f} s")

    def _take(self, data: bytes) -> None:
        self._frames.receive_data(data)
        for frame in self._frames.events_received():
            if isinstance(frame, Frame) and frame.opcode in _DATA:
                self._parts.append(bytes(frame.data))
                if frame.fin:
                    self._messages.append(b"".join(self._parts))
                    self._parts.clear()

    def _flush(self) -> None:
        """Send what the protocol has to say, without waiting: the other side may wait for a reader."""
        self._stream.write(b"".join(self._frames.data_to_send()))

    def _check_end(self) -> None:
        """Raise Unreachable unless it was closed in order."""
        closed = self._frames.close_rcvd
        if closed is None or closed.code != 1000:
            raise self._broken(closed.reason if closed and closed.reason else "closed by the other side")

    def _broken(self, why: str) -> Unreachable:
        return Unreachable(sentence(f"The connection to {self._address} broke: {why}"))
