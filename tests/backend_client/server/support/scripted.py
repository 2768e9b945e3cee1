"""A server that answers each request with the next part of its script: for what a real one does not do."""

import asyncio
import contextlib
import json
import ssl

from msgspec import Struct

from tests.support.faults import reset

JSON, STREAM = "application/json", "text/event-stream"


class Asked(Struct):
    """A request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    """Lower-case names."""
    body: bytes


def answer(content: object = b"", status: str = "200 OK", kind: str = JSON, **headers: str) -> list:
    """A whole answer."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return [head.encode() + body]


def stream(*frames: bytes, end: str = "close") -> list:
    """An event stream. `end`: close (as it should), cut (in the middle of the answer), reset, hang."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {STREAM}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    parts = [b"%x\r\n%s\r\n" % (len(frame), frame) for frame in frames]
    return [head, *parts, *([b"0\r\n\r\n"] if end == "close" else [end])]


class Scripted:
    """Listens at `url`. `script`: for each request the bytes to send, and how to end: cut, reset, hang."""

    def __init__(self, tls: ssl.SSLContext | None = None, path: str = "") -> None:
        self.script: list[list] = []
        self.asked: list[Asked] = []
        self.release = asyncio.Event()
        """Ends all that hang."""
        self._tls = tls
        self._path = path
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "Scripted":
        if self._path:
            self._server = await asyncio.start_unix_server(self._serve, self._path)
            self.url = f"unix://{self._path}"
        else:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
            port = self._server.sockets[0].getsockname()[1]
            self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.release.set()
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            while await self._one(reader, writer):
                pass
        writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.asked.append(Asked(*first.split(" ")[:2], headers, body))
        for part in self.script.pop(0):
            if part == "hang":
                await self.release.wait()
            elif part == "reset":
                reset(writer)
            elif part != "cut":
                writer.write(part)
                await writer.drain()
                continue
            return False
        return True
