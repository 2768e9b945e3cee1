"""The connection of an httpx client that has gone on in another protocol, as a `ByteStream`.

So a WebSocket is dialled as every request is: by the same proxy, TLS, socket and check of who listens.
"""

import asyncio
from typing import TYPE_CHECKING

import httpcore

from backend_client.server.errors import describe_root

if TYPE_CHECKING:
    import httpx

_READ = 256 * 1024
_MOST_WAITING = 128 * 1024
"""Bytes that wait to be sent before whoever sends has to wait."""


class SwitchedStream:
    """The stream behind a 101. Its response is the caller's to close."""

    def __init__(self, response: "httpx.Response") -> None:
        self._stream: httpcore.AsyncNetworkStream = response.extensions["network_stream"]
        self._waiting = bytearray()
        self._news, self._room = asyncio.Event(), asyncio.Event()
        self._room.set()
        self._sending = asyncio.create_task(self._send())

    async def read(self) -> bytes:
        try:
            return await self._stream.read(_READ)
        except (httpcore.NetworkError, httpcore.TimeoutException, OSError) as error:
            raise ConnectionError(describe_root(error)) from None

    def write(self, data: bytes) -> None:
        if data and not self._sending.done():
            self._waiting += data
            self._news.set()
            if len(self._waiting) > _MOST_WAITING:
                self._room.clear()

    async def drain(self) -> None:
        await self._room.wait()

    def close(self) -> None:
        self._sending.cancel()

    async def _send(self) -> None:
        """Send what waits, until the connection breaks: whoever reads is told why."""
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                data, self._waiting = bytes(self._waiting), bytearray()
                self._room.set()
                await self._stream.write(data)
        except (httpcore.NetworkError, httpcore.TimeoutException, OSError):
            return
        finally:
            self._room.set()
