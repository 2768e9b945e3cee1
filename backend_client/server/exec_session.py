"""A command in a job of a server (`exec_session.ExecSession`): a WebSocket, which the server carries on."""

import msgspec

from backend_client.errors import Refused, Unreachable
from backend_client.exec_session import ExecChannel, ExecEnding, ExecQuery, TerminalSize
from backend_client.server.bodies import error_of
from backend_client.server.channels import (
    LARGEST,
    PIECE,
    Channel,
    Control,
    Start,
    Terminal,
    control,
    message,
    read_control,
)
from backend_client.websocket import WebSocket

_OUTPUT: dict[int, ExecChannel] = {Channel.STDOUT: ExecChannel.STDOUT, Channel.STDERR: ExecChannel.STDERR}
_MOST_CELLS = 9999


class ServerSession:
    """A command that runs in a job of a server."""

    def __init__(self, websocket: WebSocket, label: str) -> None:
        self._websocket = websocket
        self._label = label
        self.ending = ExecEnding(message="how it ended was not told")

    async def receive(self) -> tuple[ExecChannel, bytes] | None:
        while received := await self._websocket.receive():
            channel, data = received[0], received[1:]
            if output := _OUTPUT.get(channel):
                return output, data
            if channel == Channel.CONTROL and (ended := read_or_raise(data, self._label).ended):
                self.ending = ended
        return None

    async def send(self, data: bytes) -> None:
        for begin in range(0, len(data), PIECE):
            await self._websocket.send(message(Channel.STDIN, data[begin : begin + PIECE]))

    async def end_input(self) -> None:
        await self._websocket.send(message(Channel.CLOSE, b""))

    async def resize(self, size: TerminalSize) -> None:
        await self._websocket.send(message(Channel.RESIZE, msgspec.json.encode(_terminal(size))))


async def start(websocket: WebSocket, query: ExecQuery, label: str) -> ServerSession:
    """Start a command. Raises a BackendError, of the server or of the job's cluster."""
    terminal = _terminal(query.terminal) if query.terminal else None
    first = control(Start(query.argv, query.stdin, terminal, query.term[:100]))
    if len(first) > LARGEST:
        raise Refused(f"The command has more than {LARGEST >> 10} KiB.", "Put it into a file there.")
    await websocket.send(first)
    received = await websocket.receive()
    if not received or received[0] != Channel.CONTROL or not read_or_raise(received[1:], label).started:
        raise Unreachable(f"{label} started nothing, and does not say why.")
    return ServerSession(websocket, label)


def read_or_raise(data: bytes, label: str) -> Control:
    """Read what a server says of a session. Raises the error that it tells of; Unreachable for no sense."""
    try:
        said = read_control(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreachable(f"{label} says what cannot be read: {error}.") from None
    if said.failed:
        raise error_of(said.failed, said.failed.status)
    return said


def _terminal(size: TerminalSize) -> Terminal:
    """Return a size that a server takes: a terminal that does not know its own says 0."""
    return Terminal(*(min(max(number, 1), _MOST_CELLS) for number in (size.columns, size.rows)))
