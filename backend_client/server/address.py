"""Addresses of servers: what a person may type, and where a password or a token may be sent."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from backend_client.errors import Invalid

_PORTS = {"https": 443, "http": 80}


def parse_address(text: str) -> str:
    """Parse an address into `https://HOST[:PORT]`; http for this machine only. Raises Invalid.

    A socket of this machine is `unix:///path`.
    """
    text = text.strip()
    if text.startswith("unix:/") and text.isprintable():
        return "unix:///" + text.removeprefix("unix:").lstrip("/")
    try:
        url = urlsplit(text if "://" in text else f"//{text}")
        host, port = (url.hostname or "").lower(), url.port
        host.encode("idna")
    except (ValueError, UnicodeError):
        raise _invalid(text) from None
    if not host or not host.isprintable() or " " in host or url.scheme not in ("", *_PORTS):
        raise _invalid(text)
    if url.path.strip("/") or url.query or url.fragment or "@" in url.netloc:
        raise Invalid({"server": f"{text!r} has more than a host and a port"})
    scheme = url.scheme or ("http" if is_this_machine(host) else "https")
    if scheme == "http" and not is_this_machine(host):
        raise Invalid({"server": f"a password goes to {host} by https only; write https://{host}"})
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}" if port in (None, _PORTS[scheme]) else f"{scheme}://{host}:{port}"


def _invalid(text: str) -> Invalid:
    return Invalid({"server": f"{text!r} is no address; write one like https://traindeck.example.org"})


def is_this_machine(host: str) -> bool:
    """Return True for loopback: what goes there crosses no network."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def host_of(url: str) -> str:
    """Return HOST[:PORT] of an address."""
    return url.partition("://")[2]
