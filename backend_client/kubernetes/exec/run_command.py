"""Run a command in a container to its end: its exit code, and what it printed."""

import asyncio
from collections.abc import Sequence

from msgspec import Struct

from backend_client.errors import Refused, Unreachable
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.exec.channels import Channel, Channels, open_exec
from backend_client.kubernetes.exec.container import Container
from backend_client.kubernetes.exec.ending import UNTOLD, Ending, ending_of


class CommandResult(Struct, frozen=True):
    """A command that has ended."""

    ending: Ending
    stdout: bytes
    stderr: bytes


class StillRuns(Unreachable):
    """A command did not end in time; it goes on in its container."""


async def run_command(
    transport: Transport, container: Container, argv: Sequence[str], *, most: int, seconds: float
) -> CommandResult:
    """Run a command, whatever its exit code is; without a status at the end that is None, never 0.

    Raises Refused where it prints more than `most` bytes; StillRuns where it has not ended after `seconds`;
    Unreachable where the connection was lost, so that nobody knows how it ended; and what keeps it from
    being started. What was started goes on in the container all the same.
    """
    async with open_exec(transport, container, argv) as channels:
        try:
            async with asyncio.timeout(seconds):
                return await _read(channels, container, most)
        except TimeoutError:
            raise StillRuns(f"The command {argv[0]} did not end in {seconds:g} s in {container}.") from None


async def _read(channels: Channels, container: Container, most: int) -> CommandResult:
    read: dict[int, list[bytes]] = {channel: [] for channel in Channel}
    printed = 0
    while (piece := await channels.receive()) is not None:
        channel, data = piece
        printed += len(data) if channel != Channel.STATUS else 0
        if printed > most:
            raise Refused(f"The command in {container} printed more than {most} bytes.")
        if channel in read:
            read[channel].append(data)
    stdout, stderr, status = (b"".join(read[channel]) for channel in Channel)
    return CommandResult(ending_of(status) if status else UNTOLD, stdout, stderr)
