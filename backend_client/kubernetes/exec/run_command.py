"""Run a command in a container to its end: its exit code, and what it printed."""

import asyncio
from collections.abc import Sequence

from msgspec import Struct

from backend_client.errors import Refused, Unreachable
from backend_client.exec_session import ExecChannel, ExecEnding
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.exec.channels import Channels, open_channels
from backend_client.kubernetes.exec.container import Container


class CommandResult(Struct, frozen=True):
    """A command that has ended."""

    ending: ExecEnding
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
    async with open_channels(transport, container, argv) as channels:
        try:
            async with asyncio.timeout(seconds):
                return await _read(channels, container, most)
        except TimeoutError:
            raise StillRuns(f"The command {argv[0]} did not end in {seconds:g} s in {container}.") from None


async def _read(channels: Channels, container: Container, most: int) -> CommandResult:
    read: dict[ExecChannel, list[bytes]] = {channel: [] for channel in ExecChannel}
    printed = 0
    while (piece := await channels.receive()) is not None:
        channel, data = piece
        printed += len(data)
        if printed > most:
            raise Refused(f"The command in {container} printed more than {most} bytes.")
        read[channel].append(data)
    stdout, stderr = (b"".join(read[channel]) for channel in ExecChannel)
    return CommandResult(channels.ending, stdout, stderr)
