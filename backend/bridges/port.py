"""One connection to a port in a job, for a client: one WebSocket for each."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from backend.auth.caller import Caller
from backend.auth.stream_revocation import StreamRevocations
from backend.bridges.carry import both_ways, carry
from backend.bridges.client import Client
from backend.bridges.target import OPENING_SECONDS, Target
from backend.clusters.circuit_breaker import named_failures
from backend_client.errors import Invalid, Refused
from backend_client.exec_session import HasPorts, PortConnection
from backend_client.server.channels import Channel, message


@asynccontextmanager
async def open_port(target: Target, port: int) -> AsyncIterator[PortConnection]:
    """Connect to a port in a job. Raises a BackendError."""
    backend = target.cluster.backend
    if not isinstance(backend, HasPorts):
        raise Refused(f"The ports of the job {target.ref.name} cannot be reached.")
    async with AsyncExitStack() as stack:
        async with named_failures(target.cluster.name, OPENING_SECONDS):
            connection = await stack.enter_async_context(
                backend.open_port(target.ref, port, rank=target.rank)
            )
        yield connection


async def carry_port(
    connection: PortConnection, client: Client, revocations: StreamRevocations, caller: Caller
) -> None:
    """Carry bytes until either side or the login ends."""
    async with revocations.until_revoked(caller) as bye:
        await carry(client, bye, _work(connection, client))


async def _work(connection: PortConnection, client: Client) -> None:
    await both_ways(_down(connection, client), _up(connection, client))
    await client.close()


async def _down(connection: PortConnection, client: Client) -> None:
    while data := await connection.receive():
        await client.send(message(Channel.STDOUT, data))


async def _up(connection: PortConnection, client: Client) -> None:
    while True:
        channel, data = await client.receive()
        if channel != Channel.STDIN:
            raise Invalid({"channel": f"{channel} is none of a port"})
        await connection.send(data)
