"""The sockets that a forward listens on: loopback alone, or a unix socket in a folder of one's own."""

import errno
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

from backend_client.errors import Refused

V4, V6 = "127.0.0.1", "::1"
_TRIES = 20
_TAKEN = (errno.EADDRINUSE, errno.EACCES)
"""Somebody listens there, or it is not for everybody to listen there (ports below 1024)."""
_LONGEST_PATH = 100
"""Bytes; the kernel takes 107."""


def loopback_sockets(wished: int) -> list[socket.socket]:
    """Bind a port on 127.0.0.1 and ::1; another one where the wished one is taken on either.

    A browser that is told `localhost` may try both: whoever had the one that we lack would be what it meets.
    Raises Refused.
    """
    for port in (wished, *[0] * _TRIES):
        try:
            return _both(port)
        except OSError as error:
            if error.errno not in _TAKEN:
                raise Refused(f"No port can be opened on this machine: {error.strerror or error}.") from None
    raise Refused("No port is free on this machine.")


def _both(port: int) -> list[socket.socket]:
    v4 = _bound(socket.AF_INET, V4, port)
    try:
        return [v4, _bound(socket.AF_INET6, V6, v4.getsockname()[1])]
    except OSError as error:
        if error.errno in _TAKEN:
            v4.close()
            raise
        return [v4]  # this machine has no IPv6


def _bound(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((host, port))
    except BaseException:
        made.close()
        raise
    return made


def unix_socket(path: Path) -> socket.socket:
    """Bind a unix socket that nobody else can reach. Raises Refused, with what mends it.

    The folder is made where it is missing, and must be one's own alone: only there nobody can take the
    socket's place, or connect before its mode is set.
    """
    if len(os.fsencode(path)) > _LONGEST_PATH:
        raise Refused(f"The path {path} is too long for a socket.", f"{_LONGEST_PATH} bytes at most.")
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_folder(path.parent)
        _remove_dead(path)
        made.bind(str(path))
        path.chmod(0o600)
    except OSError as error:
        made.close()
        raise Refused(f"{path} cannot be made: {(error.strerror or str(error)).lower()}.") from None
    except BaseException:
        made.close()
        raise
    return made


def _check_folder(folder: Path) -> None:
    status = folder.stat()
    if status.st_uid != os.geteuid() or status.st_mode & 0o077:
        hint = "Name a path in a folder of your own (mode 0700); one that is not there yet is made."
        raise Refused(f"Others can use what lies in {folder.absolute()}.", hint)


def _remove_dead(path: Path) -> None:
    """Remove a socket that nobody listens on. Raises Refused for anything else that lies there."""
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise Refused(f"{path} exists already, and is no socket.", "Name another path.")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                path.unlink()
                return
        raise Refused(f"{path} is in use.", "Name another path.")
