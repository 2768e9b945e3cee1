"""Where a page's log stream goes on: what its address, or Last-Event-ID, says."""

import base64
import binascii
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from backend_client.errors import Invalid
from backend_client.logs import LogBuffer
from backend_client.protocol import Lines, LogItem, LogSource, Opened

_LONGEST = 4_096
"""Bytes of an unfinished line that a place holds: more than is shown of one."""
_MOST_HELD = 8


class Held(Struct, frozen=True, array_like=True):
    """An unfinished line as far as it is written; what it goes on with comes behind the cursor."""

    source: LogSource
    time: int
    raw: bytes


class Place(Struct, frozen=True, array_like=True):
    """A place in a log: the backend's cursor, the sources that were opened, the lines without a newline."""

    cursor: str = ""
    opened: tuple[tuple[int, int], ...] = ()
    held: tuple[Held, ...] = ()

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(msgspec.msgpack.encode(self)).decode().rstrip("=")

    def start(self, buffer: LogBuffer) -> None:
        """Put into a buffer what the lines behind this place go on with."""
        buffer.append(
            [Lines(source=line.source, lines=[line.raw], times=[line.time], open=True) for line in self.held]
        )

    def is_repeated(self, item: LogItem) -> bool:
        """Return True for an Opened of a source that was opened before this place."""
        return isinstance(item, Opened) and (item.source.rank, item.source.attempt) in self.opened

    def behind(self, items: Sequence[LogItem], buffer: LogBuffer) -> "Place":
        """Return the place behind these items, which `buffer` has taken."""
        cursors = [item.cursor for item in items if isinstance(item, Lines) and item.cursor]
        opened = {(item.source.rank, item.source.attempt) for item in items if isinstance(item, Opened)}
        held = tuple(
            Held(line.source, line.time, bytes(line.raw[:_LONGEST]))
            for line in buffer.unfinished[:_MOST_HELD]
        )
        return Place(cursors[-1] if cursors else self.cursor, tuple(sorted({*self.opened, *opened})), held)


def parse_place(text: str) -> Place:
    """Read a place; the beginning for "". Raises Invalid."""
    if not text:
        return Place()
    try:
        return msgspec.msgpack.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=Place)
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        raise Invalid({"after": "is no place in a log"}) from None
