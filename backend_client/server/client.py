"""The httpx client. Importing this takes long (httpx), and so does reading certificates: done in a thread."""

import sys

if "httpx" not in sys.modules:
    # its own command line is half of what it loads
    sys.modules["httpx._main"] = None  # type: ignore[assignment]

import ssl

import httpx

from backend_client.errors import Refused


def make_client(url: str, ca: str, label: str) -> httpx.AsyncClient:
    """Make the client of one server (`url` and `ca` as of `Connection`). Raises Refused for a wrong `ca`."""
    scheme, _, path = url.partition("://")
    transport = httpx.AsyncHTTPTransport(uds=path) if scheme == "unix" else None
    return httpx.AsyncClient(
        base_url="http://localhost" if transport else url,
        transport=transport,
        verify=_tls_context(ca, label) if scheme == "https" else False,
        trust_env=scheme == "https",  # a proxy must not see what goes to this machine in clear
        follow_redirects=False,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=8, keepalive_expiry=4.0),
    )


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
