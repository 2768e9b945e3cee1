"""Where a person's alerts may be sent: to public addresses by https, and to hosts that an admin lists.

A URL of a person must not reach into the server's own network (SSRF). What counts is the address that is
connected to: a host is resolved once, every address that comes of it is checked, and the connection goes to
one of those. The text of a host says nothing, as 0, 127.1, 2130706433 and 0x7f000001 are all 127.0.0.1.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from backend_client.errors import Invalid, Refused

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""(host, port) -> addresses. Raises OSError."""

LONGEST_URL = 2000
RESOLVE_SECONDS = 5.0
_V4_WITHIN = tuple(map(ip_network, ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96")))
"""IPv6 that carries IPv4 in its last 32 bits: compatible, mapped, translated, NAT64."""
_DENIED = tuple(
    map(
        ip_network,
        (
            "100.64.0.0/10",
            "168.63.129.16/32",  # answers within every machine of Azure, with what is the machine's own
            "192.0.0.0/24",
            "192.88.99.0/24",
            "64:ff9b:1::/48",
            "2001::/23",
            "3fff::/20",
        ),
    )
)
"""Not public, whatever `ipaddress` of some Python says."""
_GLOBAL_UNICAST = ip_network("2000::/3")
_ISATAP = (0x00005EFE, 0x02005EFE)
_LOCAL_ENDINGS = (".localhost", ".local", ".localdomain", ".internal", ".intranet", ".lan", ".home.arpa")
_CLUSTER_ENDINGS = (".svc", ".cluster.local")
_resolver = ThreadPoolExecutor(8, thread_name_prefix="resolve")
"""Of its own: a name server that hangs must not hold up what else needs a thread."""


class Target(Struct, frozen=True):
    """A URL that was read: where to connect, under which name, and what to ask for."""

    host: str
    """In ASCII, lower case, without a dot at its end."""
    port: int
    path: str
    """With its query."""
    tls: bool = True
    listed: bool = False
    """An admin's list has it."""

    @property
    def authority(self) -> str:
        """The value of the header Host."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == (443 if self.tls else 80) else f"{name}:{self.port}"


class AllowedHost(Struct, frozen=True):
    """An entry of an admin's list: one host exactly, at one port."""

    host: str
    port: int = 443
    tls: bool = True


class AddressGuard:
    """Decides where alerts may go."""

    def __init__(self, hosts: Iterable[str] = (), resolve: Resolve | None = None) -> None:
        """`hosts`: of the setting `alert_hosts`. Raises Refused for one that is none."""
        self._listed = {(entry.host, entry.port, entry.tls) for entry in map(read_allowed_host, hosts)}
        self._resolve = resolve or resolve_host

    def read(self, url: str) -> Target:
        """Read a URL, without asking anybody what its host is. Raises Invalid, about the field `address`."""
        parts, host, port = _split(url)
        tls = parts.scheme == "https"
        listed = (host, port, tls) in self._listed
        if not listed:
            if not tls:
                raise Invalid({"address": "write a URL that begins with https://"})
            if port != 443:
                raise Invalid({"address": f"the port {port} is not allowed; an admin can list {host}:{port}"})
            if _is_local_name(host):
                raise Invalid({"address": _not_allowed(host)})
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return Target(host, port, path, tls, listed)

    async def addresses(self, target: Target) -> Sequence[str]:
        """Resolve a target, and return the addresses to connect to. Raises Refused where one is not allowed.

        The same words for a host that is not there: what the server's own network has is not told.
        """
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                found = [*dict.fromkeys(await self._resolve(target.host, target.port))]
        except (OSError, TimeoutError, UnicodeError):
            found = []
        accepts = may_be_listed if target.listed else is_public
        if not found or not all(accepts(address) for address in found):
            raise Refused(f"{_not_allowed(target.host)[:1].upper()}{_not_allowed(target.host)[1:]}.")
        return found


def is_public(text: str) -> bool:
    """Tell whether an address is one of the public internet."""
    address = _read_address(text)
    if address is None or any(
        address in network for network in _DENIED if network.version == address.version
    ):
        return False
    if isinstance(address, IPv6Address) and (address not in _GLOBAL_UNICAST or _is_isatap(address)):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def may_be_listed(text: str) -> bool:
    """Tell whether a host that an admin lists may have an address: private ones too, but no link's own.

    At link-local addresses clouds give a machine's own credentials to whoever asks.
    """
    address = _read_address(text)
    return address is not None and not (
        address.is_link_local or address.is_multicast or address.is_unspecified or text == "255.255.255.255"
    )


def unwrap(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, else the address itself."""
    while isinstance(address, IPv6Address):
        if address.sixtofour is not None:
            address = address.sixtofour
        elif any(address in network for network in _V4_WITHIN) and int(address) > 1:
            address = IPv4Address(int(address) & 0xFFFFFFFF)
        else:
            break
    return address


def read_allowed_host(text: str) -> AllowedHost:
    """Read an entry of the setting `alert_hosts`: HOST, HOST:PORT, http://HOST:PORT. Raises Refused."""
    try:
        parts, host, port = _split(text if "://" in text else f"https://{text}")
    except Invalid:
        parts = None
    if parts is None or parts.path.strip("/") or parts.query:
        raise Refused(
            f"The setting alert_hosts has {text[:100]!r}, which is no host.",
            "Write chat.example.org, chat.example.org:8443 or http://chat.example.org:8065.",
        )
    return AllowedHost(host, port, parts.scheme == "https")


async def resolve_host(host: str, port: int) -> Sequence[str]:
    """Resolve a host as the system does. Raises OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.run_in_executor(
        _resolver, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    )
    return [str(address[0]) for *_, address in found]


def _split(url: str) -> tuple[SplitResult, str, int]:
    """Split a URL into its parts, its host in ASCII, and its port. Raises Invalid."""
    if len(url) > LONGEST_URL or "\\" in url or any(sign <= " " or sign == "\x7f" for sign in url):
        raise Invalid({"address": "is no URL"})
    try:
        parts = urlsplit(url)
        host = _ascii_host(parts.hostname or "")
        port = parts.port or {"https": 443, "http": 80}[parts.scheme]
    except (ValueError, KeyError, UnicodeError):
        raise Invalid({"address": "write a URL that begins with https://"}) from None
    if not host:
        raise Invalid({"address": "the URL names no host"})
    if parts.username is not None or parts.password is not None:
        raise Invalid({"address": "a URL with a name or a password before its host is not allowed"})
    if parts.fragment or not parts.netloc.isprintable():
        raise Invalid({"address": "is no URL"})
    return parts, host, port


def _ascii_host(host: str) -> str:
    """Return a host as it is looked up: in ASCII, lower case, without a dot at its end. Raises ValueError."""
    if "%" in host:
        raise ValueError("a zone, or an escape")
    if ":" in host:
        return IPv6Address(host).compressed
    return host.encode("idna").decode().lower().rstrip(".")


def _is_local_name(host: str) -> bool:
    """Tell whether a host is the name of something near: of a machine, a cluster's Service, localhost."""
    if ":" in host:
        return False
    return "." not in host or host.endswith(_LOCAL_ENDINGS + _CLUSTER_ENDINGS) or ".svc." in host


def _not_allowed(host: str) -> str:
    return f"alerts cannot be sent to {host}: it must be a public address, or a host that an admin lists"


def _read_address(text: str) -> Address | None:
    try:
        return None if "%" in text else unwrap(ip_address(text))
    except ValueError:
        return None


def _is_isatap(address: IPv6Address) -> bool:
    return (int(address) >> 32) & 0xFFFFFFFF in _ISATAP
