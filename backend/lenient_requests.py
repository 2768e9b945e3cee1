"""Requests taken as they are meant: HEAD as GET without a body.

FastAPI's routes do not know it. (RFC 9110, 9.3.2: HEAD is GET, but for the content.) A compressed body is
refused before anybody reads it.
"""

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.error_responses import COMPRESSED, problem_response


class LenientRequests:
    """The innermost layer around the routes."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if Headers(scope=scope).get("content-encoding", "identity").lower() != "identity":
            refusal = problem_response(COMPRESSED, scope.get("request_id", ""), 415)
            refusal.headers["Accept-Encoding"] = "identity"
            await refusal(scope, receive, send)
            return
        if scope["method"] == "HEAD":
            await _head(self.app, scope, receive, send)
        else:
            await self.app(scope, receive, send)


async def _head(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the head of a GET. What would go on (a watch, a log) ends there."""
    answered = asyncio.Event()

    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)
            await send({"type": "http.response.body", "body": b""})
            answered.set()

    work = asyncio.ensure_future(app(dict(scope, method="GET"), receive, send_head))
    ended = asyncio.ensure_future(answered.wait())
    try:
        await asyncio.wait((work, ended), return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
    finally:
        for task in (work, ended):
            task.cancel()
        await asyncio.gather(work, ended, return_exceptions=True)
