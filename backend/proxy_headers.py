"""X-Forwarded-For and -Proto, believed of listed proxies alone: anybody else could name any address."""

import asyncio
import ipaddress
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from backend_client.errors import Refused
from backend_client.local_peer import unix_peer_uid

UNIX = "unix"
"""Listed among the proxies: whoever may connect to the server's unix socket."""
UID = "uid "
"""The address of a client over a unix socket is `uid 1000`."""
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def unix_client(transport: asyncio.BaseTransport) -> tuple[str, int] | None:
    """Return a client over a unix socket as ASGI names one; None for one that has an address."""
    if not isinstance(transport.get_extra_info("sockname"), (str, bytes)):
        return None
    return f"{UID}{unix_peer_uid(transport.get_extra_info('socket'))}", 0


class TrustedProxies:
    """The addresses and networks of the proxies in front."""

    def __init__(self, listed: Iterable[str]) -> None:
        """Raises Refused for what is no address, no network and not `unix`."""
        names = {name.strip() for name in listed}
        self._unix = UNIX in names
        self._networks = [_network(name) for name in names - {UNIX}]

    def __contains__(self, address: str) -> bool:
        if address.startswith(UID):
            return self._unix
        ip = _ip(address)
        return ip is not None and any(ip in network for network in self._networks)

    def client_of(self, forwarded: str, peer: str) -> str:
        """Return the client: from the right, the first address that is no proxy of ours.

        Each proxy appends whom it got the request from, so what stands further left anybody can have written.
        What is no address ends the search: the last one that was vouched for counts.
        """
        client = peer
        for word in reversed(forwarded.split(",")):
            if client not in self:
                break
            ip = _ip(_without_port(word.strip()))
            if ip is None:
                break
            client = str(ip)
        return client


class ProxyHeaders:
    """Middleware: sets the client of a request that came through a listed proxy, and the scheme that it used.

    That is TLS, as a proxy in front speaks it, unless the proxy says otherwise.
    """

    def __init__(self, app: ASGIApp, proxies: TrustedProxies) -> None:
        self.app, self.proxies = app, proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            self._read(scope)
        await self.app(scope, receive, send)

    def _read(self, scope: Scope) -> None:
        headers, peer = Headers(scope=scope), (scope.get("client") or ("",))[0]
        is_plain = False
        if peer in self.proxies:
            if forwarded := ",".join(headers.getlist("x-forwarded-for")):
                scope["client"] = (self.proxies.client_of(forwarded, peer), 0)
            is_plain = headers.get("x-forwarded-proto", "").lower() in ("http", "ws")
        plain = "ws" if scope["type"] == "websocket" else "http"
        scope["scheme"] = plain if is_plain else f"{plain}s"


def _network(name: str) -> _Network:
    try:
        return ipaddress.ip_network(name, strict=False)
    except ValueError:
        raise Refused(
            f"{name!r} is no address of a proxy.", "Write an address, a network as 10.0.0.0/8, or unix."
        ) from None


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        ip = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return mapped or ip


def _without_port(word: str) -> str:
    """Return the address of `192.0.2.1:80`, `[2001:db8::1]:80` or one without a port."""
    if word.startswith("["):
        return word[1:].partition("]")[0]
    host, _, _port = word.partition(":")
    return host if word.count(":") == 1 else word
