"""One container's log, read as often as it takes: every line once (pure)."""

from datetime import UTC, datetime

from backend_client.kubernetes.logs.kubelet_lines import KubeletLineSplitter
from backend_client.kubernetes.logs.positions import Found, LogPosition, PositionFinder
from backend_client.protocol import Gap, Lines, LogSource

_LONG = 8 * 1024
"""A line that is this long before it ends is shown as far as it is: a bar may never write a newline."""


class LineResumer:
    """Bytes of one answer after another -> Lines and Gap. `begin` before each answer, `end` at its end."""

    def __init__(self, source: LogSource, mark: LogPosition | None = None, since: int = 0) -> None:
        """`mark`: where to go on; `since`: nanoseconds since the epoch, what is older is left out."""
        self.source = source
        self.mark = mark
        self.since = since
        self.begin()

    def begin(self) -> None:
        """Another answer starts."""
        self._stamped = KubeletLineSplitter()
        self._search = PositionFinder(self.mark) if self.mark else None

    def feed(self, data: bytes) -> list[Lines | Gap]:
        """What these bytes tell that is new."""
        inside = self._stamped.inside
        lines, times = self._stamped.feed(data)
        if self._search is None:
            return self._told(lines, times, inside, least=_LONG)
        return self._searched(self._search.feed(lines, times), least=_LONG)

    def end(self) -> list[Lines | Gap]:
        """The answer ended as it should; what has no newline yet is shown."""
        if self._search is None:
            return self._told([], [], False, least=1)
        told = self._searched(None, least=1)
        if self._search and self.mark:
            told += self._searched(self._search.end(), least=1)
        return told

    def _searched(self, found: Found | None, least: int) -> list[Lines | Gap]:
        """Go on behind the mark, once it is found or known to be gone."""
        if found is None:
            rest = self._stamped.rest()
            if not (rest and self._search and self.mark and self._search.is_in(*rest)):
                return self._gone_by(rest)
            text, time = rest
            self._stamped.take()
            found = Found([text[self.mark.size :]], [time], True)
            self._search = None
            return self._batch(found.lines, found.times, True, unfinished=True) if found.lines[0] else []
        self._search = None
        gap: list[Lines | Gap] = [Gap(self.source, self._between(found))] if found.lost else []
        return gap + self._told(found.lines, found.times, found.continues, least=least)

    def _gone_by(self, rest: tuple[bytes, int] | None) -> list[Lines | Gap]:
        """An unfinished line that is newer than all that was told: the mark will not come."""
        if rest and self._search and self.mark and rest[1] > self.mark.high:
            return self._searched(self._search.end(), least=_LONG)
        return []

    def _told(self, lines: list[bytes], times: list[int], continues: bool, least: int) -> list[Lines | Gap]:
        unfinished = None
        if self._stamped.size >= least and (unfinished := self._stamped.rest()):
            continues = continues or (self._stamped.inside and not lines)
            lines, times = [*lines, unfinished[0]], [*times, unfinished[1]]
            self._stamped.take()
        if self.since and not self.mark:
            kept = [index for index, time in enumerate(times) if time >= self.since]
            continues = continues and kept[:1] == [0]
            lines, times = [lines[index] for index in kept], [times[index] for index in kept]
            unfinished = unfinished if lines else None
        return self._batch(lines, times, continues, unfinished=bool(unfinished)) if lines else []

    def _batch(
        self, lines: list[bytes], times: list[int], continues: bool, *, unfinished: bool
    ) -> list[Lines | Gap]:
        batch = Lines(source=self.source, lines=lines, times=times, continues=continues, open=unfinished)
        self.mark = (self.mark or LogPosition()).behind(batch)
        return [batch]

    def _between(self, found: Found) -> str:
        """The words of a gap; times are UTC."""
        last = self.mark.time if self.mark else 0
        until = f"-{_clock(found.times[0])}" if found.times else ""
        return f"possible gap {_clock(last)}{until} (log rotated or file lost)"


def _clock(time: int) -> str:
    return f"{datetime.fromtimestamp(time / 1e9, UTC):%H:%M:%S}"
