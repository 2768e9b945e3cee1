"""A forward: listens on this machine, and carries each connection to a port of a running job.

The pod is looked for at each connection, so a forward outlives pods and API servers. While none runs, a
connection is held for a while, then reset.
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from backend_client.errors import BackendError, Conflict, Unreachable
from backend_client.exec_session import HasPorts, PortConnection
from backend_client.models import JobRef
from backend_client.ports.carry import Carrier, reset
from backend_client.ports.listening import loopback_sockets, unix_socket

HELD_SECONDS = 15.0
"""So long a connection waits for a pod."""
_PAUSE = 0.5
_BUFFER = 64 * 1024


def _say_nothing(_line: str) -> None:
    """Tell nobody."""


class Forward:
    """One port of one rank, until it is closed."""

    def __init__(
        self,
        backend: HasPorts,
        ref: JobRef,
        port: int,
        *,
        rank: int = 0,
        say: Callable[[str], None] = _say_nothing,
    ) -> None:
        """Listen nowhere yet. `say` is told in one line what goes wrong, and that it is well again."""
        self.ref, self.port, self.rank = ref, port, rank
        self.local_port = 0
        self.socket_path: Path | None = None
        self.connections = 0
        """Of all time; `open`: now."""
        self.open = 0
        self.sent = self.received = 0
        self.trouble = ""
        """Why the last connection got nowhere, or waits; "" where it did get there."""
        self._backend = backend
        self._say = say
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        """asyncio itself holds the tasks of a server's connections weakly."""

    async def listen(self, wished: int = 0) -> None:
        """Listen on the wished port of this machine's loopback, or on another: see `local_port`.

        Raises Refused.
        """
        sockets = loopback_sockets(wished)
        self.local_port = int(sockets[0].getsockname()[1])
        for bound in sockets:
            self._servers.append(await asyncio.start_server(self._accept, sock=bound, limit=_BUFFER))

    async def listen_at(self, path: Path) -> None:
        """Listen on a unix socket that is one's own alone. Raises Refused."""
        bound = unix_socket(path)
        self.socket_path = path
        self._servers.append(await asyncio.start_unix_server(self._accept, sock=bound, limit=_BUFFER))

    async def aclose(self) -> None:
        """Stop listening, and end all connections."""
        for server in self._servers:
            server.close()
        if self.socket_path:
            self.socket_path.unlink(missing_ok=True)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            async with AsyncExitStack() as stack:
                connection = await self._connect(stack)
                await Carrier(reader, writer, connection, self).carry()
            writer.close()
        except BackendError as error:
            self._tell(error.title)
            reset(writer)
        except BaseException:
            reset(writer)
            raise
        finally:
            self.open -= 1

    async def _connect(self, stack: AsyncExitStack) -> PortConnection:
        """Connect into the job, as soon as it runs. Raises a BackendError where that takes too long."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + HELD_SECONDS
        while True:
            opening = self._backend.open_port(self.ref, self.port, rank=self.rank)
            try:
                return await stack.enter_async_context(opening)
            except (Conflict, Unreachable) as error:
                if clock() + _PAUSE > deadline:
                    raise
                self._tell(f"{error.title} A connection waits for it.")
            await asyncio.sleep(_PAUSE)

    def count_sent(self, size: int) -> None:
        self.sent += size

    def count_received(self, size: int) -> None:
        self.received += size
        if self.trouble:
            self.trouble = ""
            self._say(f"The port {self.port} of {self.ref.name} answers again.")

    def _tell(self, trouble: str) -> None:
        if trouble != self.trouble:
            self.trouble = trouble
            self._say(trouble)
