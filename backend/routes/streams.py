"""Streaming answers: they end with the login or the server, or when the client reads no more."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

from fastapi.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from backend.auth.caller import Caller
from backend.auth.stream_revocation import StreamRevocations
from backend_client.server.wire import EVENT_STREAM, HEARTBEAT, HEARTBEAT_SECONDS, Bye, watch_frame

SEND_TIMEOUT_SECONDS = 60.0
"""Seconds after which a client that takes nothing is cut off."""
HEADERS = {"X-Accel-Buffering": "no"}
"""A proxy in front (nginx) must not hold events back."""
EVENTS: dict[int | str, dict[str, Any]] = {
    200: {"description": "Server-sent events.", "content": {EVENT_STREAM: {}}}
}


class BoundedStreamingResponse(StreamingResponse):
    """A stream whose every piece must be taken within `SEND_TIMEOUT_SECONDS`."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def within(message: Message) -> None:
            async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
                await send(message)

        with contextlib.suppress(TimeoutError):
            await super().__call__(scope, receive, within)


def event_stream(
    revocations: StreamRevocations, caller: Caller, frames: AsyncGenerator[bytes, None]
) -> BoundedStreamingResponse:
    """Answer with a stream of server-sent events, its heartbeats and its goodbye."""
    flow = until_goodbye(revocations, caller, frames, heartbeat=HEARTBEAT, farewell=watch_frame)
    return BoundedStreamingResponse(flow, media_type=EVENT_STREAM, headers=HEADERS)


def text_stream(
    revocations: StreamRevocations,
    caller: Caller,
    parts: AsyncGenerator[bytes, None],
    headers: Mapping[str, str],
) -> BoundedStreamingResponse:
    """Answer with a stream of plain text."""
    flow = until_goodbye(revocations, caller, parts)
    return BoundedStreamingResponse(
        flow, media_type="text/plain; charset=utf-8", headers={**HEADERS, **headers}
    )


async def until_goodbye(
    revocations: StreamRevocations,
    caller: Caller,
    parts: AsyncGenerator[bytes, None],
    *,
    heartbeat: bytes = b"",
    farewell: Callable[[Bye], bytes] | None = None,
) -> AsyncGenerator[bytes, None]:
    """Yield parts until the login or the server ends.

    `heartbeat` is sent into a long silence; `farewell` makes the last part.
    """
    coming: asyncio.Future[bytes] | None = None
    try:
        async with revocations.until_revoked(caller) as bye:
            while True:
                coming = coming or asyncio.ensure_future(anext(parts))
                either: set[asyncio.Future[Any]] = {coming, bye}
                await asyncio.wait(either, timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if bye.done():
                    if farewell:
                        yield farewell(bye.result())
                    return
                if not coming.done():
                    if heartbeat:
                        yield heartbeat
                    continue
                try:
                    part = coming.result()
                except StopAsyncIteration:
                    return
                coming = None
                yield part
    finally:
        if coming:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
        await parts.aclose()
