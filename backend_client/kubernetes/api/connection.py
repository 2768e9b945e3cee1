"""One HTTP/1.1 connection to an API server: asyncio streams, TLS, an HTTP proxy, h11 for the grammar."""

import asyncio
import base64
import os
import socket
import ssl
from collections.abc import Iterable
from urllib.parse import SplitResult, unquote, urlsplit

import h11
from msgspec import Struct

from backend_client.errors import Refused, Unreachable, sentence
from backend_client.kubernetes.api.proxy import SOCKS
from backend_client.local_peer import check_local_peer, is_within_this_machine

CONNECT_SECONDS = 3.0
_READ = 256 * 1024
_LONGEST_HEAD = 256 * 1024
_TRUSTED = "Log in by an https address, or start your own `kubectl proxy` or tunnel: that one is trusted."
# A cut cable is noticed in 30 s (tcp(7): TCP_USER_TIMEOUT). Options that a platform lacks are skipped.
_SOCKET_OPTIONS = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 30_000}

Broken = (OSError, EOFError, h11.ProtocolError)
"""The errors of a broken connection: refused, reset, ended early, not HTTP."""
Head = h11.Response | h11.InformationalResponse
"""The head of a response: a final one, or a 101."""


class Address(Struct, frozen=True):
    """The address of an API server, and the proxy that leads to it."""

    host: str
    port: int
    server_name: str
    """The name that its certificate must have."""
    proxy: str = ""
    """URL of an HTTP or SOCKS5 proxy, login included."""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def proxy_without_login(self) -> str:
        """The proxy's host and port, fit to be shown."""
        return self.proxy.rsplit("@", 1)[-1].split("://", 1)[-1]


class Connection:
    """An open connection: one exchange after another. Whatever breaks it raises one of `Broken`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_HEAD)
        self._ended: h11.EndOfMessage | None = None
        self.idle_since: float | None = None
        """Loop time since which it waits for its next exchange; None for a new one."""

    async def send(self, method: str, path: str, headers: Iterable[tuple[str, str]], body: bytes) -> Head:
        """Send a request and return the head of its response; behind a 101 another protocol goes on."""
        parts = [self._http.send(h11.Request(method=method, target=path, headers=list(headers)))]
        if body:
            parts.append(self._http.send(h11.Data(data=body)))
        parts.append(self._http.send(h11.EndOfMessage()))
        self._writer.write(b"".join(part for part in parts if part))
        await self._writer.drain()
        while not isinstance(event := await self._event(), h11.Response):
            if not isinstance(event, h11.InformationalResponse):
                raise EOFError("closed before it answered")
            if event.status_code == 101:
                return event
        return event

    async def read(self) -> bytes:
        """Return all bytes of the body that are there, b"" at its end. Safe to cancel."""
        parts: list[bytes] = []
        event: object = self._ended or await self._event()
        while isinstance(event, h11.Data):
            parts.append(bytes(event.data))
            event = self._http.next_event()
        if isinstance(event, h11.EndOfMessage):
            self._ended = event
        return b"".join(parts)

    async def _event(self) -> h11.Event:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self._reader.read(_READ))
        if not isinstance(event, h11.Event) or isinstance(event, h11.ConnectionClosed):
            raise EOFError("closed by the other side")
        return event

    def switched(self) -> tuple[bytes, asyncio.StreamReader, asyncio.StreamWriter]:
        """Return what came behind a 101 already, and the streams on which the other protocol goes on.

        It has pings of its own, and its other side may take nothing for as long as it likes: that is no cut
        cable, but to TCP_USER_TIMEOUT it is one.
        """
        if option := getattr(socket, "TCP_USER_TIMEOUT", None):
            self._writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, option, 0)
        return self._http.trailing_data[0], self._reader, self._writer

    @property
    def is_open(self) -> bool:
        """Whether neither side has closed it."""
        return not self._writer.is_closing() and not self._reader.at_eof()

    def reuse(self) -> bool:
        """Prepare the connection for its next exchange; return False where the last did not end cleanly."""
        if self._http.states != {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE} or not self.is_open:
            return False
        self._http.start_next_cycle()
        self._ended = None
        self.idle_since = asyncio.get_running_loop().time()
        return True

    def close(self) -> None:
        """Close the connection at once, without TLS's farewell."""
        self._writer.transport.abort()


async def dial(address: Address, tls: ssl.SSLContext | None, *, with_login: bool = False) -> Connection:
    """Connect to an API server within `CONNECT_SECONDS`, TLS included. Raises Unreachable with a reason.

    `with_login`: the requests will carry a login. Raises Refused where that, or the proxy's own login, would
    go in clear to another user's program on this machine.
    """
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            in_clear = with_login and tls is None
            reader, writer = await (_tunnel if address.proxy else _direct)(address, tls, in_clear)
    except TimeoutError:
        raise Unreachable(f"{address} does not answer.", _hint(address)) from None
    except ssl.SSLCertVerificationError as error:
        title = sentence(f"The certificate of {address} is not trusted: {error.verify_message}")
        raise Unreachable(
            title, "Check certificate-authority and tls-server-name in the kubeconfig."
        ) from None
    except Broken as error:
        raise Unreachable(
            sentence(f"{address} cannot be reached: {describe_error(error)}"), _hint(address)
        ) from None
    _set_socket_options(writer.get_extra_info("socket"))
    return Connection(reader, writer)


def describe_error(error: Exception) -> str:
    """Describe the error that broke a connection, without Python's wrapping of it."""
    if isinstance(error, ssl.SSLError):
        return f"TLS: {(error.reason or 'failed').lower().replace('_', ' ')}"
    if isinstance(error, h11.LocalProtocolError):  # its own words would quote a header
        return "the request cannot be written as HTTP"
    if isinstance(error, OSError) and error.errno:
        text = os.strerror(error.errno) if error.errno > 0 else error.strerror
        return (text or str(error)).lower()
    return str(error) or type(error).__name__


def _hint(address: Address) -> str:
    if address.proxy:
        return f"Check the proxy {address.proxy_without_login}"
    return "Check the network, VPN or tunnel."


_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _direct(address: Address, tls: ssl.SSLContext | None, login_in_clear: bool) -> _Streams:
    name = address.server_name if tls else None
    reader, writer = await asyncio.open_connection(
        address.host, address.port, ssl=tls, server_hostname=name, happy_eyeballs_delay=0.25
    )
    if login_in_clear:
        await _check_listener(writer, str(address))
    return reader, writer


async def _check_listener(writer: asyncio.StreamWriter, label: str) -> None:
    """Check whose program listens, where that is on this machine. Raises Refused, Unreachable."""
    connected = writer.get_extra_info("socket")
    try:
        if is_within_this_machine(connected):
            await asyncio.to_thread(check_local_peer, connected, label)
    except BaseException as error:
        writer.transport.abort()
        if isinstance(error, Refused):
            raise Refused(error.title, _TRUSTED) from None
        raise


async def _tunnel(address: Address, tls: ssl.SSLContext | None, login_in_clear: bool) -> _Streams:
    """Connect through a proxy; TLS checks the API server's name, not the proxy's."""
    proxy = urlsplit(address.proxy)
    outer = ssl.create_default_context() if proxy.scheme == "https" else None
    is_socks = proxy.scheme in SOCKS
    port = proxy.port or (1080 if is_socks else 443 if outer else 80)
    reader, writer = await asyncio.open_connection(proxy.hostname, port, ssl=outer)
    if outer is None and (login_in_clear or proxy.username is not None):
        await _check_listener(writer, address.proxy_without_login)
    try:
        if is_socks:
            from backend_client.kubernetes.api import socks  # noqa: PLC0415  few have such a proxy

            await socks.connect(reader, writer, proxy, address.host, address.port)
        else:
            await _connect_by_http(reader, writer, proxy, address)
    except BaseException:
        writer.transport.abort()
        raise
    if tls:
        await writer.start_tls(tls, server_hostname=address.server_name)
    return reader, writer


async def _connect_by_http(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, proxy: SplitResult, address: Address
) -> None:
    """Ask an HTTP proxy for a connection, by CONNECT."""
    writer.write(f"CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n{_proxy_login(proxy)}\r\n".encode())
    status_line = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n", 1)[0].decode("latin-1")
    if status_line.split()[1:2] != ["200"]:
        raise ConnectionError(f"the proxy says {status_line!r}")


def _proxy_login(proxy: SplitResult) -> str:
    if proxy.username is None:
        return ""
    login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return f"Proxy-Authorization: Basic {base64.b64encode(login.encode()).decode()}\r\n"


def _set_socket_options(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _SOCKET_OPTIONS.items():
        if option := getattr(socket, name, None):
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
