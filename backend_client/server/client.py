"""The httpx client. Importing this takes long (httpx), and so does reading certificates: done in a thread."""

import sys

if "httpx" not in sys.modules:
    # its own command line is half of what it loads
    sys.modules["httpx._main"] = None  # type: ignore[assignment]

import asyncio
import ssl
from typing import Any

import httpcore
import httpx

from backend_client.errors import Refused
from backend_client.local_peer import check_local_peer

KEEPALIVE_SECONDS = 4.0
_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=8, keepalive_expiry=KEEPALIVE_SECONDS)


def make_client(url: str, ca: str, label: str) -> httpx.AsyncClient:
    """Make the client of one server (`url` and `ca` as of `Connection`). Raises Refused for a wrong `ca`."""
    scheme, _, path = url.partition("://")
    if scheme == "https":
        return httpx.AsyncClient(
            base_url=url, verify=_tls_context(ca, label), follow_redirects=False, limits=_LIMITS
        )
    return httpx.AsyncClient(
        base_url="http://localhost" if scheme == "unix" else url,
        transport=_LocalTransport(path if scheme == "unix" else None, label),
        trust_env=False,  # a proxy must not see what goes to this machine in clear
        follow_redirects=False,
    )


class _LocalTransport(httpx.AsyncHTTPTransport):
    """httpx's transport, whose connections stay within this machine and are checked before they are used."""

    def __init__(self, uds: str | None, label: str) -> None:
        super().__init__(verify=False)
        self._pool = httpcore.AsyncConnectionPool(  # httpx passes no backend on
            uds=uds,
            max_connections=None,
            max_keepalive_connections=8,
            keepalive_expiry=KEEPALIVE_SECONDS,
            network_backend=_CheckedBackend(label),
        )


class _CheckedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections, and sees whose program is at the other end before a byte goes there."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(self, *args: Any, **named: Any) -> httpcore.AsyncNetworkStream:
        return await self._checked(await self._inner.connect_tcp(*args, **named))

    async def connect_unix_socket(self, *args: Any, **named: Any) -> httpcore.AsyncNetworkStream:
        return await self._checked(await self._inner.connect_unix_socket(*args, **named))

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)

    async def _checked(self, stream: httpcore.AsyncNetworkStream) -> httpcore.AsyncNetworkStream:
        try:
            await asyncio.to_thread(check_local_peer, stream.get_extra_info("socket"), self._label)
        except BaseException:
            await stream.aclose()
            raise
        return stream


def _tls_context(ca: str, label: str) -> ssl.SSLContext:
    """Trusts the certificates of the file `ca`; without one those of the system and Mozilla's."""
    import certifi  # noqa: PLC0415  httpx brings it

    try:
        context = ssl.create_default_context(cafile=ca or None)
    except OSError as error:
        reason = error.strerror or "it holds no certificate"
        raise Refused(f"The certificates for {label} cannot be read from {ca}: {reason}.") from None
    if not ca:
        context.load_verify_locations(certifi.where())
    return context
