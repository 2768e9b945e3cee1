"""An HTTP proxy in this process that knows CONNECT."""

import asyncio
import contextlib
import ssl


class Proxy:
    """Joins streams; keeps what it was asked for. `refuse`: the status line to answer with instead."""

    def __init__(self, refuse: str = "", *, tls: ssl.SSLContext | None = None) -> None:
        self.heads: list[str] = []
        self.refuse = refuse
        self.tls = tls
        self.port = 0
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "Proxy":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        if self.refuse:
            writer.write(f"HTTP/1.1 {self.refuse}\r\n\r\n".encode())
            await writer.drain()
            writer.close()
            return
        host, _, port = head.split()[1].rpartition(":")
        there, back = await asyncio.open_connection("127.0.0.1" if host == "api.invalid" else host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(_copy(reader, back), _copy(there, writer))


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.close()
