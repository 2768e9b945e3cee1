"""The HTTP connections of a server: how long they may take, and how many strangers may hold one.

uvicorn has a limit for an idle connection between two requests alone: a half-sent request would be held for
ever.
"""

import asyncio
import ssl
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import Any

import h11
import msgspec
from starlette.datastructures import Headers
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from backend.auth.cookie import token_of
from backend.middleware import body_limit
from backend.proxy_headers import unix_client
from backend_client.local_peer import unix_peer_uid
from backend_client.server.bodies import PROBLEM

SECONDS = {"head": 10.0, "body": 30.0, "closing": 10.0}
"""Seconds that a connection may be in a phase; while it is answered, the answer has its own limits."""
SLOWEST_CODE = 2**16
"""Bytes a second that packed code must come with, beyond that time."""
STRANGERS = 200
"""Connections of one address that no login has used yet; of more, the oldest is closed."""
_TITLES = {
    400: "This is no HTTP request.",
    408: "The request did not come in time.",
    431: "The head of the request is too large.",
}


class Connections:
    """The open connections: time limits for each, and a limit for the strangers of each address.

    `is_known`: tells of a token that is shown whether it is a login's; its connections are not counted.
    `exempt`: addresses with any number of connections, the proxies in front. `most`: strangers in all.
    `uids`: who may come by unix socket; None is everybody whom the file lets.
    """

    def __init__(
        self,
        is_known: Callable[[str | None], bool],
        *,
        exempt: Collection[str] | Any = (),
        most: int = 4000,
        uids: Collection[int] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._is_known, self._exempt, self._most, self.uids, self._clock = is_known, exempt, most, uids, clock
        self._all: dict[LimitedProtocol, tuple[str, object, float]] = {}
        """Connection -> its phase, the request that it is in, since when."""
        self._strangers: dict[str, OrderedDict[LimitedProtocol, None]] = {}
        self._count = 0

    def add(self, connection: "LimitedProtocol") -> None:
        """Count a new connection in; the oldest stranger goes where there are too many in all."""
        self._all[connection] = ("head", None, self._clock())
        address = connection.address
        if address in self._exempt:
            return
        self._strangers.setdefault(address, OrderedDict())[connection] = None
        self._count += 1
        if self._count > self._most:
            self._close_oldest(max(self._strangers, key=lambda one: len(self._strangers[one])))

    def remove(self, connection: "LimitedProtocol") -> None:
        """Count a connection out."""
        self._all.pop(connection, None)
        self._forget(connection)

    def sweep(self) -> None:
        """Close what has been in its phase for too long, and the oldest strangers of an address with many.

        Not at once: after a restart all screens of a login node come back in the same moment.
        """
        now = self._clock()
        for connection, (phase, request, since) in [*self._all.items()]:
            current, cycle = connection.phase(), connection.cycle
            if (current, cycle) != (phase, request):
                self._all[connection] = (current, cycle, now)
            elif now - since > connection.seconds(current):
                connection.expire(current)
        for address, strangers in [*self._strangers.items()]:
            for _ in range(len(strangers) - STRANGERS):
                self._close_oldest(address)

    def _close_oldest(self, address: str) -> None:
        strangers = self._strangers.get(address, OrderedDict())
        for connection in [one for one in strangers if self._is_known(one.token)]:
            self._forget(connection)
        idle = (one for one in strangers if one.phase() != "answer")
        victim = next(idle, None)
        if victim and (len(strangers) > STRANGERS or self._count > self._most):
            self._forget(victim)
            victim.transport.abort()

    def _forget(self, connection: "LimitedProtocol") -> None:
        strangers = self._strangers.get(connection.address)
        if strangers and connection in strangers:
            del strangers[connection]
            self._count -= 1
            if not strangers:
                del self._strangers[connection.address]


class LimitedProtocol(H11Protocol):
    """uvicorn's connection, with limits, and with answers in words to what is no HTTP."""

    def __init__(self, *args: Any, table: Connections, **named: Any) -> None:
        super().__init__(*args, **named)
        self._table = table
        self.address = ""
        """The client's IP address; `uid 1000` over a unix socket."""

    @property
    def token(self) -> str | None:
        """The token that the newest request shows, None where it shows none."""
        return token_of(Headers(raw=self.headers or []))

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if near := unix_client(transport):
            self.client = near
            if self._table.uids is not None and unix_peer_uid(transport.get_extra_info("socket")) not in (
                self._table.uids
            ):
                transport.abort()
        self.address = self.client[0] if self.client else ""
        self._table.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._table.remove(self)
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand the connection on to uvicorn's WebSocket, which has limits of its own.

        What `websockets` cannot read it leaves without an answer.
        """
        names = {name for name, _ in self.headers}
        if names & {b"content-length", b"transfer-encoding"}:
            self._refuse(400)
            return
        self._table.remove(self)
        super().handle_websocket_upgrade(event)
        if not getattr(self.transport.get_protocol(), "handshake_initiated", False):
            self._refuse(431)

    def phase(self) -> str:
        """Return what the connection waits for: head, body, answer, idle between two requests, closing."""
        if self.transport.is_closing():
            return "closing"
        if self.conn.their_state is h11.SEND_BODY:
            return "body"
        if self.cycle and not self.cycle.response_complete:
            return "answer"
        between = self.cycle is not None and not self.conn.trailing_data[0]
        return "idle" if between and self.timeout_keep_alive_task else "head"

    def seconds(self, phase: str) -> float:
        """Return the seconds that the connection may be in a phase; more for a body of packed code."""
        most = SECONDS.get(phase, float("inf"))
        if phase != "body" or self.cycle is None or self.cycle.response_complete:
            return most
        return most + (body_limit(self.cycle.scope, 0) / SLOWEST_CODE)

    def expire(self, phase: str) -> None:
        """End a connection that takes too long."""
        if phase == "closing":
            self.transport.abort()  # nobody reads what is left to send
        elif phase == "body" or self.conn.trailing_data[0]:
            self._refuse(408)
        else:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  uvicorn's words are ours here
        """Answer what h11 cannot read; it is called where its exception is handled."""
        self._refuse(getattr(sys.exc_info()[1], "error_status_hint", 400))

    def _refuse(self, status: int) -> None:
        """Answer with a problem where no answer has begun, and close; the app's own answer is dropped."""
        if self.cycle:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            title = _TITLES.get(status, f"{STATUS_PHRASES[status].decode()}.")
            body = msgspec.json.encode({"title": title, "status": status, "kind": "Refused"})
            head = [
                (b"content-type", PROBLEM.encode()),
                (b"content-length", b"%d" % len(body)),
                (b"connection", b"close"),
            ]
            events = [
                h11.Response(status_code=status, headers=head, reason=STATUS_PHRASES[status]),
                h11.Data(data=body),
                h11.EndOfMessage(),
            ]
            self.transport.write(b"".join(self.conn.send(event) or b"" for event in events))
        self.transport.close()


def limit_handshakes(loop: asyncio.AbstractEventLoop) -> None:
    """Let TLS handshakes take as long as a head of a request; uvicorn has no setting for it."""
    create = loop.create_server

    async def create_server(*args: Any, **named: Any) -> Any:
        if isinstance(named.get("ssl"), ssl.SSLContext):
            named |= {"ssl_handshake_timeout": SECONDS["head"], "ssl_shutdown_timeout": SECONDS["closing"]}
        return await create(*args, **named)

    loop.create_server = create_server  # type: ignore[method-assign]
