"""A container's log as a node keeps it and as the kubelet gives it out (docs/FACTS.md, "Logs")."""

from datetime import UTC, datetime
from typing import NamedTuple

SECOND = 1_000_000_000


class Chunk(NamedTuple):
    """One record: a line, or a part of one that goes on."""

    time: int
    text: bytes
    partial: bool = False


class LogFile:
    """Grows at its end; rotation cuts off its beginning."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        self.written = b""
        """All that the job ever wrote."""

    def write(self, *chunks: Chunk) -> None:
        self.chunks += chunks
        self.written += b"".join(chunk.text + b"\n" * (not chunk.partial) for chunk in chunks)

    def rotate(self, keep: int) -> None:
        """Only the last `keep` records are left, and of those only whole lines."""
        start = max(0, len(self.chunks) - keep)
        while 0 < start < len(self.chunks) and self.chunks[start - 1].partial:
            start += 1
        del self.chunks[:start]

    def given(self, since: int = 0, tail: int | None = None) -> bytes:
        """As `timestamps=true` gives it. `since`: seconds, which hold for each record."""
        start = 0 if tail is None else max(0, len(self.chunks) - tail)
        return render(self.chunks[start:], since)


def render(chunks: list[Chunk], since: int = 0, *, begun: bool = False) -> bytes:
    """Only the first record of a line is stamped, and only if it is not left out."""
    out = b""
    for chunk in chunks:
        if chunk.time >= since * SECOND:
            out += (b"" if begun else stamp(chunk.time)) + chunk.text + b"\n" * (not chunk.partial)
        begun = chunk.partial
    return out


def stamp(time: int) -> bytes:
    second = datetime.fromtimestamp(time // SECOND, UTC)
    return f"{second:%Y-%m-%dT%H:%M:%S}.{time % SECOND:09}Z ".encode()
