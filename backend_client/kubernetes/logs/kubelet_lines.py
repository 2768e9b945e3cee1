"""What the kubelet sends of a log -> lines with their times (pure).

Every line starts with its time; the parts of a very long one come one by one and only the first has it
(facts/reliability.md 2.1). Lines end at newlines only.
"""

import re

from backend_client.timestamps import TimestampCache

_STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d) ")
_USUAL = re.compile(rb"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{9})Z (.*)$", re.MULTILINE)
"""A line as kubelets write it: in nanoseconds and UTC. Thousands at a time cost a third of one by one."""


class KubeletLineSplitter:
    """Collects what has no newline yet. `inside`: a part of the unfinished line was taken already."""

    def __init__(self) -> None:
        self.inside = False
        self._time = 0
        self._parts: list[bytes] = []
        self._clock = TimestampCache()

    def feed(self, data: bytes) -> tuple[list[bytes], list[int]]:
        """The lines that these bytes complete. If `inside`, the first is the rest of the line begun."""
        whole, newline, rest = data.rpartition(b"\n")
        if not newline:
            self._parts.append(data)
            return [], []
        text = b"".join((*self._parts, whole))
        self._parts = [rest] if rest else []
        return self._usual(text) or self._one_by_one(text)

    def _usual(self, text: bytes) -> tuple[list[bytes], list[int]] | None:
        """Whole lines that all have the usual stamp; None for others."""
        found = _USUAL.findall(text)
        if self.inside or len(found) != text.count(b"\n") + 1:
            return None
        clock = self._clock
        times = [clock[second + b"Z"] + int(fraction) for second, fraction, _ in found]
        self._time = times[-1]
        return [line for _, _, line in found], times

    def _one_by_one(self, text: bytes) -> tuple[list[bytes], list[int]]:
        lines: list[bytes] = []
        times: list[int] = []
        for raw in text.split(b"\n"):
            lines.append(self._text(raw))
            times.append(self._time)
            self.inside = False
        return lines, times

    @property
    def size(self) -> int:
        """Bytes that wait for a newline."""
        return sum(map(len, self._parts))

    def rest(self) -> tuple[bytes, int] | None:
        """The unfinished line so far and its time; None where there is none, or not even its whole stamp."""
        raw = b"".join(self._parts)
        self._parts = [raw] if raw else []
        if not raw or (not self.inside and not _STAMP.match(raw)):
            return None
        return self._text(raw), self._time

    def take(self) -> None:
        """The rest was taken: what follows goes on behind it."""
        self._parts, self.inside = [], True

    def _text(self, raw: bytes) -> bytes:
        """The line without its stamp. One without a stamp is as old as the line before it."""
        if self.inside or not (stamp := _STAMP.match(raw)):
            return raw
        second, fraction, zone = stamp.groups()
        self._time = self._clock[second + zone] + (int(fraction.ljust(9, b"0")) if fraction else 0)
        return raw[stamp.end() :]
