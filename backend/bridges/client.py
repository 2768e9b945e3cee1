"""The client's side of a bridge, whatever carries its messages."""

from typing import Protocol

from backend_client.errors import BackendError
from backend_client.server.bodies import problem_of
from backend_client.server.channels import Control, control


class ClientLeft(Exception):
    """The client has gone: nobody is left to be told."""


class Client(Protocol):
    """An accepted WebSocket of a client, for one reader and one writer."""

    async def receive(self) -> tuple[int, bytes]:
        """Return the channel of the next message, and what it carries.

        Raises ClientLeft, or Invalid for what is no message of ours.
        """
        ...

    async def send(self, message: bytes) -> None:
        """Send a message; waits while the client takes none. Raises ClientLeft."""
        ...

    async def close(self) -> None:
        """Close in order."""
        ...

    async def wait_gone(self) -> None:
        """Wait until the client has gone, also while none of its messages is received."""
        ...


async def fail(client: Client, error: BackendError) -> None:
    """Tell a client why its bridge ends, and close. Raises ClientLeft."""
    await client.send(control(Control(failed=problem_of(error))))
    await client.close()
