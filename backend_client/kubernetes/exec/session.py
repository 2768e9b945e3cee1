"""A person's command in a container: marked, with its input and its terminal, and ended when it is left."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator

import msgspec

from backend_client.errors import BackendError
from backend_client.exec_session import ExecChannel, ExecEnding, ExecQuery, TerminalSize
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.exec.channels import Channel, Channels, open_channels
from backend_client.kubernetes.exec.container import Container
from backend_client.kubernetes.exec.ending import NOT_FOUND
from backend_client.kubernetes.exec.run_command import run_command
from backend_client.kubernetes.exec.shell_words import PROBE, SHELL, ending_marked, wrapped

_PROBE_SECONDS = 20.0
_END_SECONDS = 3.0
_MOST_BYTES = 4096
"""What a probe may print."""
_NO_SHELL = ExecEnding(NOT_FOUND, "the image has no shell, neither bash nor sh")


class ContainerSession:
    """An `ExecSession` in a container."""

    def __init__(self, channels: Channels, query: ExecQuery, *, has_sh: bool) -> None:
        self._channels = channels
        self._query = query
        self._has_sh = has_sh

    async def receive(self) -> tuple[ExecChannel, bytes] | None:
        """Return the next piece of output; None when the command has ended."""
        return await self._channels.receive()

    async def send(self, data: bytes) -> None:
        """Give it input; waits while it takes none."""
        await self._channels.send(Channel.STDIN, data)

    async def end_input(self) -> None:
        """End its input; in a terminal that does nothing."""
        if not self._query.terminal:
            await self._channels.send(Channel.CLOSE, bytes([Channel.STDIN]))

    async def resize(self, size: TerminalSize) -> None:
        """Tell its terminal its size."""
        await self._channels.send(
            Channel.RESIZE, msgspec.json.encode({"Width": size.columns, "Height": size.rows})
        )

    @property
    def ending(self) -> ExecEnding:
        """How it ended."""
        ending = self._channels.ending
        missing = not self._query.argv and not self._has_sh and ending.exit_code == NOT_FOUND
        return _NO_SHELL if missing else ending


@contextlib.asynccontextmanager
async def open_session(
    transport: Transport, container: Container, query: ExecQuery
) -> AsyncIterator[ContainerSession]:
    """Start a command; where it was left before its end, end what it has left. Raises a BackendError."""
    mark = secrets.token_hex(8)
    probed = await run_command(transport, container, PROBE, most=_MOST_BYTES, seconds=_PROBE_SECONDS)
    has_sh = probed.ending.exit_code == 0
    argv = wrapped(query, mark) if has_sh else query.argv or SHELL
    terminal = query.terminal
    async with open_channels(
        transport, container, argv, stdin=query.stdin, tty=terminal is not None
    ) as channels:
        session = ContainerSession(channels, query, has_sh=has_sh)
        try:
            if terminal:
                await session.resize(terminal)
            yield session
        finally:
            if has_sh and not channels.ended:
                await _end_marked(transport, container, mark)


async def _end_marked(transport: Transport, container: Container, mark: str) -> None:
    """End what a command has left, as far as that goes in a short time; whoever is cancelled waits for it."""
    with contextlib.suppress(BackendError, TimeoutError):
        async with asyncio.timeout(_END_SECONDS):
            await run_command(
                transport, container, ending_marked(mark), most=_MOST_BYTES, seconds=_END_SECONDS
            )
