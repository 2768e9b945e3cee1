"""Another user of this machine, where the tests run as root: a child process that listens as them."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")


@contextmanager
def as_user(work: Callable[[int], None], uid: int = NOBODY) -> Iterator[bytes]:
    """Run `work(pipe)` in a child as another user; yield the first thing that it writes into the pipe."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            work(writes)
            signal.pause()
        finally:
            os._exit(1)
    try:
        yield os.read(reads, 1000)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reads)
        os.close(writes)


def listener(host: str = "127.0.0.1", *, accepts: bool = True, note: str = "") -> Callable[[int], None]:
    """Listen on loopback, say the port, and accept one connection; what it reads goes to the file `note`."""

    def work(pipe: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        server = socket.create_server((host, 0), family=family)
        os.write(pipe, str(server.getsockname()[1]).encode())
        if not accepts:
            signal.pause()
        connection, _ = server.accept()
        _note(connection, note)

    return work


def unix_listener(path: str, note: str = "") -> Callable[[int], None]:
    """Listen on a unix socket, and accept one connection."""

    def work(pipe: int) -> None:
        server = socket.socket(socket.AF_UNIX)
        server.bind(path)
        os.chmod(path, 0o666)
        server.listen()
        os.write(pipe, b"ready")
        connection, _ = server.accept()
        _note(connection, note)

    return work


def _note(connection: socket.socket, note: str) -> None:
    while data := connection.recv(65536):
        if note:
            with open(note, "ab") as file:
                file.write(data)
