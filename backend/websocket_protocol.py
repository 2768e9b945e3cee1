"""The WebSocket connections of a server: the size of a message, and which clients are dead.

uvicorn takes a client for dead whose pong does not come. Ours may be busy: while a job takes no input nothing
is read of its client, the pongs included, and a client whose own reader pauses (a pager) reads no pings.
"""

import asyncio
import logging
from typing import Any

from starlette.types import Scope
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from backend.proxy_headers import unix_client
from backend_client.server.channels import LARGEST

PING_SECONDS = 5.0
DEAD_SECONDS = 30.0
"""Seconds without a word from a client that is read and takes what it is sent."""
CLOSING_SECONDS = 15.0
"""Seconds that what is left to send has to be taken, once the app has ended."""
GONE = "gone"
"""In the state of a WebSocket's scope: the event that its connection is lost, also while nobody receives."""
_log = logging.getLogger("traindeck.websockets")
_log.setLevel(logging.WARNING)  # uvicorn logs each with its query; our own line of a request has none


class LimitedWebSocket(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket, with limits, and with a goodbye of the app's own when the server stops."""

    scope: Scope  # type: ignore[assignment]

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.logger = _log
        self._gone = asyncio.Event()
        self._heard = self.loop.time()
        self._look_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.client = unix_client(transport) or self.client

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if hasattr(self, "scope"):  # else it was refused
            self.scope["state"][GONE] = self._gone

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._gone.set()

    def data_received(self, data: bytes) -> None:
        self._heard = self.loop.time()
        super().data_received(data)

    async def receive(self) -> Any:
        message = await super().receive()
        self._heard = self.loop.time()  # what came behind it may be read only now
        return message

    async def send(self, message: Any) -> None:
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            self.handshake_complete = True  # it was refused: uvicorn would take that for a defect

    def start_keepalive(self) -> None:
        self._look_timer = self.loop.call_later(PING_SECONDS, self._look)

    def stop_keepalive(self) -> None:
        if self._look_timer:
            self._look_timer.cancel()

    def _look(self) -> None:
        """Ask whether the client is there, and give it up where it must have answered by now."""
        if self.close_sent or self.transport.is_closing():
            return
        silent = self.loop.time() - self._heard
        if silent > DEAD_SECONDS and not self.read_paused and self.writable.is_set():
            self.transport.abort()
            return
        if silent > PING_SECONDS / 2:
            self.conn.send_ping(b"")
            self.transport.write(b"".join(self.conn.data_to_send()))
        self.start_keepalive()

    def shutdown(self) -> None:
        """Leave the end to the app, which says why, unless it has not begun."""
        if not self.handshake_complete:
            super().shutdown()

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        super().on_task_complete(task)
        self.loop.call_later(CLOSING_SECONDS, self.transport.abort)


SETTINGS: dict[str, Any] = {
    "ws": LimitedWebSocket,
    "ws_max_size": LARGEST + 1,
    "ws_per_message_deflate": False,
}
"""What uvicorn is told of them."""
