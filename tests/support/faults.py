"""A wire between a client and any server, bad as networks are: slow, thin, cut, dead, silent."""

import asyncio
import contextlib
import socket
import struct


class Wire:
    """Listens at 127.0.0.1:`port` and passes bytes on, both ways. Its faults may change while it runs."""

    def __init__(self, host: str, port: int) -> None:
        """Where it leads to."""
        self.port = 0
        self.latency = 0.0
        """Seconds that every piece waits."""
        self.bandwidth = 0.0
        """Bytes a second, each way; 0 is no limit."""
        self.piece = 65536
        """Bytes that travel together, at most."""
        self.linger = 0.0
        """Seconds until one end hears that the other has closed."""
        self.limits: list[int] = []
        """Bytes from the server after which all connections are reset, one number after another."""
        self.both_ways = False
        """The limits count what goes to the server as well."""
        self.cuts = 0
        """How often they were, by a limit."""
        self._there = host, port
        self._passed = 0
        self._open = _set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "Wire":
        await self.up()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.down()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def up(self) -> None:
        """Take connections, always at the same port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def down(self) -> None:
        """Refuse connections, and reset those that are there."""
        if self._server:
            self._server.close()
            self._server = None
        self.reset()
        await asyncio.sleep(0)  # asyncio closes sockets in its next round

    def reset(self) -> None:
        """Break all connections, as a peer does that knows nothing of them."""
        for writer in self._writers:
            reset(writer)

    def close(self) -> None:
        """End all connections politely, wherever they stand."""
        for writer in self._writers:
            writer.close()

    def silence(self) -> None:
        """Pass nothing on, and say nothing: the kernels at both ends go on answering."""
        self._open.clear()

    def abandon(self) -> None:
        """Be silent for ever on all connections that are there: half-open. New ones are as ever."""
        self._open.clear()
        self._open = _set()

    def speak(self) -> None:
        """Pass on what waits, and all that comes."""
        self._open.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            line = self._open
            there, back = await asyncio.open_connection(*self._there)
            self._writers |= {writer, back}
            try:
                await asyncio.gather(
                    self._pass(line, reader, back, counted=self.both_ways),
                    self._pass(line, there, writer, counted=True),
                )
            finally:
                self._writers -= {writer, back}
                back.close()
        writer.close()

    async def _pass(
        self,
        line: asyncio.Event,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        *,
        counted: bool = False,
    ) -> None:
        while data := await source.read(self.piece):
            await asyncio.sleep(self.latency + (len(data) / self.bandwidth if self.bandwidth else 0.0))
            await line.wait()
            full = counted and self.limits and self._passed + len(data) >= self.limits[0]
            sink.write(data[: self.limits[0] - self._passed] if full else data)
            await sink.drain()
            if counted:
                self._passed = self._passed + len(data) if self.limits else 0
            if full:
                self._cut()
        await asyncio.sleep(self.linger)
        await line.wait()
        sink.write_eof()

    def _cut(self) -> None:
        self.limits.pop(0)
        self._passed = 0
        self.cuts += 1
        self.reset()


def _set() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST instead of FIN."""
    sock = writer.get_extra_info("socket")
    if not writer.transport.is_closing():
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
