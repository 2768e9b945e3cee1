"""A wire to an API server that can be cut."""

import asyncio
import contextlib

import msgspec

from backend_client.kubernetes.kubeconfig import Target
from tests.kubernetes.faults import reset


class Relay:
    """Passes bytes on, in small pieces; `cut` resets all connections, `after` says how many bytes later."""

    def __init__(self, target: Target) -> None:
        self._real = target.address
        self._given = target
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.cuts = 0
        self.after: list[int] = []
        """Bytes from the server after which connections break, one after another."""
        self._passed = 0

    async def __aenter__(self) -> "Relay":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server
        self._server.close()
        self.cut()
        await asyncio.sleep(0)

    @property
    def target(self) -> Target:
        """The way through it."""
        assert self._server
        port = self._server.sockets[0].getsockname()[1]
        address = msgspec.structs.replace(self._given.address, port=port)
        return msgspec.structs.replace(self._given, address=address)

    def cut(self) -> None:
        for writer in self._writers:
            reset(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(self._real.host, self._real.port)
        self._writers |= {writer, back}
        with contextlib.suppress(OSError, ValueError):
            await asyncio.gather(self._copy(reader, back), self._copy(there, writer, counted=True))
        self._writers -= {writer, back}
        back.transport.abort()
        writer.transport.abort()

    async def _copy(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, counted: bool = False
    ) -> None:
        while data := await source.read(4096):
            sink.write(data)
            await sink.drain()
            self._passed += len(data) * counted
            if counted and self.after and self._passed >= self.after[0]:
                self.after.pop(0)
                self._passed = 0
                self.cuts += 1
                self.cut()
        sink.close()
