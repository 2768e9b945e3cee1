"""The far end of an exec, in this process: opens a WebSocket, then says and hears what a test wants."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl, urlsplit

from websockets.frames import Frame
from websockets.protocol import Protocol, Side
from websockets.utils import accept_key

from backend_client.kubernetes.api.connection import Address
from backend_client.kubernetes.api.credentials import Credentials, Fixed, Login
from backend_client.kubernetes.api.kubeconfig import Target

SUCCESS = b'\x03{"metadata":{},"status":"Success"}'


class Peer:
    """One open WebSocket, as its server sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> None:
        self.path = path
        self.protocol = Protocol(Side.SERVER)
        self.writer = writer
        self._reader = reader

    def send(self, *messages: bytes) -> None:
        for message in messages:
            self.protocol.send_binary(message)
        self.flush()

    def close(self, code: int = 1000, reason: str = "") -> None:
        self.protocol.send_close(code, reason)
        self.flush()

    def flush(self) -> None:
        self.writer.write(b"".join(self.protocol.data_to_send()))

    async def hear(self) -> list[Frame]:
        """The next frames; [] at the end. A ping among them is answered when `flush` is called."""
        data = await self._reader.read(65536)
        if not data:
            return []
        self.protocol.receive_data(data)
        return [frame for frame in self.protocol.events_received() if isinstance(frame, Frame)]


class ExecServer:
    """Serves every request by `serve`. `answer` is what it says in place of a 101, if anything."""

    def __init__(self, serve: Callable[[Peer], Awaitable[None]], answer: bytes = b"") -> None:
        self._serve, self._answer = serve, answer
        self.tokens: set[str] = set()
        """Where not empty: what else than these gets a 401."""
        self.accept = ""
        """What it says in place of the right Sec-WebSocket-Accept."""
        self.subprotocol = "v5.channel.k8s.io"
        self.queries: list[list[tuple[str, str]]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "ExecServer":
        self._server = await asyncio.start_server(self._one, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def target(self, credentials: Credentials | None = None) -> Target:
        assert self._server
        port = self._server.sockets[0].getsockname()[1]
        login = credentials or Fixed(Login())
        return Target("scripted", Address("127.0.0.1", port, ""), login, encrypted=False)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
            await self._upgrade(reader, writer)
        self._tasks.discard(task)
        writer.transport.abort()

    async def _upgrade(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])}
        url = urlsplit(head[0].split()[1])
        self.queries.append(parse_qsl(url.query))
        if self.tokens and headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            writer.write(b"HTTP/1.1 401 X\r\nContent-Length: 2\r\n\r\n{}")
            await writer.drain()
            return
        if self._answer:
            writer.write(self._answer)
            await writer.drain()
            return
        accept = self.accept or accept_key(headers["sec-websocket-key"])
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + f"Sec-WebSocket-Protocol: {self.subprotocol}\r\n".encode()
            + f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )  # not sent at once: what `serve` says first comes in one piece with it
        await self._serve(Peer(reader, writer, url.path))
        await writer.drain()
