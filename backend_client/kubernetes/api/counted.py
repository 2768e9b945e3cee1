"""A transport that counts what is asked through it: one look at a job may cost a few requests, never more."""

from typing import Any

from backend_client.kubernetes.api.transport import Response, Transport


class CountedTransport(Transport):
    """Asks through another transport, and counts the requests."""

    def __init__(self, through: Transport, most: int) -> None:
        """`most`: requests that may be made."""
        super().__init__(through.target)
        self._through = through
        self._most = most
        self.asked = 0

    @property
    def left(self) -> int:
        """How many requests may still be made."""
        return max(0, self._most - self.asked)

    async def request(self, *args: Any, **more: Any) -> Response:
        """Ask as `Transport.request` does; what may not be asked any more is for the caller to leave out."""
        self.asked += 1
        return await self._through.request(*args, **more)
