"""A connection to a port in a job of a server (`exec_session.PortConnection`): one WebSocket for each."""

from backend_client.server.channels import PIECE, Channel, message
from backend_client.server.exec_session import read_or_raise
from backend_client.websocket import WebSocket


class ServerPortConnection:
    """An open connection to a port in a job of a server."""

    def __init__(self, websocket: WebSocket, label: str) -> None:
        self._websocket = websocket
        self._label = label

    async def receive(self) -> bytes:
        while received := await self._websocket.receive():
            channel, data = received[0], received[1:]
            if channel == Channel.CONTROL:
                read_or_raise(data, self._label)
            elif channel == Channel.STDOUT and data:
                return data
        return b""

    async def send(self, data: bytes) -> None:
        for begin in range(0, len(data), PIECE):
            await self._websocket.send(message(Channel.STDIN, data[begin : begin + PIECE]))
