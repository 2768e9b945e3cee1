"""A front of a real API server, in this process, that cuts the connection where a test says."""

import asyncio
import contextlib
import ssl

from msgspec.structs import replace

from backend_client.kubernetes.connection import Address
from backend_client.kubernetes.kubeconfig import Target
from backend_client.kubernetes.tls import client_context


class Cutter:
    """Speaks plain HTTP, one request a connection. `requests` are those since the last `arm`."""

    def __init__(self, target: Target) -> None:
        self._real = target
        self._tls: ssl.SSLContext | None = None
        self._server: asyncio.Server | None = None
        self._first = self._last = 0
        self._before = False
        self.requests: list[str] = []

    def arm(self, first: int = 0, *, before: bool = False, count: int = 1) -> None:
        """Cut `count` requests from the first-th on (from 1; 0 is none), before or after they are done."""
        self.requests.clear()
        self._first, self._last, self._before = first, first + count - 1 if first else 0, before

    @property
    def met(self) -> bool:
        """Whether there were so many requests that one was cut."""
        return bool(self._first) and len(self.requests) >= self._first

    async def __aenter__(self) -> "Cutter":
        login = await self._real.credentials.login()
        self._tls = client_context(self._real, login.certificate)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server
        self._server.close()

    @property
    def target(self) -> Target:
        assert self._server
        port = self._server.sockets[0].getsockname()[1]
        return replace(self._real, address=Address("127.0.0.1", port, ""), encrypted=False)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            headers = dict(line.lower().split(": ", 1) for line in head.strip().split("\r\n")[1:])
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            self.requests.append(" ".join(head.split(" ", 2)[:2]))
            cut = self._first <= len(self.requests) <= self._last
            if not (cut and self._before):
                answer = await self._asked(head, body)
                writer.write(b"" if cut else answer)
                await writer.drain()
        writer.close()

    async def _asked(self, head: str, body: bytes) -> bytes:
        address = self._real.address
        reader, writer = await asyncio.open_connection(
            address.host, address.port, ssl=self._tls, server_hostname=address.server_name
        )
        writer.write(head.replace("\r\n", "\r\nConnection: close\r\n", 1).encode() + body)
        answer = await reader.read()
        writer.close()
        return answer
