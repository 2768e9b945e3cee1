"""What is said of ports and forwards. All is clean; a token is in none of it unless it is asked for."""

import getpass
import os
import shlex
import socket

from backend_client.ports.forward import Forward
from backend_client.ports.found import FoundPort
from backend_client.text.sanitize import clean

NOT_PRIVATE = (
    "Loopback is not private: others who are logged in on this machine reach the port too; "
    "a token, or a forward with --socket, keeps them out."
)
_BYTES = ("B", "kB", "MB", "GB", "TB")


def size_text(size: float) -> str:
    """Return bytes in words: "1.2 MB"."""
    for unit in _BYTES[:-1]:
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} {_BYTES[-1]}"


def port_text(port: FoundPort) -> str:
    """Return a port with what listens there: "6006 (TensorBoard)"."""
    return f"{port.number} ({clean(port.name, 30)})" if port.name else str(port.number)


def url_text(forward: Forward, port: FoundPort, *, with_token: bool = False) -> str:
    """Return the URL to open; "" for a socket, and where nothing says that HTTP is spoken there."""
    if not forward.local_port or not (port.scheme or port.name):
        return ""
    rest = port.secret if with_token and port.secret else port.path
    slash = "" if rest.startswith("/") else "/"
    return clean(f"{port.scheme or 'http'}://localhost:{forward.local_port}{slash}{rest}")


def ssh_text(forward: Forward) -> str:
    """Return the command for a person's own machine, after which the URL opens there too."""
    if forward.socket_path:
        here, there = forward.port, str(forward.socket_path.absolute())
    else:
        here, there = forward.local_port, f"127.0.0.1:{forward.local_port}"
    words = ["ssh", "-N", "-L", f"{here}:{there}", f"{_user()}@{_host()}"]
    return clean(" ".join(shlex.quote(word) for word in words))


def state_text(forward: Forward) -> str:
    """Return how a forward is doing: "2 open"."""
    if forward.trouble:
        return clean(forward.trouble, 300)
    return f"{forward.open} open" if forward.open else "ready"


def traffic_text(forward: Forward) -> str:
    """Return what went through a forward."""
    plural = "" if forward.connections == 1 else "s"
    return (
        f"{forward.connections} connection{plural}, {size_text(forward.received)} in, "
        f"{size_text(forward.sent)} out"
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.geteuid())


def _host() -> str:
    """Return the name of this machine as a person's own machine knows it: what its ssh came to, else ours."""
    words = os.environ.get("SSH_CONNECTION", "").split()
    return words[2] if len(words) == 4 else socket.getfqdn()
