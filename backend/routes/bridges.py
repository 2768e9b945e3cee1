"""WebSockets into running jobs: a command or a shell, a connection to a port.

FastAPI describes no WebSockets in its document: each has a GET beside it, which does.
"""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Response, WebSocket
from fastapi.requests import HTTPConnection
from starlette.websockets import WebSocketDisconnect

from backend.auth.caller import Caller, caller_of
from backend.bridges.client import ClientLeft
from backend.bridges.command import CommandBridge, command_trail
from backend.bridges.open_bridges import Kind
from backend.bridges.port import carry_port, open_port
from backend.bridges.target import find_target
from backend.routes.deps import CanSee, RuntimeDep, SelectedJob
from backend.websocket_protocol import GONE
from backend_client.errors import Invalid
from backend_client.protocol import Feature

router = APIRouter(prefix="/api", tags=["jobs"])
SOCKET: dict[int | str, dict[str, Any]] = {
    101: {"description": "A WebSocket; its messages are described in docs/SERVER.md."},
    426: {"description": "The request asked for no WebSocket."},
}
Rank = Annotated[int, Query(ge=0, le=2**31 - 1)]
Port = Annotated[int, Path(ge=1, le=65535)]


async def identified(connection: HTTPConnection) -> Caller:
    """Return the caller of a WebSocket; what they may is asked of the job. Raises LoginNeeded."""
    return await caller_of(connection)


SocketCaller = Annotated[Caller, Depends(identified)]


@contextmanager
def _told() -> Iterator[None]:
    """Say of a WebSocket that is closed that its client has gone; uvicorn says so by a RuntimeError too."""
    try:
        yield
    except (WebSocketDisconnect, RuntimeError):
        raise ClientLeft from None


class SocketClient:
    """A WebSocket that was accepted, as the client of a bridge."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    async def receive(self) -> tuple[int, bytes]:
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise ClientLeft
        if not (data := message.get("bytes")):
            raise Invalid({"message": "send binary messages; the first byte of each is its channel"})
        return data[0], data[1:]

    async def send(self, message: bytes) -> None:
        with _told():
            await self._socket.send_bytes(message)

    async def close(self) -> None:
        with _told():
            await self._socket.close()

    async def wait_gone(self) -> None:
        gone: asyncio.Event = getattr(self._socket.state, GONE)
        await gone.wait()


@router.get("/jobs/{name}/exec", status_code=101, response_class=Response, responses=SOCKET)
async def about_exec(name: str, _caller: CanSee, _selector: SelectedJob, rank: Rank = 0) -> None:  # noqa: ARG001  for the document
    """A WebSocket: a command, or a shell, in a rank of a running job; its first message says what to run."""
    raise HTTPException(426, headers={"Upgrade": "websocket"})


@router.get("/jobs/{name}/ports/{port}", status_code=101, response_class=Response, responses=SOCKET)
async def about_port(
    name: str,  # noqa: ARG001  for the document
    port: Port,  # noqa: ARG001  as above
    _caller: CanSee,
    _selector: SelectedJob,
    rank: Rank = 0,  # noqa: ARG001  as above
) -> None:
    """A WebSocket: one connection to a port in a rank of a running job."""
    raise HTTPException(426, headers={"Upgrade": "websocket"})


@router.websocket("/jobs/{name}/exec")
async def command(  # noqa: PLR0917  one for each part of the request
    socket: WebSocket,
    name: str,
    runtime: RuntimeDep,
    caller: SocketCaller,
    selector: SelectedJob,
    rank: Rank = 0,
) -> None:
    """Run a command in a job."""
    target = await find_target(runtime.jobs, caller, name, selector, rank, Feature.EXEC)
    with runtime.bridges.count(Kind.COMMANDS, caller):
        await socket.accept()
        trail = command_trail(runtime.database, caller, target)
        bridge = CommandBridge(target, SocketClient(socket), trail)
        await runtime.bridges.run(bridge.run(runtime.revocations, caller))


@router.websocket("/jobs/{name}/ports/{port}")
async def connection(  # noqa: PLR0917  as above
    socket: WebSocket,
    name: str,
    port: Port,
    runtime: RuntimeDep,
    caller: SocketCaller,
    selector: SelectedJob,
    rank: Rank = 0,
) -> None:
    """Connect to a port in a job: what cannot be reached is told before the WebSocket opens."""
    target = await find_target(runtime.jobs, caller, name, selector, rank, Feature.PORTS)
    with runtime.bridges.count(Kind.CONNECTIONS, caller):
        async with AsyncExitStack() as stack:
            opened = await stack.enter_async_context(open_port(target, port))
            await stack.enter_async_context(runtime.port_trails.connection(caller, target, port))
            await socket.accept()
            await carry_port(opened, SocketClient(socket), runtime.revocations, caller)


async def nothing(socket: WebSocket) -> None:  # noqa: ARG001  FastAPI's signature
    """Refuse a WebSocket at a path that has none, as every other request is."""
    raise HTTPException(404)
