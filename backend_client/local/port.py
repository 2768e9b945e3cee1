"""A connection to a port of this machine, where a local job listens itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from backend_client.errors import Conflict, Refused, Unreachable, sentence
from backend_client.models import Job, JobState

_READ = 32 * 1024
_HOSTS = ("127.0.0.1", "::1")


class LocalPortConnection:
    """An open connection to a port of this machine (`exec_session.PortConnection`)."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        self._reader, self._writer, self._port = reader, writer, port

    async def receive(self) -> bytes:
        try:
            return await self._reader.read(_READ)
        except OSError as error:
            raise self._broken(error) from None

    async def send(self, data: bytes) -> None:
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise self._broken(error) from None

    def _broken(self, error: OSError) -> Unreachable:
        return Unreachable(sentence(f"The connection to port {self._port} broke: {error.strerror or error}"))


@asynccontextmanager
async def connect(job: Job, port: int) -> AsyncIterator[LocalPortConnection]:
    """Connect to a port. Raises Conflict where the job does not run now; Refused where nothing listens."""
    if job.ended:
        raise Refused(f"The job {job.name} has ended: {job.state.value}.")
    if job.state is not JobState.RUNNING:
        raise Conflict(f"The job {job.name} does not run ({job.state.value}).")
    reader, writer = await _open(port)
    try:
        yield LocalPortConnection(reader, writer, port)
    finally:
        writer.transport.abort()


async def _open(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    for host in _HOSTS:
        try:
            return await asyncio.open_connection(host, port)
        except OSError:
            continue
    raise Refused(f"Nothing listens on port {port} of this machine.")
