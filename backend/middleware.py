"""The middleware of every request: request id, allowed hosts, rate limit, security headers."""

import ipaddress
import logging
import re
import secrets
import time
from collections.abc import Iterable

from fastapi import Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.auth.tokens import digest, well_formed
from backend.error_responses import problem_response, too_large
from backend.rate_limit import RateLimiter
from backend_client.errors import BackendError, Refused, Unreachable

PROBES = ("/livez", "/readyz")
log = logging.getLogger("traindeck.requests")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class RequestGuard:
    """The outermost layer of the app. `hosts`: the names that a Host header may have, beside an address.

    So no web page can have its own name bound to this server's address and talk to it.
    """

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str], rate: float, burst: int, max_body: int) -> None:
        self.app = app
        self.hosts = {"localhost", *(name.lower() for name in hosts)}
        self.max_body = max_body
        self.rates = RateLimiter(rate, burst)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers, began = Headers(scope=scope), time.monotonic()
        requested_id = headers.get("x-request-id", "")
        scope["request_id"] = requested_id if _REQUEST_ID.fullmatch(requested_id) else secrets.token_hex(8)
        sender = _ResponseSender(send, scope["request_id"])
        try:
            refusal = self._refusal(scope, headers)
            await (refusal or self.app)(scope, receive, sender)
        except Exception:
            log.exception("a defect", extra={"request_id": scope["request_id"]})
            if not sender.status:
                await _internal_error(scope["request_id"])(scope, receive, sender)
        if sender.status == 401:
            self.rates.take(_address(scope))
        _log_request(scope, sender.status, time.monotonic() - began)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        name = re.sub(r":\d*$", "", headers.get("host", "").lower())
        if name not in self.hosts and not _is_address(name):
            error = Refused(
                "This server is not known by that name.", "Its admin names it: TRAINDECK_SERVER_HOSTS"
            )
            return problem_response(error, scope["request_id"], 421)
        if int(headers.get("content-length") or 0) > self.max_body:
            return problem_response(too_large(self.max_body), scope["request_id"], 413)
        wait = self._wait_seconds(_address(scope), headers.get("authorization", ""))
        if wait:
            slow: BackendError = Unreachable("Too many requests.", "Wait a little.", retry_after=wait)
            return problem_response(slow, scope["request_id"], 429)
        return None

    def _wait_seconds(self, address: str, authorization: str) -> float:
        """Return the seconds until a request is within its rate: of its login, or of its address without one.

        A login has its own bucket; whoever only tries tokens empties that of the address.
        """
        token = authorization.partition(" ")[2].strip()
        if not well_formed(token):
            return self.rates.take(address)
        return self.rates.wait_seconds(address) or self.rates.take(digest(token))


class _ResponseSender:
    """Sends an answer on, with the headers that every answer has."""

    def __init__(self, send: Send, request: str) -> None:
        self.send, self.request, self.status = send, request, 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self.request
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
        await self.send(message)


def _internal_error(request: str) -> Response:
    hint = f"This is a defect; the server's log has more under {request}."
    return problem_response(BackendError("The server failed.", hint), request, 500)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client and client[0] else "local"


def _log_request(scope: Scope, status: int, seconds: float) -> None:
    """Log a request without query and headers, which may hold secrets. Probes that succeed are left out."""
    if scope["path"] in PROBES and status < 400:
        return
    fields = {
        "request_id": scope["request_id"],
        "address": _address(scope),
        "method": scope["method"],
        "path": scope["path"][:200],
        "status": status,
        "ms": round(seconds * 1000, 1),
    }
    log.info("request", extra=fields)
