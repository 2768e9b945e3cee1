"""Carries bytes between a connection on this machine and one to a port of a job, until one of them ends."""

import asyncio
import socket
import struct
from typing import Protocol

from backend_client.exec_session import PortConnection

HALF_CLOSED_SECONDS = 10.0
"""That our side has said its last cannot be told to the other: so long more is waited for from there."""
_REASON_SECONDS = 1.0
_READ = 32 * 1024


class Meter(Protocol):
    """Is told of the bytes that were carried."""

    def count_sent(self, size: int) -> None:
        """Add what went into the job."""

    def count_received(self, size: int) -> None:
        """Add what came out of it."""


class Carrier:
    """Carries one connection, both ways at once."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        connection: PortConnection,
        meter: Meter,
    ) -> None:
        self._reader, self._writer = reader, writer
        self._connection, self._meter = connection, meter
        self._received = 0

    async def carry(self) -> None:
        """Carry until either side has ended. Raises a BackendError where the job's side broke."""
        up = asyncio.create_task(self._up())
        down = asyncio.create_task(self._down())
        try:
            await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
            if up.done() and up.exception() is None:
                await self._while_more_comes(down)
            elif up.done():  # what comes out of the job tells better why
                await asyncio.wait((down,), timeout=_REASON_SECONDS)
            for task in (down, up):
                if task.done():
                    task.result()
        except OSError:
            return  # our own side went away: nobody is left to be told
        finally:
            up.cancel()
            down.cancel()
            await asyncio.gather(up, down, return_exceptions=True)

    async def _up(self) -> None:
        while data := await self._reader.read(_READ):
            await self._connection.send(data)
            self._meter.count_sent(len(data))

    async def _down(self) -> None:
        while data := await self._connection.receive():
            self._received += len(data)
            self._meter.count_received(len(data))
            self._writer.write(data)
            await self._writer.drain()

    async def _while_more_comes(self, down: "asyncio.Task[None]") -> None:
        """Wait for the job's end of it, or until it has said nothing for a while."""
        while not down.done():
            before = self._received
            await asyncio.wait((down,), timeout=HALF_CLOSED_SECONDS)
            if self._received == before:
                return


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection so that its other end sees an error, and not an answer that is over.

    One that its other end has reset already is closed, its socket too.
    """
    plain = writer.get_extra_info("socket")
    if not writer.transport.is_closing() and plain is not None and plain.family != socket.AF_UNIX:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
