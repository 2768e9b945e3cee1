"""A wire in a thread of its own, for tests that wait in this one."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.faults import Wire
from tests.support.wait import PATIENCE


class Line:
    """A wire to a server that can be away for a while."""

    def __init__(self, wire: Wire, loop: asyncio.AbstractEventLoop) -> None:
        self._wire, self._loop = wire, loop
        self.port = wire.port

    def down(self) -> None:
        """Reset what is connected, and refuse connections, as where a server restarts."""
        asyncio.run_coroutine_threadsafe(self._wire.down(), self._loop).result(PATIENCE)

    def up(self) -> None:
        asyncio.run_coroutine_threadsafe(self._wire.up(), self._loop).result(PATIENCE)


@contextmanager
def line_to(host: str, port: int) -> Iterator[Line]:
    """Run a wire that leads there."""
    loop = asyncio.new_event_loop()
    wire = Wire(host, port)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(wire.up(), loop).result(PATIENCE)
        yield Line(wire, loop)
    finally:
        asyncio.run_coroutine_threadsafe(wire.__aexit__(), loop).result(PATIENCE)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
