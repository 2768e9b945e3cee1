"""The event streams between server and client, as bytes. Both import this, so both mean the same.

JSON is msgspec's encoding of `backend_client.models` and `backend_client.protocol`; times are RFC 3339.
An event stream has one frame for each event: `event:` its name, `data:` one line of JSON, `id:` where to
resume behind it (`Last-Event-ID`). Comment frames only show that the connection lives.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from backend_client.protocol import (
    Changed,
    Closed,
    FreshnessState,
    Gap,
    Gone,
    Lines,
    LogItem,
    LogSource,
    Opened,
    Snapshot,
    Synced,
)

HEARTBEAT = b":\n\n"
HEARTBEAT_SECONDS = 15.0
"""A server is silent no longer than this."""
EVENT_STREAM = "text/event-stream"

encode = msgspec.json.Encoder().encode


class ClusterLink(Struct, frozen=True):
    """How fresh one cluster's jobs are. A watch begins with one of each cluster, whatever else it resumes."""

    cluster: str
    state: FreshnessState
    since: datetime
    why: str = ""


class Step(Struct, frozen=True):
    """What the deletion of one job is doing, or what still holds it."""

    uid: str
    message: str
    slow: bool = False


class Lagged(Struct, frozen=True):
    """The client read too slowly, and the stream ends here: open it again, from the beginning."""

    why: str = ""


class Bye(Struct, frozen=True):
    """The server ends the stream: it stops, or the login has ended (then `login` is true)."""

    why: str = ""
    login: bool = False


WatchWire = Snapshot | Synced | Changed | Gone | ClusterLink | Step | Lagged | Bye

WATCH: Mapping[str, type[WatchWire]] = {
    "snapshot": Snapshot,
    "synced": Synced,
    "changed": Changed,
    "gone": Gone,
    "link": ClusterLink,
    "step": Step,
    "lagged": Lagged,
    "bye": Bye,
}
"""The events of GET /api/watch by their names.

A stream begins with a `link` of each cluster. One that starts over goes on with at least one `snapshot`, be
it empty, and a `synced`. One that goes on behind a `Last-Event-ID` has neither: its first `changed` and
`gone` are what happened meanwhile. Whoever reads goes on behind the id of `synced` or of a later event.
"""
_NAMES = {kind: name for name, kind in WATCH.items()}
_WATCH_DECODERS = {name: msgspec.json.Decoder(kind) for name, kind in WATCH.items()}


def frame(event: str, data: bytes, id: str = "") -> bytes:  # noqa: A002  the field's name
    """Encode one event. `data` is JSON, which has no line breaks."""
    mark = f"id: {id}\n" if id else ""
    return f"event: {event}\n{mark}data: ".encode() + data + b"\n\n"


def watch_frame(event: WatchWire, id: str = "") -> bytes:  # noqa: A002  as above
    """Encode one event of a watch."""
    return frame(_NAMES[type(event)], encode(event), id)


def jobs_data(encoded: Iterable[bytes]) -> bytes:
    """Join jobs, encoded once for all who see them, into the data of `snapshot` or `changed`."""
    return b'{"jobs":[' + b",".join(encoded) + b"]}"


def read_watch(event: str, data: bytes) -> WatchWire | None:
    """Decode an event of a watch; None for a name that is unknown here. Raises msgspec.DecodeError."""
    decoder = _WATCH_DECODERS.get(event)
    return decoder.decode(data) if decoder else None


class _Raw(Struct, frozen=True):
    """A line that is not UTF-8; JSON has its bytes as base64."""

    base64: bytes


class _Lines(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`Lines`; its cursor is the frame's id."""

    source: LogSource
    lines: list[str | _Raw]
    times: list[int]
    continues: bool = False
    open: bool = False


_ITEM_NAMES: Mapping[type, str] = {Opened: "opened", Gap: "gap", Closed: "closed"}
_ITEM_DECODERS: Mapping[str, msgspec.json.Decoder[Any]] = {
    "opened": msgspec.json.Decoder(Opened),
    "gap": msgspec.json.Decoder(Gap),
    "closed": msgspec.json.Decoder(Closed),
}
_LINES_DECODER = msgspec.json.Decoder(_Lines)


def log_frame(item: LogItem) -> bytes:
    """Encode one event of a log stream: `opened`, `lines`, `gap`, `closed`."""
    if not isinstance(item, Lines):
        return frame(_ITEM_NAMES[type(item)], encode(item))
    lines = _Lines(
        source=item.source,
        lines=_texts(item.lines),
        times=item.times,
        continues=item.continues,
        open=item.open,
    )
    return frame("lines", encode(lines), item.cursor)


def read_log(event: str, data: bytes, id: str = "") -> LogItem | Bye | None:  # noqa: A002  as above
    """Decode an event of a log stream; None for a name that is unknown here. Raises msgspec.DecodeError."""
    if event == "lines":
        wire = _LINES_DECODER.decode(data)
        return Lines(
            source=wire.source,
            lines=[_bytes(line) for line in wire.lines],
            times=wire.times,
            continues=wire.continues,
            open=wire.open,
            cursor=id,
        )
    if event == "bye":
        return msgspec.json.decode(data, type=Bye)
    decoder = _ITEM_DECODERS.get(event)
    return decoder.decode(data) if decoder else None


def _texts(lines: list[bytes]) -> list[str | _Raw]:
    try:
        whole = b"\n".join(lines).decode()
    except UnicodeDecodeError:
        return [_text(line) for line in lines]
    return [*whole.split("\n")] if lines else []


def _text(line: bytes) -> str | _Raw:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return _Raw(line)


def _bytes(line: str | _Raw) -> bytes:
    return line.encode() if isinstance(line, str) else line.base64
