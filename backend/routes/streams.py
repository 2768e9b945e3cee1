"""Streaming answers: they end with the login or the server, or when the client reads no more."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from typing import Annotated, Any, Self

from fastapi import Depends, Request
from fastapi.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from backend.auth.caller import Caller
from backend.auth.password_guard import TooMany
from backend.auth.stream_revocation import Goodbye, StreamRevocations
from backend.routes.deps import CanSee
from backend_client.server.wire import EVENT_STREAM, HEARTBEAT, HEARTBEAT_SECONDS, Bye, watch_frame

MOST = 256
"""Streams of one login at a time: a screen has one for its list, and one for each log that it shows."""
RETRY_SECONDS = 5.0
SEND_TIMEOUT_SECONDS = 60.0
"""Seconds after which a client that takes nothing is cut off."""
PARTING_SECONDS = 0.2
_CLOSING: set[asyncio.Task[None]] = set()
"""Streams that have ended, and are being closed."""
HEADERS = {"X-Accel-Buffering": "no"}
"""A proxy in front (nginx) must not hold events back."""
EVENTS: dict[int | str, dict[str, Any]] = {
    200: {"description": "Server-sent events.", "content": {EVENT_STREAM: {}}}
}


async def count_stream(request: Request, caller: CanSee) -> AsyncGenerator[Caller, None]:
    """Give a route of streams its caller, one of whose `MOST` it is until it has been answered.

    Raises TooMany.
    """
    open_streams: Counter[int] = request.app.state.open_streams
    login = caller.token_id
    if open_streams[login] >= MOST:
        title = f"This login has {MOST} streams open already."
        raise TooMany(title, "Close some screens, or log in again.", RETRY_SECONDS)
    open_streams[login] += 1
    try:
        yield caller
    finally:
        open_streams[login] -= 1
        if not open_streams[login]:
            del open_streams[login]


StreamCaller = Annotated[Caller, Depends(count_stream)]


class RevocableStream(StreamingResponse):
    """A stream that ends with its login or the server, whatever it waits for.

    Every piece must be taken within `SEND_TIMEOUT_SECONDS`; once it is over, within `PARTING_SECONDS`.
    """

    def __init__(
        self,
        revocations: StreamRevocations,
        caller: Caller,
        parts: AsyncGenerator[bytes, None],
        media_type: str,
        *,
        heartbeat: bytes = b"",
        farewell: Callable[[Bye], bytes] | None = None,
    ) -> None:
        """`heartbeat` is sent into a long silence; `farewell` makes the last part."""
        super().__init__(parts, media_type=media_type, headers=HEADERS)
        self._registered = revocations.until_revoked(caller)
        self._parts, self._heartbeat, self._farewell = parts, heartbeat, farewell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._registered as bye:
            self.body_iterator = flow = self._flow(bye)
            async with contextlib.aclosing(flow):  # of who leaves while a part is sent, too
                with contextlib.suppress(TimeoutError):
                    async with SendLimit(send, bye) as limited:
                        await super().__call__(scope, receive, limited.send)

    async def _flow(self, bye: Goodbye) -> AsyncGenerator[bytes, None]:
        coming: asyncio.Future[bytes] | None = None
        try:
            while True:
                coming = coming or asyncio.ensure_future(anext(self._parts))
                either: set[asyncio.Future[Any]] = {coming, bye}
                await asyncio.wait(either, timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if bye.done():
                    if self._farewell:
                        yield self._farewell(bye.result())
                    return
                if not coming.done():
                    if self._heartbeat:
                        yield self._heartbeat
                    continue
                try:
                    part = coming.result()
                except StopAsyncIteration:
                    return
                coming = None
                yield part
        finally:
            _close_beside(self._parts, coming)  # a log takes its time to close, and a revoked reader has none


class SendLimit:
    """Cuts off a client that takes nothing. One timer for a whole stream: hundreds of them send at once."""

    def __init__(self, send: Send, bye: Goodbye) -> None:
        self._send, self._bye = send, bye
        self._loop = asyncio.get_running_loop()
        self._cut = asyncio.timeout(None)
        self._began: float | None = None
        """When the piece that is being sent began to be."""

    async def send(self, message: Message) -> None:
        """Send a piece. Raises TimeoutError at the end of the `with`, where it is not taken in time."""
        self._began = self._loop.time()
        await self._send(message)
        self._began = None

    async def __aenter__(self) -> Self:
        await self._cut.__aenter__()
        self._timer = self._loop.call_later(SEND_TIMEOUT_SECONDS, self._look)
        self._bye.add_done_callback(self._look)
        return self

    async def __aexit__(self, *error: Any) -> None:
        self._bye.remove_done_callback(self._look)
        self._timer.cancel()
        await self._cut.__aexit__(*error)

    def _look(self, _bye: Goodbye | None = None) -> None:
        """Cut the stream off where a piece has been sent for too long, and look again in time."""
        limit, now = PARTING_SECONDS if self._bye.done() else SEND_TIMEOUT_SECONDS, self._loop.time()
        if self._began is not None and self._began <= now - limit:
            self._cut.reschedule(now)
        else:
            self._timer.cancel()
            self._timer = self._loop.call_later(limit, self._look)


def _close_beside(parts: AsyncGenerator[bytes, None], coming: asyncio.Future[bytes] | None) -> None:
    async def close() -> None:
        if coming:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
        await parts.aclose()

    task = asyncio.ensure_future(close())
    _CLOSING.add(task)
    task.add_done_callback(_CLOSING.discard)


def event_stream(
    revocations: StreamRevocations,
    caller: Caller,
    frames: AsyncGenerator[bytes, None],
    heartbeat: bytes = HEARTBEAT,
) -> RevocableStream:
    """Answer with a stream of server-sent events, its heartbeats and its goodbye."""
    return RevocableStream(
        revocations, caller, frames, EVENT_STREAM, heartbeat=heartbeat, farewell=watch_frame
    )


def text_stream(
    revocations: StreamRevocations, caller: Caller, parts: AsyncGenerator[bytes, None]
) -> RevocableStream:
    """Answer with a stream of plain text."""
    return RevocableStream(revocations, caller, parts, "text/plain; charset=utf-8")
