"""`traindeck serve`: run a server with uvicorn; where it listens, what it refuses, how it stops."""

import logging
import os
import resource
import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from backend.app import announce, create_app
from backend.json_logging import log_to_stdout
from backend.settings import ServerSettings, unknown_variables
from backend_client.errors import Refused
from backend_client.server.address import is_this_machine

log = logging.getLogger("traindeck.serve")
GRACE_SECONDS = 2
"""Seconds that open requests have when the server stops; streams end at once by themselves."""
BACKLOG = 1024
LOOPBACK = ("127.0.0.1", "::1")


def serve(settings: ServerSettings, say: Callable[[str], None] = announce) -> None:
    """Serve until SIGTERM or SIGINT. Raises Refused, Unreachable."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold passwords
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # each stream is a file
    check_exposure(settings)
    listener = listen(settings)
    log_to_stdout()
    for warning in unknown_variables():
        log.warning(warning)
    app = create_app(settings, say)
    try:
        config = _config(app, settings)
        config.load()
        _Server(config, app, lambda: say(f"traindeck serves at {public_address(settings, listener)}")).run(
            [listener]
        )
    except OSError as error:
        raise Refused(f"The TLS certificate or its key cannot be used: {error}.", "") from None
    except SystemExit:
        raise app.state.failure or Refused("The server did not start; its log says why.") from None
    finally:
        if settings.socket:
            settings.socket.unlink(missing_ok=True)


class _Server(uvicorn.Server):
    """uvicorn's server, which ends the streams with a goodbye before it waits for them."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._app = app
        self._started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._started()

    def handle_exit(self, sig: int, frame: object) -> None:  # noqa: ARG002  uvicorn's signature
        """Stop at a signal without raising it again at the end: a stop on request is no failure."""
        self.force_exit = self.should_exit
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.state.runtime.revocations.revoke_all()
        await super().shutdown(sockets)


def check_exposure(settings: ServerSettings) -> None:
    """Check that tokens travel encrypted or on this machine only. Raises Refused."""
    near = settings.socket or is_this_machine(host_port(settings.listen)[0])
    if settings.local and not near:
        raise Refused(
            "--local runs jobs as the user of this process, so it is for one person on this machine.",
            "Leave --listen at loopback.",
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
    if settings.socket:
        return _listen_unix(settings.socket)
    host, port = host_port(settings.listen)
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise Refused(
            f"It cannot listen at {settings.listen}: {error.strerror}.", "--listen HOST:PORT"
        ) from None


def _listen_unix(path: Path) -> socket.socket:
    """Open a unix socket for its owner alone; the socket that a dead server left is replaced."""
    if _is_listening(path):
        raise Refused(f"Another server listens at {path}.", "--socket PATH")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.is_socket():
            path.unlink()
        mask = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(mask)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise Refused(f"It cannot listen at {path}: {error.strerror or error}.", "--socket PATH") from None
    return listener


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
    if settings.socket:
        return f"unix:{settings.socket}"
    host, port = host_port(settings.listen)[0], listener.getsockname()[1]
    return f"{'https' if settings.tls_cert else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


def _config(app: FastAPI, settings: ServerSettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="on",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=settings.behind_proxy,
        forwarded_allow_ips="*" if settings.socket else [*(settings.proxies or LOOPBACK)],
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
