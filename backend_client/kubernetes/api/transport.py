"""HTTP requests to one API server: login, idle connections kept for reuse, errors in words.

Why h11 and not httpx: the import of httpx costs about 0.2 s, which the verb `jobs` cannot afford
(tests/test_imports.py counts it among the dear imports). Client keys are loaded from memory and never touch a
disk (tls.py). And a watch or a log is read as "all bytes that are there", so that a burst becomes one batch.

A GET is sent once more where an idle connection turns out to be dead; a write never is: write/retrying_client
sends it again, and looks first; nor is a GET that asks for another protocol, as it may start a program. After
a 401, which did nothing, any request is sent once more with a renewed login. No credential is ever part of an
error.
"""

import asyncio
import contextlib
import re
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Container, Iterable, Mapping, Sequence
from typing import TypeVar
from urllib.parse import urlencode

from msgspec import Struct

from backend_client.errors import Refused, Unreachable, sentence
from backend_client.kubernetes.api.connection import Broken, Connection, Head, describe_error, dial
from backend_client.kubernetes.api.credentials import Login
from backend_client.kubernetes.api.errors import describe_request, error_from_status, parse_status
from backend_client.kubernetes.api.kubeconfig import Target
from backend_client.kubernetes.api.tls import client_context

D = TypeVar("D")

JSON = "application/json"
REQUEST_SECONDS = 15.0
_MAX_IDLE_SECONDS = 30.0
_MAX_IDLE_CONNECTIONS = 8
_WARNING = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')


class Response(Struct, frozen=True):
    """A whole response."""

    status: int
    headers: dict[str, str]
    """Lower-case names; the last of several wins."""
    body: bytes
    warnings: tuple[str, ...] = ()
    """The texts of the server's `Warning` headers."""


class Stream:
    """A response whose body goes on: a watch, a log."""

    def __init__(self, connection: Connection, head: Head) -> None:
        self.status = head.status_code
        self._connection = connection

    async def read(self) -> bytes:
        """Return all bytes that are there, b"" at the end. Safe to cancel. Raises Unreachable."""
        try:
            return await self._connection.read()
        except Broken as error:
            raise Unreachable(sentence(f"The connection broke: {describe_error(error)}")) from None


_REVIEWS = ("/apis/authorization.k8s.io/", "/apis/authentication.k8s.io/")


class _Request(Struct, frozen=True):
    method: str
    path: str
    query: Mapping[str, str] | Sequence[tuple[str, str]]
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    accept: str = JSON
    switches: bool = False
    """It asks to go on in another protocol."""
    most_bytes: int = 0
    """Of its answer; 0: there is no limit."""

    @property
    def target(self) -> str:
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path

    @property
    def only_asks(self) -> bool:
        """True where it changes nothing, and may be sent again: a review is a POST that creates no object."""
        return (self.method == "GET" and not self.switches) or self.path.startswith(_REVIEWS)


class Transport:
    """One caller's connections to one cluster. Every method may raise a BackendError."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._idle: list[Connection] = []
        self._tls: ssl.SSLContext | None = None
        self._login: Login | None = None
        """The login whose certificate `_tls` and all idle connections use."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
        content_type: str = JSON,
        accept: str = JSON,
        timeout: float = REQUEST_SECONDS,  # noqa: ASYNC109  part of what failing means
        allow: Container[int] = (),
        most_bytes: int = 0,
    ) -> Response:
        """Send a request and return its whole response.

        `timeout` seconds for its head, and as many again for the rest. A status of 300 or more raises its
        `error_from_status`, unless it is in `allow`. A larger body than `most_bytes` raises Refused: of what
        is not the API server's own; that has no limit.
        """
        headers = [("Accept-Encoding", "gzip")]
        if body:
            headers += [("Content-Type", content_type), ("Content-Length", str(len(body)))]
        request = _Request(method, path, query or {}, tuple(headers), body, accept, most_bytes=most_bytes)
        async with self._exchange(request, timeout, allow) as (connection, head):
            return await self._read_response(request, connection, head, timeout)

    @contextlib.asynccontextmanager
    async def stream(
        self,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        timeout: float = REQUEST_SECONDS,  # noqa: ASYNC109  as above
        allow: Container[int] = (),
    ) -> AsyncIterator[Stream]:
        """Open a GET whose response goes on: a watch, a log. `timeout` is for its head alone."""
        request = _Request("GET", path, query or {})
        async with self._exchange(request, timeout, allow) as (connection, head):
            yield Stream(connection, head)

    async def switch(
        self,
        path: str,
        *,
        query: Sequence[tuple[str, str]],
        headers: Iterable[tuple[str, str]],
        timeout: float = REQUEST_SECONDS,  # noqa: ASYNC109  as above
    ) -> tuple[Connection | None, Response]:
        """Ask to go on in another protocol, which `headers` name, over a connection of its own.

        Return that connection, which is the caller's to close, and the response; None with a response that
        refuses, whatever its status is.
        """
        asked = (("Connection", "Upgrade"), *headers)
        request = _Request("GET", path, query, asked, accept="*/*", switches=True)  # JSON: a kubelet's 406
        connection, head = await self._send_with_login(request, timeout)
        if head.status_code == 101:
            return connection, Response(101, _names_lowered(head), b"")
        try:
            return None, await self._read_response(request, connection, head, timeout)
        finally:
            self._keep_or_close(connection)

    async def aclose(self) -> None:
        """Close the idle connections; those in use close with their requests."""
        self._drop_idle()
        await asyncio.sleep(0)  # asyncio closes sockets in its next round

    @contextlib.asynccontextmanager
    async def _exchange(
        self, request: _Request, seconds: float, allow: Container[int]
    ) -> AsyncIterator[tuple[Connection, Head]]:
        connection, head = await self._send_with_login(request, seconds)
        try:
            if head.status_code >= 300 and head.status_code not in allow:
                response = await self._read_response(request, connection, head, seconds)
                status = parse_status(response.status, response.body)
                raise error_from_status(status, request.method, request.path, response.headers)
            yield connection, head
        finally:
            self._keep_or_close(connection)

    async def _send_with_login(self, request: _Request, seconds: float) -> tuple[Connection, Head]:
        """Send a request, and once more after a 401 if there is a newer login: a 401 has changed nothing."""
        credentials = self.target.credentials
        login = await credentials.login()
        connection, head = await self._within(self._send(request, login), request, seconds)
        if head.status_code == 401:
            try:
                renewed = await credentials.login(rejected=login)
            except BaseException:
                connection.close()
                raise
            if renewed is not login:
                connection.close()
                return await self._within(self._send(request, renewed), request, seconds)
        return connection, head

    async def _send(self, request: _Request, login: Login) -> tuple[Connection, Head]:
        headers = self._headers(request, login)
        path = self.target.base_path + request.target
        tls = self._tls_context(login)
        while True:
            idle = None if request.switches else self._take_idle()
            connection = idle or await dial(
                self.target.address, tls, with_login=login.authorization is not None
            )
            try:
                return connection, await connection.send(request.method, path, headers, request.body)
            except Broken as error:
                connection.close()
                self._drop_idle()
                if connection.idle_since is None or not request.only_asks:
                    raise self._connection_error(error) from None
            except BaseException:
                connection.close()
                raise

    async def _read_response(
        self, request: _Request, connection: Connection, head: Head, seconds: float
    ) -> Response:
        headers = _names_lowered(head)
        try:
            body = await self._within(_read_body(connection, request.most_bytes), request, seconds)
            if headers.get("content-encoding") == "gzip":
                body = _unzip(body, request.most_bytes)
        except (*Broken, zlib.error) as error:
            raise self._connection_error(error) from None
        except _TooLargeError:
            described = describe_request(request.method, request.path)
            raise Refused(
                f"The answer is larger than {request.most_bytes >> 20} MiB ({described})."
            ) from None
        return Response(head.status_code, headers, body, _warnings(head))

    async def _within(self, operation: Awaitable[D], request: _Request, seconds: float) -> D:
        try:
            async with asyncio.timeout(seconds):
                return await operation
        except TimeoutError:
            self._drop_idle()
            described = describe_request(request.method, request.path)
            raise Unreachable(
                f"{self.target.address} gave no answer in {seconds:g} s ({described})."
            ) from None

    def _connection_error(self, error: Exception) -> Unreachable:
        return Unreachable(
            sentence(f"The connection to {self.target.address} broke: {describe_error(error)}")
        )

    def _headers(self, request: _Request, login: Login) -> list[tuple[str, str]]:
        own = [
            ("Host", str(self.target.address)),
            ("User-Agent", "traindeck"),
            ("Accept", request.accept),
        ]
        if login.authorization:
            own.append(("Authorization", login.authorization.reveal()))
        return [*own, *self.target.headers, *request.headers]

    def _tls_context(self, login: Login) -> ssl.SSLContext | None:
        """Return the TLS context; a new certificate makes a new one and closes all idle connections."""
        if self._login is None or self._login.certificate != login.certificate:
            self._tls = client_context(self.target, login.certificate)
            self._drop_idle()
        self._login = login
        return self._tls

    def _take_idle(self) -> Connection | None:
        oldest = asyncio.get_running_loop().time() - _MAX_IDLE_SECONDS
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open and (connection.idle_since or 0.0) > oldest:
                return connection
            connection.close()
        return None

    def _keep_or_close(self, connection: Connection) -> None:
        if len(self._idle) < _MAX_IDLE_CONNECTIONS and connection.reuse():
            self._idle.append(connection)
        else:
            connection.close()

    def _drop_idle(self) -> None:
        while self._idle:
            self._idle.pop().close()


class _TooLargeError(Exception):
    """A body has more bytes than were asked for."""


async def _read_body(connection: Connection, most: int) -> bytes:
    """Return a body. Raises _TooLargeError where it has more than `most` bytes; 0 is no limit."""
    parts, size = [], 0
    while part := await connection.read():
        parts.append(part)
        size += len(part)
        if most and size > most:
            raise _TooLargeError
    return b"".join(parts)


def _names_lowered(head: Head) -> dict[str, str]:
    return {name.decode(): value.decode("latin-1") for name, value in head.headers}


def _unzip(body: bytes, most: int) -> bytes:
    """Return what was packed. Raises zlib.error; _TooLargeError as `_read_body`."""
    if not most:
        return zlib.decompress(body, 31)
    unpacking = zlib.decompressobj(31)
    unpacked = unpacking.decompress(body, most)
    if unpacking.unconsumed_tail:
        raise _TooLargeError
    if not unpacking.eof:
        raise zlib.error("it ends too early")
    return unpacked


def _warnings(head: Head) -> tuple[str, ...]:
    values = [value.decode("utf-8", "replace") for name, value in head.headers if name == b"warning"]
    return tuple(re.sub(r"\\(.)", r"\1", text) for value in values for text in _WARNING.findall(value))
