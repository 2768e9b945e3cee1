"""A front of a real API server, in this process, that cuts the connection where a test says."""

import asyncio
import contextlib
import random
import ssl

from msgspec.structs import replace

from backend_client.kubernetes.api.connection import Address
from backend_client.kubernetes.api.kubeconfig import Target
from backend_client.kubernetes.api.tls import client_context

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_STORMY = 0.4
_BUSY = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n"
_ANSWERS = (b"", _BUSY, b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n")


class Cutter:
    """Speaks plain HTTP, one request a connection. `requests` are those since the last `arm`.

    Its own connections to the server stay open: a handshake for each request would cost more than its work.
    """

    def __init__(self, target: Target) -> None:
        self._real = target
        self._tls: ssl.SSLContext | None = None
        self._idle: list[Line] = []
        self._server: asyncio.Server | None = None
        self._first = self._last = 0
        self._before = False
        self._storm: random.Random | None = None
        self.requests: list[str] = []

    def arm(self, first: int = 0, *, before: bool = False, count: int = 1) -> None:
        """Cut `count` requests from the first-th on (from 1; 0 is none), before or after they are done."""
        self.requests.clear()
        self._first, self._last, self._before = first, first + count - 1 if first else 0, before

    def storm(self, seed: int) -> None:
        """From now on many requests are cut or answered with 429 or 500, before or after they are done."""
        self.arm()
        self._storm = random.Random(seed)

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
        for _, writer in self._idle:
            writer.close()

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
            before, instead = self._fate()
            answer = b"" if before else await self._asked(head, body)
            writer.write(answer if instead is None else instead)
            await writer.drain()
        writer.close()

    def _fate(self) -> tuple[bool, bytes | None]:
        """Of the last request: whether it is lost before it is done, and what is answered in its place."""
        if self._storm and self._storm.random() < _STORMY:
            before, instead = self._storm.choice([True, False]), self._storm.choice(_ANSWERS)
            return before or instead == _BUSY, instead
        if self._first <= len(self.requests) <= self._last:
            return self._before, b""
        return False, None

    async def _asked(self, head: str, body: bytes) -> bytes:
        reader, writer = await self._line()
        writer.write(head.encode() + body)
        answer = await _answer(reader)
        self._idle.append((reader, writer))
        return answer.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)

    async def _line(self) -> Line:
        """A connection to the server that nobody uses."""
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()
        address = self._real.address
        return await asyncio.open_connection(
            address.host, address.port, ssl=self._tls, server_hostname=address.server_name
        )


async def _answer(reader: asyncio.StreamReader) -> bytes:
    """Read one answer to its end, as it came."""
    answer = head = await reader.readuntil(b"\r\n\r\n")
    headers = dict(line.lower().split(b": ", 1) for line in head.strip().split(b"\r\n")[1:])
    if headers.get(b"transfer-encoding") != b"chunked":
        return answer + await reader.readexactly(int(headers.get(b"content-length", 0)))
    while not answer.endswith(b"\r\n0\r\n\r\n"):
        size = await reader.readuntil(b"\r\n")
        answer += size + await reader.readexactly(int(size, 16) + 2)
    return answer
