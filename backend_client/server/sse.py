"""Server-sent events: bytes -> events.

https://html.spec.whatwg.org/multipage/server-sent-events.html; of its line ends LF and CRLF.
"""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from msgspec import Struct

from backend_client.errors import Unreachable, sentence

if TYPE_CHECKING:
    import httpx

LONGEST_EVENT = 32 * 2**20
"""Bytes that one event may have."""


class SseEvent(Struct, frozen=True):
    """One event; a heartbeat has no name and no data."""

    event: str = ""
    data: bytes = b""
    id: str = ""


class SseParser:
    """Parses bytes, cut anywhere, into events."""

    def __init__(self) -> None:
        self._line: list[bytes] = []
        """Pieces of a line that has no end yet."""
        self._fields: dict[bytes, bytes] = {}
        self._size = 0

    def feed(self, data: bytes) -> list[SseEvent]:
        """Return the events that end in these bytes. Raises ValueError where one is too long."""
        self._line.append(data)
        self._size += len(data)
        if b"\n" not in data:
            self._check_size()
            return []
        *lines, rest = b"".join(self._line).split(b"\n")
        self._line = [rest]
        events = [frame for line in lines if (frame := self._feed_line(line.removesuffix(b"\r")))]
        self._size = len(rest) + sum(map(len, self._fields.values()))
        self._check_size()
        return events

    def _check_size(self) -> None:
        if self._size > LONGEST_EVENT:
            raise ValueError(f"an event has more than {LONGEST_EVENT >> 20} MiB")

    def _feed_line(self, line: bytes) -> SseEvent | None:
        if not line:
            return self._event()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data" and b"data" in self._fields:
            value = self._fields[b"data"] + b"\n" + value
        self._fields[name] = value
        return None

    def _event(self) -> SseEvent:
        fields, self._fields = self._fields, {}
        return SseEvent(
            fields.get(b"event", b"").decode(errors="replace"),
            fields.get(b"data", b""),
            fields.get(b"id", b"").decode(errors="replace"),
        )


class SseStream:
    """The events of one response, as they come."""

    def __init__(self, response: "httpx.Response", label: str) -> None:
        self._response = response
        self._label = label

    async def batches(self) -> AsyncIterator[list[SseEvent]]:
        """Yield the events of each read. Raises Unreachable where one is too long, else httpx.HTTPError."""
        parser = SseParser()
        async for data in self._response.aiter_raw():
            try:
                events = parser.feed(data)
            except ValueError as error:
                raise Unreachable(sentence(f"{self._label} cannot be followed: {error}")) from None
            if events:
                yield events
