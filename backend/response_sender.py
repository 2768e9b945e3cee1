"""How answers leave the server: with headers that every one has; and how a WebSocket gets none."""

import time
from collections.abc import Mapping

from fastapi import Response
from starlette.datastructures import MutableHeaders
from starlette.types import Message, Receive, Scope, Send

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
HSTS = {"Strict-Transport-Security": "max-age=2592000"}
"""Where TLS is the server's own: a browser that was here asks for it by itself, for 30 days."""
_POLICY_VIOLATION = 1008
"""The code of a WebSocket that is closed before it was open (RFC 6455, 7.4.1)."""
_DENIAL = "websocket.http.response"
"""The extension of ASGI by which a WebSocket is refused with an answer of HTTP."""
_STATUS_OF_SOCKET = {"websocket.accept": 101, "websocket.close": 403}
"""What servers answer to the first message of a WebSocket's app."""


class ResponseSender:
    """Sends an answer on, with the headers that every answer has."""

    def __init__(self, send: Send, request: str, headers: Mapping[str, str]) -> None:
        self.send, self.request, self.headers, self.status = send, request, headers, 0
        self.began = 0.0
        """When the answer began, by the monotonic clock."""

    async def __call__(self, message: Message) -> None:
        kind = message["type"]
        if kind in ("http.response.start", f"{_DENIAL}.start"):
            self.status, self.began = message["status"], time.monotonic()
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self.request
            for name, value in self.headers.items():
                headers.setdefault(name, value)
        elif kind in _STATUS_OF_SOCKET and not self.status:
            self.status, self.began = _STATUS_OF_SOCKET[kind], time.monotonic()
        await self.send(message)


async def refuse(refusal: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer instead of the app; a WebSocket is closed where its server cannot send it an answer."""
    if scope["type"] == "http" or _DENIAL in (scope.get("extensions") or ()):
        await refusal(scope, receive, send)
    else:
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
