"""A WebSocket to an API server: opened as any request is, with its login, proxy and TLS.

Pings are answered by the kubelet, so one of them tests the whole way to the node (docs/FACTS.md, "Exec").
"""

import asyncio
from collections.abc import Sequence

from backend_client.errors import Unreachable
from backend_client.kubernetes.api.connection import Broken, Connection, describe_error
from backend_client.kubernetes.api.transport import Response, Transport
from backend_client.websocket import Handshake, WebSocket

_READ = 256 * 1024


async def open_websocket(
    transport: Transport, path: str, query: Sequence[tuple[str, str]], subprotocols: Sequence[str]
) -> "WebSocket | Response":
    """Open a WebSocket, which is the caller's to close; return the response that refuses, where one does.

    `subprotocols`: those that are understood, the best one first. Raises a BackendError.
    """
    handshake = Handshake(subprotocols)
    connection, response = await transport.switch(path, query=query, headers=handshake.headers)
    if connection is None:
        return response
    if not handshake.is_answered_by(response.headers):
        connection.close()
        raise Unreachable(f"{transport.target.address} answered with what is no WebSocket.")
    come, reader, writer = connection.switched()
    return WebSocket(
        _Switched(connection, reader, writer),
        str(transport.target.address),
        come=come,
        subprotocol=response.headers.get("sec-websocket-protocol", ""),
    )


class _Switched:
    """The streams of a connection that goes on in another protocol (`ByteStream`)."""

    def __init__(
        self, connection: Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._connection, self._reader, self._writer = connection, reader, writer

    async def read(self) -> bytes:
        try:
            return await self._reader.read(_READ)
        except Broken as error:
            raise ConnectionError(describe_error(error)) from None

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    async def drain(self) -> None:
        try:
            await self._writer.drain()
        except Broken as error:
            raise ConnectionError(describe_error(error)) from None

    def close(self) -> None:
        self._connection.close()
