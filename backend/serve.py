"""`traindeck serve`: run a server with uvicorn; how it starts and stops, and what it warns of."""

import asyncio
import functools
import gc
import logging
import os
import resource
import signal
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from fastapi import FastAPI

from backend import websocket_protocol
from backend.app import create_app, trusted_proxies
from backend.certificates import LOOK_SECONDS, Certificate
from backend.http_protocol import Connections, LimitedProtocol, limit_handshakes
from backend.json_logging import log_as_json
from backend.listening import check_exposure, is_private, listen, public_address, socket_path
from backend.settings import ServerSettings, unknown_variables
from backend_client.errors import Refused
from backend_client.server.address import is_this_machine

log = logging.getLogger("traindeck.serve")
GRACE_SECONDS = 2
"""Seconds that open requests have when the server stops; streams end at once by themselves."""
TICKS = 10
"""uvicorn's ticks in a second."""
FILES_FOR_STRANGERS = 0.5
"""Of the files that the process may open: connections that no login has used."""


def serve(settings: ServerSettings, say: Callable[[str], None], log_line: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT. Raises Refused, Unreachable.

    `say` tells whoever started it; `log_line` takes each line of the log.
    """
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold passwords
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # each stream is a file
    check_exposure(settings)
    certificate = _certificate(settings)
    app = create_app(settings, say)
    listener = listen(settings)
    log_as_json(log_line)
    uvicorn_log = logging.getLogger("uvicorn.error")
    uvicorn_log.addFilter(lambda _: app.state.failure is None)  # it is raised, in words: no traceback beside
    for warning in [*unknown_variables(), *_warnings(settings, certificate)]:
        log.warning(warning)
        say(warning)
    server = build_server(
        app,
        certificate,
        files=most,
        started=lambda: _started(say, public_address(settings, listener)),
    )
    try:
        server.run([listener])
    except SystemExit:
        raise app.state.failure or Refused("The server did not start; its log says why.") from None
    finally:
        if path := socket_path(settings):
            path.unlink(missing_ok=True)


def _started(say: Callable[[str], None], address: str) -> None:
    # With hundreds of streams a look for garbage holds all up for 0.1 s, with what stays for 0.4 s.
    gc.freeze()
    gc.set_threshold(10_000)
    say(f"traindeck serves at {address}")


def build_server(
    app: FastAPI,
    certificate: Certificate | None = None,
    *,
    files: int = 1024,
    started: Callable[[], None] = lambda: None,
) -> uvicorn.Server:
    """Build the server of an app.

    `files`: how many the process may open; `started`: called when it answers.
    """
    settings: ServerSettings = app.state.settings
    connections = Connections(
        lambda token: bool(app.state.known_logins.find(token)),
        exempt=trusted_proxies(settings) if settings.behind_proxy else (),
        most=int(files * FILES_FOR_STRANGERS),
        uids={0, os.geteuid()} if is_private(settings) else None,
    )
    return _Server(_config(app, certificate, connections), app, connections, certificate, started)


class _Server(uvicorn.Server):
    """uvicorn's server, which ends the streams with a goodbye before it waits for them."""

    def __init__(
        self,
        config: uvicorn.Config,
        app: FastAPI,
        connections: Connections,
        certificate: Certificate | None,
        started: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._app = app
        self._connections = connections
        self._certificate = certificate
        self._say_started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        loop = asyncio.get_running_loop()
        limit_handshakes(loop)
        if self._certificate:
            loop.add_signal_handler(signal.SIGHUP, lambda: self._look_at_certificate(anyhow=True))
        await super().startup(sockets)
        self._say_started()

    async def on_tick(self, counter: int) -> bool:
        if counter % TICKS == 0:
            self._connections.sweep()
        if counter % (TICKS * LOOK_SECONDS) == 0:
            self._look_at_certificate()
        return await super().on_tick(counter)

    def _look_at_certificate(self, *, anyhow: bool = False) -> None:
        if self._certificate:
            self._certificate.reload(anyhow=anyhow)

    def handle_exit(self, sig: int, frame: object) -> None:  # noqa: ARG002  uvicorn's signature
        """Stop at a signal without raising it again at the end: a stop on request is no failure."""
        self.force_exit = self.should_exit
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.state.runtime.revocations.revoke_all()
        await super().shutdown(sockets)
        if self.force_exit:  # uvicorn would leave the app in the middle of its life
            await self.lifespan.shutdown()


def _certificate(settings: ServerSettings) -> Certificate | None:
    """Return the certificate that the server shows. Raises Refused."""
    if not settings.tls_cert or not settings.tls_key:
        return None
    return Certificate(settings.tls_cert, settings.tls_key)


def _warnings(settings: ServerSettings, certificate: Certificate | None) -> list[str]:
    """Return what an admin should know of settings that work and may not be meant."""
    found = [certificate.warning()] if certificate else []
    if settings.behind_proxy and not settings.proxies and not settings.socket:
        found.append(
            "No proxy is listed (--trusted-proxy), so X-Forwarded-For is not read: all clients seem to be it."
        )
    if settings.behind_proxy and any(map(is_this_machine, settings.proxies)):
        found.append(
            "A proxy is listed at this machine's loopback: every user of this machine can name any address. "
            "A unix socket (--socket, --socket-group) lets the proxy alone in."
        )
    return [warning for warning in found if warning]


def _config(app: FastAPI, certificate: Certificate | None, connections: Connections) -> uvicorn.Config:
    protocol: Any = functools.partial(LimitedProtocol, table=connections)
    config = uvicorn.Config(
        app,
        http=protocol,
        lifespan="on",
        **websocket_protocol.SETTINGS,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    config.load()
    config.ssl = certificate.context if certificate else None
    return config
