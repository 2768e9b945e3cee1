"""DeletionWatch: request the deletion of a job once, then report its steps until it is gone."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping

import msgspec

from backend_client.errors import BackendError, NotFound, Unreachable, fragment
from backend_client.protocol import DeleteStep, Gone
from backend_client.server.connection import READ_SECONDS, RETRY_PAUSES, Connection
from backend_client.server.errors import ConnectionBroken
from backend_client.server.sse import SseEvent
from backend_client.server.watch import PATH
from backend_client.server.wire import Step, read_watch

_CHECK_SECONDS = 2.0
"""After so long without an event, check whether the job is still there: a broken watch may have missed it."""


class DeletionWatch:
    """The deletion of one job."""

    def __init__(self, connection: Connection, path: str, query: Mapping[str, str]) -> None:
        """`path` and `query` name the job, by its uid too."""
        self._connection = connection
        self._path = path
        self._query = query
        self._uid = query["uid"]
        self._listening = asyncio.Event()
        """Set once no step is missed any more, or where the server lets nobody listen."""
        self._steps: asyncio.Queue[DeleteStep | None] = asyncio.Queue()
        """Steps; None: it is gone."""

    async def steps(self, *, wait: bool) -> AsyncGenerator[DeleteStep, None]:
        """Delete the job, and yield the steps until it is gone; without `wait` only request it.

        Raises NotFound where it was gone already, or the error of the request.
        """
        if not wait:
            await self._connection.request("DELETE", self._path, query={**self._query, "wait": "false"})
            return
        listener = asyncio.create_task(self._listen())
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(READ_SECONDS):
                    await self._listening.wait()
            await self._connection.request("DELETE", self._path, query=self._query)
            while step := await self._next_step():
                yield step
        finally:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)

    async def _next_step(self) -> DeleteStep | None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CHECK_SECONDS):
                    return await self._steps.get()
            try:
                await self._connection.request("GET", self._path, query=self._query)
            except NotFound:
                return None
            except Unreachable as error:
                return DeleteStep(f"the server has taken the deletion on; {fragment(error.title)}")

    async def _listen(self) -> None:
        """Watch this job; on a new connection whenever one breaks, behind the event that was read last."""
        pauses, last = iter(RETRY_PAUSES), ""
        while True:
            try:
                async with self._connection.stream(PATH, query={"uid": self._uid}, last=last) as stream:
                    async for events in stream.batches():
                        for event in events:
                            self._handle(event)
                            last = "" if event.event == "lagged" else event.id or last
                        if last:
                            self._listening.set()
            except ConnectionBroken:
                pass
            except BackendError:
                self._listening.set()
            await asyncio.sleep(next(pauses, _CHECK_SECONDS))

    def _handle(self, event: SseEvent) -> None:
        with contextlib.suppress(msgspec.DecodeError):
            match read_watch(event.event, event.data) if event.event in ("step", "gone") else None:
                case Step(self._uid, message, slow):
                    self._steps.put_nowait(DeleteStep(message, slow))
                case Gone(refs) if any(ref.uid == self._uid for ref in refs):
                    self._steps.put_nowait(None)
