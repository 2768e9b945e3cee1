"""Where a server listens: a unix socket or a port; what it refuses there, each in one sentence."""

import errno
import grp
import os
import socket
from pathlib import Path

from backend.settings import ServerSettings
from backend_client.errors import Refused
from backend_client.server.address import is_this_machine, socket_in

BACKLOG = 1024
LONGEST_PATH = 107
"""Bytes of a unix socket's path, unix(7)."""
PRIVATE, OF_A_GROUP = 0o600, 0o660
_LAST_GROUP = 2**32 - 2
"""The highest number of a group; the next one means none."""
_OTHERS, _WRITERS = 0o077, 0o022
_BY_ERRNO = {
    errno.EADDRINUSE: "another program listens there",
    errno.EACCES: "ports below 1024 are root's",
    errno.EADDRNOTAVAIL: "that is no address of this machine",
}


def socket_path(settings: ServerSettings) -> Path | None:
    """Return the unix socket that a server listens at, None for a port.

    With `local` alone it is the one in its folder: everybody on a machine reaches a port, and can take it
    while the server is down.
    """
    if settings.socket or not settings.local or "listen" in settings.model_fields_set:
        return settings.socket
    return socket_in(settings.folder)


def socket_mode(settings: ServerSettings) -> int:
    """Return the mode of the unix socket."""
    if settings.socket_mode:
        return int(settings.socket_mode, 8)
    return OF_A_GROUP if settings.socket_group else PRIVATE


def is_private(settings: ServerSettings) -> bool:
    """Tell whether the unix socket is for its owner alone."""
    return not socket_mode(settings) & _OTHERS


def check_exposure(settings: ServerSettings) -> None:
    """Check that tokens travel encrypted or on this machine only. Raises Refused."""
    near = socket_path(settings) or is_this_machine(host_port(settings.listen)[0])
    if settings.local and not (near and is_private(settings)):
        raise Refused(
            "--local runs jobs as the user of this process, so it is for one person on this machine.",
            "Leave --listen at loopback, or the socket to its owner.",
        )
    if not near and not settings.tls_cert and not settings.behind_proxy:
        raise Refused(
            f"At {settings.listen} passwords and tokens would travel readable.",
            "Give --tls-cert and --tls-key; or, where a proxy in front speaks TLS, --behind-proxy.",
        )
    if bool(settings.tls_cert) != bool(settings.tls_key):
        raise Refused("TLS needs both --tls-cert and --tls-key.")


def listen(settings: ServerSettings) -> socket.socket:
    """Open the listening socket. Raises Refused."""
    if path := socket_path(settings):
        if not settings.socket:
            _make_private(path.parent)
        return _listen_unix(path, socket_mode(settings), _gid(settings.socket_group))
    host, port = host_port(settings.listen)
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (socket.gaierror, UnicodeError):
        why = f"there is no host {host}"
    except OSError as error:
        why = _BY_ERRNO.get(error.errno or 0, error.strerror or str(error))
    raise Refused(f"It cannot listen at {settings.listen}: {why}.", "--listen HOST:PORT")


def _make_private(folder: Path) -> None:
    """Make the folder of the socket, for this user alone. Raises Refused."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except OSError as error:
        raise Refused(f"The folder {folder} cannot be made: {_words(error)}.", "--folder DIR") from None
    if status.st_uid != os.geteuid() or status.st_mode & _WRITERS:
        raise Refused(
            f"Others can change what lies in {folder}, so no socket is put there.", f"chmod 700 {folder}"
        )


def _listen_unix(path: Path, mode: int, gid: int) -> socket.socket:
    """Open a unix socket with its mode and group (-1: ours); one that a dead server left is replaced."""
    size = len(os.fsencode(path))
    if size > LONGEST_PATH:
        raise Refused(
            f"The path of the socket has {size} bytes, and no system takes more than {LONGEST_PATH}: {path}.",
            "--socket PATH, a shorter one",
        )
    if path.exists() and not path.is_socket():
        raise Refused(f"{path} is no socket, so it is left as it is.", "--socket PATH")
    if _is_listening(path):
        raise Refused(f"Another server listens at {path}.", "--socket PATH")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.unlink(missing_ok=True)
        mask = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(mask)
        os.chown(path, -1, gid)
        path.chmod(mode)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise Refused(f"It cannot listen at {path}: {_words(error)}.", "--socket PATH") from None
    return listener


def _gid(group: str) -> int:
    """Return the number of a group, -1 for none. Raises Refused."""
    if not group:
        return -1
    try:
        gid = int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid
    except KeyError:
        gid = _LAST_GROUP + 1
    if gid > _LAST_GROUP:
        raise Refused(f"There is no group {group} on this machine.", "--socket-group GROUP")
    return gid


def _words(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _is_listening(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def host_port(text: str) -> tuple[str, int]:
    """Split an address, 127.0.0.1:8642 or [::1]:8642, into host and port. Raises Refused."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise Refused(f"{text} is no address to listen at.", "Write HOST:PORT, like 127.0.0.1:8642.")
    return host.strip("[]"), int(port)


def public_address(settings: ServerSettings, listener: socket.socket) -> str:
    """Return the URL where clients reach the server, or unix:PATH."""
    if path := socket_path(settings):
        return f"unix:{path}"
    host, port = host_port(settings.listen)[0], listener.getsockname()[1]
    scheme = "https" if settings.tls_cert else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}{settings.root_path}"
