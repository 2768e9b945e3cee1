"""Hundreds of clients of a server in one process, each on a connection of its own, as cheap as can be.

They look only for the exit codes of `benchmarks.server`'s changes, and note when they first see each.
"""

import asyncio
import re
from typing import TypeVar

CODE = re.compile(rb'"exit_code":(\d+)')
TAIL = 64
"""Bytes that a code may be cut across."""
POLL_SECONDS = 2.0


class Seen:
    """When each change was seen. `began`: exit code -> when its write began.

    `pattern`: how a code is told; `first`: with what a stream has told all that was there before.
    """

    def __init__(self, pattern: re.Pattern[bytes] = CODE, first: bytes = b"event: synced") -> None:
        self.pattern, self.first = pattern, first
        self.began: dict[int, float] = {}
        self.times: list[float] = []
        """Seconds from a write to each client that has seen it."""


class Client(asyncio.Protocol):
    """One connection, and what it has seen already."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._known: set[int] = set()
        self._loop = asyncio.get_running_loop()
        self._rest = b""
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's signature
        self.lost = True

    def note(self, data: bytes) -> None:
        """Note the codes of changes; each counts once."""
        text, self._rest = self._rest + data, data[-TAIL:]
        now = self._loop.time()
        for code in {int(found) for found in self._seen.pattern.findall(text)} - self._known:
            if code in self._seen.began:
                self._known.add(code)
                self._seen.times.append(now - self._seen.began[code])


class Watcher(Client):
    """A watch stream. `synced` once it has the whole list."""

    def __init__(self, seen: Seen) -> None:
        super().__init__(seen)
        self.synced: asyncio.Future[None] = self._loop.create_future()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if not self.synced.done():
            self.synced.set_exception(ConnectionError("closed before it gave its list"))

    def data_received(self, data: bytes) -> None:
        if self.synced.done():
            self.note(data)
        elif self._seen.first in self._rest + data:
            self.synced.set_result(None)
        else:
            self._rest = data[-TAIL:]


class Asker(Client):
    """One list call after the other on a kept connection."""

    def __init__(self, seen: Seen) -> None:
        super().__init__(seen)
        self.answers = 0
        """Whole ones."""
        self._left = -1
        """Bytes of the answer that are missing; -1 before its head is there."""
        self._head = b""
        self._whole: asyncio.Future[None] | None = None

    async def ask(self, request: bytes) -> None:
        """Send a request; return when the whole answer is there."""
        self._whole, self._left, self._head = self._loop.create_future(), -1, b""
        self.transport.write(request)
        await self._whole

    def data_received(self, data: bytes) -> None:
        if self._left < 0:
            self._head += data
            head, end, data = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            assert b" 200 " in head[:20], head
            self._left = int(re.search(rb"(?i)content-length: (\d+)", head)[1])  # type: ignore[index]
        self.note(data)
        self._left -= len(data)
        if self._left == 0 and self._whole and not self._whole.done():
            self._whole.set_result(None)
            self.answers += 1


C = TypeVar("C", bound=Client)


async def watchers(port: int, tokens: list[str], seen: Seen, path: str = "/api/watch") -> list[Watcher]:
    """Open a stream for each token, all at once; return them once every one has its list."""
    made = [await _connect(port, Watcher(seen)) for _ in tokens]
    for client, token in zip(made, tokens, strict=True):
        client.transport.write(get(path, token))
    await asyncio.gather(*(client.synced for client in made))
    return made


async def pollers(port: int, count: int, seen: Seen) -> list[Asker]:
    """Open connections that ask nothing yet."""
    return [await _connect(port, Asker(seen)) for _ in range(count)]


async def asker(port: int) -> Asker:
    """Open a client that only lists."""
    return await _connect(port, Asker(Seen()))


async def poll(client: Asker, phase: float, times: list[float]) -> None:
    """Ask every 2 s, or as soon as the last answer is there, until it is cancelled.

    An answer that is missing then counts as one that came then.
    """
    loop = asyncio.get_running_loop()
    due = loop.time() + phase * POLL_SECONDS
    while True:
        await asyncio.sleep(due - loop.time())
        began = loop.time()
        try:
            await client.ask(get("/jobs"))
        finally:
            times.append(loop.time() - began)
        due = max(due + POLL_SECONDS, loop.time())


def get(path: str, token: str = "") -> bytes:
    """Return the bytes of a GET request."""
    login = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n{login}\r\n".encode()


async def _connect(port: int, client: C) -> C:
    await asyncio.get_running_loop().create_connection(lambda: client, "127.0.0.1", port)
    return client
