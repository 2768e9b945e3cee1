"""The middleware of every request and WebSocket: id, allowed hosts, origin, rate, security headers."""

import asyncio
import ipaddress
import logging
import re
import secrets
import time
from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import Response
from starlette.datastructures import Headers
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from backend.auth.cookie import token_of
from backend.auth.known_logins import KnownLogins
from backend.auth.same_origin import SAFE_METHODS, is_own
from backend.error_responses import AnyAnswer, problem_response, too_large
from backend.rate_limit import RateLimiter
from backend.request_counts import RequestCounts
from backend.response_sender import HSTS, SECURITY_HEADERS, ResponseSender, refuse
from backend_client.errors import BackendError, Forbidden, Refused, Unreachable
from backend_client.models.code import LARGEST

PROBES = ("/livez", "/readyz")
PASSWORD_PATHS = ("/api/auth/login", "/api/auth/register", "/login", "/register")
HTTP_VERSIONS = ("1.0", "1.1")
MAX_HEAD = 32 * 2**10
"""Bytes of the path and the headers of a request."""
LOGIN_SHARE = 0.2
"""Of the rate: tries of passwords from one address. Fewer than two cores can hash."""
CLIENT_LEFT = 499
"""The status in the log where the client did not wait for an answer; nginx's number."""
log = logging.getLogger("traindeck.requests")
_ABSOLUTE = re.compile(r"https?://([^/]*)", re.IGNORECASE)
_CODE_PATH = re.compile(r"/api/code/[0-9a-f]{64}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def body_limit(scope: Mapping[str, Any], most: int) -> int:
    """Return the bytes that a request's body may have: `most`, but for packed code, whose route counts."""
    is_code = scope.get("method") == "PUT" and _CODE_PATH.fullmatch(scope["path"])
    return max(most, LARGEST) if is_code else most


class BodyLimit:
    """Counts the bytes of a body as they come, whatever its head says, and ends it at its limit."""

    def __init__(self, app: ASGIApp, *, most: int) -> None:
        self.app = app
        self.most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = body_limit(scope, self.most)
        await RequestBodyLimitMiddleware(self.app, max_body_size=limit)(scope, receive, send)


class RequestGuard:
    """The outermost layer of the app. `hosts`: the names that a Host header may have, beside an address.

    So no web page can have its own name bound to this server's address and talk to it. `own_tls`: no proxy in
    front speaks it.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Iterable[str],
        rate: float,
        burst: int,
        max_body: int,
        root_path: str,
        known_logins: KnownLogins,
        answer: AnyAnswer,
        counts: RequestCounts | None = None,
        own_tls: bool = False,
    ) -> None:
        self.app = app
        self.hosts = {"localhost", *(name.lower() for name in hosts)}
        self.max_body = max_body
        self.root_path = root_path
        self.known_logins = known_logins
        self.answer = answer
        self.counts = counts or RequestCounts()
        self.headers = SECURITY_HEADERS | (HSTS if own_tls else {})
        self.rates = RateLimiter(rate, burst)
        self.login_rates = RateLimiter(rate * LOGIN_SHARE, max(1, int(burst * LOGIN_SHARE)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        self._normalize_path(scope)
        headers, began = Headers(scope=scope), time.monotonic()
        requested_id = headers.get("x-request-id", "")
        scope["request_id"] = requested_id if _REQUEST_ID.fullmatch(requested_id) else secrets.token_hex(8)
        sender = ResponseSender(send, scope["request_id"], self.headers)
        try:
            if refusal := self._refusal(scope, headers):
                await refuse(refusal, scope, receive, sender)
            else:
                await self.app(scope, receive, sender)
        except ClientDisconnect:
            sender.status = sender.status or CLIENT_LEFT
        except asyncio.CancelledError:  # the server stops, and its patience has ended
            if not sender.status:
                await refuse(_stopping(scope["request_id"]), scope, receive, sender)
            raise
        except Exception:
            log.exception("a defect", extra={"request_id": scope["request_id"]})
            if not sender.status:
                await refuse(_internal_error(scope["request_id"]), scope, receive, sender)
        self._count(scope, sender, began)
        _log_request(scope, sender.status, time.monotonic() - began)

    def _count(self, scope: Scope, sender: "ResponseSender", began: float) -> None:
        route = getattr(scope.get("route"), "path", "")
        seconds = (sender.began or time.monotonic()) - began
        self.counts.add(_method(scope), route, sender.status, seconds)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        if framing := _framing_error(scope, headers):
            return framing
        name = re.sub(r":\d*$", "", headers.get("host", "").lower())
        if scope["path"] not in PROBES and name not in self.hosts and not _is_address(name):
            error = Refused(
                "This server is not known by that name.", "Its admin names it: TRAINDECK_SERVER_HOSTS"
            )
            return self._answer(scope, error, 421)
        if not is_own(scope, headers):
            foreign = Forbidden(
                "This request comes from another site.", "Open this server's own page, and do it there."
            )
            return self._answer(scope, foreign, 403)
        if int(headers.get("content-length") or 0) > (most := body_limit(scope, self.max_body)):
            return self._answer(scope, too_large(most), 413)
        wait = self._wait_seconds(scope, token_of(headers))
        if wait:
            slow: BackendError = Unreachable("Too many requests.", "Wait a little.", retry_after=wait)
            return self._answer(scope, slow, 429)
        return None

    def _answer(self, scope: Scope, error: BackendError, status: int) -> Response:
        request = HTTPConnection(scope) if scope["type"] == "websocket" else Request(scope)
        return self.answer(request, error, status)

    def _wait_seconds(self, scope: Scope, token: str | None) -> float:
        """Return the seconds until a request is within its rate: of its login, or of its address without one.

        A login has its own bucket, whatever others do at its address; whoever only tries tokens empties that
        of the address. Passwords have a smaller one there: each costs what a thousand other requests do.
        """
        login = self.known_logins.find(token)
        tries = scope["path"] in PASSWORD_PATHS and _method(scope) not in SAFE_METHODS
        rates = self.login_rates if tries else self.rates
        return rates.take(login or _address(scope))

    def _normalize_path(self, scope: Scope) -> None:
        """Take the target's scheme and host (RFC 9112, 3.2.2), the path of this server, and a slash at the
        end off the path: what follows, the limits first, knows one path for each route.
        """
        path: str = scope["path"]
        if absolute := _ABSOLUTE.match(path):
            scope["headers"] = [(name, value) for name, value in scope["headers"] if name != b"host"]
            scope["headers"].append((b"host", absolute[1].encode()))
            path = path[absolute.end() :] or "/"
        if self.root_path and f"{path}/".startswith(f"{self.root_path}/"):
            path = path.removeprefix(self.root_path)
        scope["path"] = path.rstrip("/") or "/"


def _method(scope: Scope) -> str:
    """Return the method of a request; the handshake of a WebSocket is a GET."""
    method: str = scope.get("method", "GET")
    return method


def _internal_error(request: str) -> Response:
    hint = f"This is a defect; the server's log has more under {request}."
    return problem_response(BackendError("The server failed.", hint), request, 500)


def _framing_error(scope: Scope, headers: Headers) -> Response | None:
    """Refuse what a proxy in front may read otherwise than we do, and heads that nobody needs; then close."""
    size = len(scope["path"]) + sum(len(name) + len(value) for name, value in scope["headers"])
    error, status = Refused("The head of the request is too large.", f"At most {MAX_HEAD} bytes."), 431
    if scope["http_version"] not in HTTP_VERSIONS:
        error, status = (
            Refused(f"This server speaks no HTTP/{scope['http_version'][:5]}.", "Speak HTTP/1.1."),
            505,
        )
    elif "transfer-encoding" in headers and "content-length" in headers:
        error = Refused("The request has two lengths.", "Content-Length, or Transfer-Encoding: chunked.")
        status = 400
    elif size <= MAX_HEAD:
        return None
    response = problem_response(error, scope["request_id"], status)
    response.headers["Connection"] = "close"
    return response


def _stopping(request: str) -> Response:
    return problem_response(Unreachable("The server stops.", "Try again in a moment."), request, 503)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client and client[0] else "unknown"


def _log_request(scope: Scope, status: int, seconds: float) -> None:
    """Log a request without query and headers, which may hold secrets. Probes that succeed are left out."""
    if scope["path"] in PROBES and status < 400:
        return
    fields = {
        "request_id": scope["request_id"],
        "address": _address(scope),
        "method": _method(scope),
        "path": scope["path"][:200],
        "status": status,
        "ms": round(seconds * 1000, 1),
    }
    log.info("request", extra=fields)
