"""What crosses the WebSockets of commands and ports in jobs. Both sides import this, so both mean the same.

A message is binary: a byte for its channel, then what it carries, at most `PIECE` of it. Channel 3 carries
JSON about the session itself: the client's first message there is the `Start` of a command; the server's are
`started`, then `ended` (a command), or `failed`, after which the server closes.
"""

from enum import IntEnum
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from backend_client.exec_session import ExecEnding
from backend_client.server.bodies import Problem

PIECE = 32 * 1024
"""Bytes that one message carries of an input or output."""
LARGEST = 128 * 1024
"""Bytes of a message that a server takes; the command's words are one."""


class Channel(IntEnum):
    """What a message is. Of a port: 0 goes into the job, 1 comes out of it."""

    STDIN = 0
    STDOUT = 1
    STDERR = 2
    CONTROL = 3
    RESIZE = 4
    """A `Terminal` in JSON."""
    CLOSE = 255
    """The input has ended."""


Cells = Annotated[int, Meta(ge=1, le=9999)]


class Terminal(Struct, frozen=True):
    """The size of the client's terminal, in cells."""

    columns: Cells
    rows: Cells


class Start(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What to run. Its words stand in no URL, which proxies write into their logs."""

    command: tuple[str, ...] = ()
    """Its words; none is a shell."""
    stdin: bool = False
    terminal: Terminal | None = None
    term: Annotated[str, Meta(max_length=100)] = ""
    """The kind of the terminal (TERM)."""


class Control(Struct, frozen=True, omit_defaults=True):
    """A message of the server about the session: one of these."""

    started: bool = False
    ended: ExecEnding | None = None
    failed: Problem | None = None


_CONTROL = msgspec.json.Decoder(Control)


def message(channel: Channel, data: bytes) -> bytes:
    """Return a message as it crosses."""
    return bytes([channel]) + data


def control(what: Start | Control) -> bytes:
    """Return a message about the session."""
    return message(Channel.CONTROL, msgspec.json.encode(what))


def read_control(data: bytes) -> Control:
    """Read what a server says of the session. Raises msgspec.DecodeError, UnicodeDecodeError."""
    return _CONTROL.decode(data)
