"""A command's output, or its input, as a file for tarfile, which knows no asyncio and so has a thread."""

import asyncio
import concurrent.futures
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from backend_client.copying.job_files import JobFiles
from backend_client.exec_session import ExecChannel, ExecSession

_T = TypeVar("_T")
_MOST = 64 * 1024


class ThreadStream:
    """Read or written in a thread, while the session lives in the loop."""

    def __init__(self, files: JobFiles, session: ExecSession) -> None:
        self._files, self._session = files, session
        self._loop = asyncio.get_running_loop()
        self._waiting: concurrent.futures.Future[Any] | None = None
        self._stopped = False
        self.bytes = 0
        self.err = b""

    def read(self, _size: int = -1) -> bytes:
        """Return what comes next; b"" at the end."""
        return self._wait(self._next)

    def write(self, data: bytes) -> int:
        """Send."""
        self._wait(lambda: self._session.send(bytes(data)))
        self.bytes += len(data)
        self._loop.call_soon_threadsafe(self._files.watcher.show, self.bytes, None)
        return len(data)

    def stop(self) -> None:
        """Let whoever reads or writes fail: nobody waits for it any more."""
        self._stopped = True
        if self._waiting:
            self._waiting.cancel()

    async def in_thread(self, call: Callable[[], _T]) -> _T:
        """Call in a thread; where that is cancelled the thread is waited for."""
        task = asyncio.create_task(asyncio.to_thread(call))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            self.stop()
            await asyncio.wait([task])
            raise

    def _wait(self, step: Callable[[], Awaitable[_T]]) -> _T:
        async def awaited() -> _T:
            return await step()

        if self._stopped:
            raise concurrent.futures.CancelledError
        waiting = asyncio.run_coroutine_threadsafe(awaited(), self._loop)
        self._waiting = waiting
        return waiting.result()

    async def _next(self) -> bytes:
        while piece := await self._session.receive():
            channel, data = piece
            if channel is ExecChannel.STDOUT:
                self.bytes += len(data)
                self._files.watcher.show(self.bytes, None)
                return data
            self.err = (self.err + data)[:_MOST]
        return b""
