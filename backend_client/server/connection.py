"""Connection: requests to one server, with the token in a header; errors as sentences, redirects refused.

Every request may be sent twice (a create has its key, the rest names a uid), so what breaks on the
way is repeated a few times. No token is ever part of an error.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from backend_client.errors import BackendError, LoginNeeded, NotFound, Refused, Unreachable, sentence
from backend_client.models.secret import Secret
from backend_client.server.address import is_this_machine
from backend_client.server.bodies import Problem, error_of
from backend_client.server.errors import ConnectionBroken, from_httpx
from backend_client.server.sse import SseStream
from backend_client.server.wire import EVENT_STREAM

if TYPE_CHECKING:
    import httpx

    from backend_client.websocket import WebSocket

T = TypeVar("T")
Query = Mapping[str, str | Sequence[str]]

CONNECT_SECONDS = 3.0
READ_SECONDS = 15.0
ANSWER_SECONDS = 60.0
"""For a whole answer, however slowly it comes, its repeats included."""
OPENING_SECONDS = 40.0
"""For the answer to a WebSocket: behind it a server opens one into a cluster."""
SILENCE_SECONDS = 45.0
"""A stream that says nothing for so long, no heartbeat even, is dead."""
LARGEST_ANSWER = 64 * 2**20
RETRY_PAUSES = (0.05, 0.2, 0.8)
"""Seconds before each repeat of what broke on its way."""
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "traindeck"}


class _Request(Struct, frozen=True):
    method: str
    path: str
    query: Query
    body: bytes
    headers: dict[str, str]
    silence: float
    """Seconds without a byte after which the other side counts as dead."""


class Connection:
    """One caller's connections to one server. Every method may raise a BackendError and nothing else."""

    def __init__(self, url: str, token: Callable[[], Secret | None] | None, *, ca: str = "") -> None:
        """`url`: https://…, http://… of this machine, or unix:///path of a socket. `token` is called before
        each request, so that a renewed login is taken up; in a thread, since a keyring may take its time.
        Without it, public routes can be called. `ca`: a file of certificates to trust instead of the
        system's. Raises Refused where a token or a password must not be sent there.
        """
        self.url = url.rstrip("/")
        parts = urlsplit(self.url)
        self.label = parts.path if parts.scheme == "unix" else parts.netloc + parts.path
        """The server's host, port and path, or its socket, for messages."""
        _check_address(parts.scheme, parts.hostname or "", self.label)
        self._token = token
        self._ca = ca
        self._client: httpx.AsyncClient | None = None
        self._opening = asyncio.Lock()

    async def fetch(self, method: str, path: str, answer: type[T], *, query: Query | None = None) -> T:
        """Send a request without a body, and decode its answer."""
        return self.decode(await self.request(method, path, query=query), answer)

    def decode(self, body: bytes, answer: type[T]) -> T:
        """Decode JSON of the server as a type. Raises Unreachable where it is not of it."""
        try:
            return msgspec.json.decode(body, type=answer)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._protocol_error(f"it answers what cannot be read: {error}") from None

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        more_seconds: float = 0.0,
    ) -> bytes:
        """Send a request and return its whole answer; what breaks on the way is sent again.

        `more_seconds`: that a large body may take, beside `ANSWER_SECONDS`.
        """
        seconds = ANSWER_SECONDS + more_seconds
        kind = {"Content-Type": "application/json"} if body else {}
        request = _Request(method, path, query or {}, body, {**kind, **(headers or {})}, READ_SECONDS)
        try:
            async with asyncio.timeout(seconds):
                return await self._send_until_answered(request)
        except TimeoutError:
            raise Unreachable(f"{self.label} gave no whole answer in {seconds:.3g} s.") from None

    @contextlib.asynccontextmanager
    async def stream(
        self, path: str, *, query: Query | None = None, last: str = ""
    ) -> AsyncIterator[SseStream]:
        """Open a stream of server-sent events behind the event `last`. Not repeated: its reader resumes."""
        headers = {"Accept": EVENT_STREAM} | ({"Last-Event-ID": last} if last else {})
        request = _Request("GET", path, query or {}, b"", headers, SILENCE_SECONDS)
        async with self._send(request) as response:
            kind = response.headers.get("content-type", "")
            if not kind.startswith(EVENT_STREAM):
                raise self._protocol_error(f"it answers {kind or 'nothing'} where events were asked for")
            yield SseStream(response, self.label)

    @contextlib.asynccontextmanager
    async def websocket(self, path: str, *, query: Query | None = None) -> AsyncIterator["WebSocket"]:
        """Open a WebSocket. Not repeated: it may have started something."""
        from backend_client.server.switched import SwitchedStream  # noqa: PLC0415  few requests are one
        from backend_client.websocket import Handshake, WebSocket  # noqa: PLC0415  as above

        handshake = Handshake()
        headers = {"Connection": "Upgrade", **dict(handshake.headers)}
        request = _Request("GET", path, query or {}, b"", headers, OPENING_SECONDS)
        async with self._send(request) as response:
            if response.status_code != 101 or not handshake.is_answered_by(response.headers):
                raise self._protocol_error("it answers what is no WebSocket")
            opened = WebSocket(SwitchedStream(response), self.label)
            try:
                yield opened
            finally:
                opened.close()

    async def aclose(self) -> None:
        """Close all connections."""
        if self._client:
            await self._client.aclose()

    async def _send_until_answered(self, request: _Request) -> bytes:
        pauses = iter(RETRY_PAUSES)
        repeated = False
        while True:
            try:
                async with self._send(request) as response:
                    return await self._read_body(response)
            except NotFound:
                if request.method != "DELETE" or not repeated:
                    raise
                return b""  # the first try was heard
            except ConnectionBroken:
                if (pause := next(pauses, None)) is None:
                    raise
            await asyncio.sleep(pause)
            repeated = True

    @contextlib.asynccontextmanager
    async def _send(self, request: _Request) -> AsyncIterator["httpx.Response"]:
        """Send a request and yield its response, whose body is not read yet. Raises for an error status."""
        client = await self._get_client()
        import httpx  # noqa: PLC0415  it is loaded by now

        sent = client.build_request(
            request.method,
            request.path,
            params=request.query,
            content=request.body or None,
            headers=_HEADERS | await self._authorization() | request.headers,
            timeout=httpx.Timeout(request.silence, connect=CONNECT_SECONDS),
        )
        try:
            response = await client.send(sent, stream=True)
            try:
                if response.status_code >= 300:
                    raise await self._error_of(response)
                yield response
            finally:
                await response.aclose()
        except httpx.HTTPError as error:
            raise from_httpx(error, self.label, request.silence) from None

    async def _get_client(self) -> "httpx.AsyncClient":
        async with self._opening:
            if self._client is None:
                self._client = await asyncio.to_thread(self._make_client)
        if self._client.is_closed:
            raise Unreachable(f"The connection to {self.label} was closed here.")
        return self._client

    def _make_client(self) -> "httpx.AsyncClient":
        from backend_client.server.client import make_client  # noqa: PLC0415  dear

        return make_client(self.url, self._ca, self.label)

    async def _authorization(self) -> dict[str, str]:
        if self._token is None:
            return {}
        token = await asyncio.to_thread(self._token)
        if token is None:
            raise LoginNeeded(f"Nobody is logged in at {self.label}.", self._hint)
        if not (token.reveal().isascii() and token.reveal().isprintable()):
            raise LoginNeeded(f"The token for {self.label} holds characters that no token has.", self._hint)
        return {"Authorization": f"Bearer {token.reveal()}"}

    async def _read_body(self, response: "httpx.Response") -> bytes:
        parts, size = [], 0
        async for part in response.aiter_raw():  # raw: nobody asked for compression, nothing is unpacked
            size += len(part)
            if size > LARGEST_ANSWER:
                raise self._protocol_error(f"it answers more than {LARGEST_ANSWER >> 20} MiB")
            parts.append(part)
        return b"".join(parts)

    async def _error_of(self, response: "httpx.Response") -> BackendError:
        status = response.status_code
        if status < 400:
            return Refused(
                f"{self.label} sends us elsewhere: {response.headers.get('location', '')[:200]}.",
                "A token follows no redirect; log in at that address if you trust it.",
            )
        try:
            problem = msgspec.json.decode(await self._read_body(response), type=Problem)
        except (msgspec.DecodeError, UnicodeDecodeError):
            problem = Problem(title=f"{self.label} answers {status} {response.reason_phrase}".rstrip() + ".")
        error = error_of(problem, status, _seconds(response.headers.get("retry-after", "")))
        if isinstance(error, LoginNeeded):
            error.hint = error.hint or self._hint
        return error

    @property
    def _hint(self) -> str:
        return f"traindeck login {self.url}"

    def _protocol_error(self, what: str) -> Unreachable:
        return Unreachable(sentence(f"{self.label} is no traindeck server of this version: {what}"))


def _check_address(scheme: str, host: str, label: str) -> None:
    if scheme not in ("http", "https", "unix") or not label:
        raise Refused("The server's address begins with https://, or is a socket: unix:///path.")
    if scheme == "http" and not is_this_machine(host):
        raise Refused(
            f"{label} is not this machine, and http would show the login to everyone on the way.",
            f"Use https://{label}",
        )


def _seconds(text: str) -> float | None:
    """Return the seconds of a Retry-After; our server sends no date there."""
    return float(text) if text.isdecimal() else None
