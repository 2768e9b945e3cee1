"""Addresses of servers: what a person may type, and where a password or a token may be sent."""

import re
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from backend_client.errors import Invalid
from backend_client.paths import user_state_dir

_PORTS = {"https": 443, "http": 80}
_SUB_PATH = re.compile(r"(/[\w.~%-]+)*", re.ASCII)
_SOCKET = "unix:"
"""The address of a person's own server, and its name as a context."""


def server_folder() -> Path:
    """Return the folder of a person's own server, where no setting names one."""
    return user_state_dir() / "server"


def socket_in(folder: Path) -> Path:
    """Return the socket of a server in its folder."""
    return folder / "socket"


def parse_address(text: str) -> str:
    """Parse an address into `https://HOST[:PORT][/PATH]`; http for this machine only. Raises Invalid.

    A socket of this machine is `unix:///path`, and `unix:` that of the person's own `serve --local`.
    """
    text = text.strip()
    if text.rstrip("/") == _SOCKET:
        return f"unix://{socket_in(server_folder())}"
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
    path = url.path.rstrip("/")
    if url.query or url.fragment or "@" in url.netloc:
        raise Invalid({"server": f"{text!r} has more than a host, a port and a path"})
    if not _SUB_PATH.fullmatch(path) or {".", ".."} & {*path.split("/")}:
        raise _invalid(text)
    scheme = url.scheme or ("http" if is_this_machine(host) else "https")
    if scheme == "http" and not is_this_machine(host):
        raise Invalid({"server": f"a password goes to {host} by https only; write https://{host}"})
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}{path}" if port in (None, _PORTS[scheme]) else f"{scheme}://{host}:{port}{path}"


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
    """Return HOST[:PORT][/PATH] of an address; `unix` for the socket of one's own server."""
    return "unix" if url == parse_address(_SOCKET) else url.partition("://")[2]
