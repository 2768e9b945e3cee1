"""Log resuming: bytes of one answer after another -> every line once, a Gap where some may be missing (pure).

`begin` starts an answer, `feed` takes its bytes, `end` its regular end. An answer repeats the last seconds of
the one before: what was handed on already is dropped by a search for the last position.

    begin, no position -----------------------------------.
                                                          v
    begin, a position ---> SEARCHING ---- found ------> IN STEP
                           `_finder`      (feed)        `_finder` is None: feed and end hand on
                           holds what                     ^               what comes, and the
                           may be new                     |               position moves behind
                                '--- gone: a Gap ---------'
                           (feed: a newer line; end: no more lines)

A line that has no newline yet is handed on once it is long, or when `flush` is called, and the search looks
into it as well: a progress bar may never write one.
"""

from datetime import UTC, datetime

from backend_client.kubernetes.logs.kubelet_lines import KubeletLineSplitter
from backend_client.kubernetes.logs.positions import LogPosition, NewLines, PositionFinder
from backend_client.kubernetes.logs.skipped_files import SkippedFiles
from backend_client.protocol import Gap, Lines, LogSource

_LONG = 8 * 1024
"""Bytes of an unfinished line from which on it is handed on without a `flush`."""


class LineResumer:
    """Turns the bytes of one answer after another into Lines and Gap, from a position on."""

    def __init__(
        self, source: LogSource, position: LogPosition | None = None, since: int = 0, *, long: int = _LONG
    ) -> None:
        """Set up a log; it has begun no answer yet.

        `position`: where to go on; `since`: nanoseconds since the epoch, what is older is left out; `long`:
        bytes of an unfinished line from which on it is handed on.
        """
        self.source = source
        self.position = position
        self.since = since
        self._long = long
        self.begin()

    def begin(self) -> None:
        """Begin an answer: search the position, if there is one, else be in step."""
        self._splitter = KubeletLineSplitter()
        self.skipped = SkippedFiles()
        """What the node skips within this answer."""
        self._finder = PositionFinder(self.position) if self.position else None
        """The search; None: in step."""

    def feed(self, data: bytes) -> list[Lines | Gap]:
        """Take bytes of the answer; return what is new."""
        mid_line = self._splitter.mid_line
        lines, times = self._splitter.feed(data)
        if self._finder is None:
            return self._hand_on(lines, times, mid_line, least=self._long)
        if new := self._finder.feed(lines, times):
            return self._end_search(new, least=self._long)
        return self._search_unfinished(self._finder)

    def take(self, data: bytes) -> list[Lines | Gap]:
        """Take bytes, or with b"" the regular end of the answer."""
        return self.feed(data) if data else self.end()

    @property
    def is_searching(self) -> bool:
        """Whether the position was not found yet."""
        return self._finder is not None

    @property
    def holds_back(self) -> bool:
        """Whether `flush` could hand on more: a line that has no newline yet."""
        return self._finder is None and self._splitter.unfinished_size > 0

    def flush(self) -> list[Lines | Gap]:
        """Hand on the unfinished line as far as it goes, while no position is searched."""
        return [] if self._finder else self._hand_on([], [], False, least=1)

    def end(self) -> list[Lines | Gap]:
        """Take the regular end of the answer; what has no newline yet is handed on too."""
        if self._finder:
            return self._end_search(self._finder.end(), least=1)
        return self.flush()

    def _end_search(self, new: NewLines, least: int) -> list[Lines | Gap]:
        """Be in step from here on, behind a gap where the position is gone."""
        self._finder = None
        gap: list[Lines | Gap] = [Gap(self.source, self._between(new))] if new.lost else []
        return gap + self._hand_on(new.lines, new.times, new.continues, least=least)

    def _search_unfinished(self, finder: PositionFinder) -> list[Lines | Gap]:
        """Search the line that has no newline yet: the position is in it, or can no longer come."""
        unfinished = self._splitter.unfinished()
        if unfinished and self.position and finder.is_in(*unfinished):
            self._finder = None
            self._splitter.take_unfinished()
            line, time = unfinished
            rest = line[self.position.size :]
            return self._batch([rest], [time], True, unfinished=True) if rest else []
        if unfinished and finder.is_passed(unfinished[1]):
            return self._end_search(finder.end(), least=self._long)
        return []

    def _hand_on(
        self, lines: list[bytes], times: list[int], continues: bool, least: int
    ) -> list[Lines | Gap]:
        """Hand on new lines, and the unfinished one if it has at least so many bytes; none before `since`."""
        unfinished = None
        if self._splitter.unfinished_size >= least and (unfinished := self._splitter.unfinished()):
            continues = continues or (self._splitter.mid_line and not lines)
            lines, times = [*lines, unfinished[0]], [*times, unfinished[1]]
            self._splitter.take_unfinished()
        if self.since and not self.position:
            recent = [index for index, time in enumerate(times) if time >= self.since]
            continues = continues and recent[:1] == [0]
            lines, times = [lines[index] for index in recent], [times[index] for index in recent]
            unfinished = unfinished if lines else None
        return self._batch(lines, times, continues, unfinished=bool(unfinished)) if lines else []

    def _batch(
        self, lines: list[bytes], times: list[int], continues: bool, *, unfinished: bool
    ) -> list[Lines | Gap]:
        """Make batches, with a gap where the node skipped lines, and move the position behind them."""
        items: list[Lines | Gap] = []
        start = 0
        for index, why in [*self.skipped.gaps(times), (len(lines), "")]:
            if index > start:
                last = index == len(lines)
                batch = Lines(
                    source=self.source,
                    lines=lines[start:index],
                    times=times[start:index],
                    continues=continues and not start,
                    open=unfinished and last,
                )
                self.position = (self.position or LogPosition()).behind(batch)
                items.append(batch)
            if why:
                items.append(Gap(self.source, why))
            start = index
        return items

    def _between(self, new: NewLines) -> str:
        """Say between which times lines may be missing (UTC)."""
        last = self.position.time if self.position else 0
        until = f"-{_clock_time(new.times[0])}" if new.times else ""
        return f"possible gap {_clock_time(last)}{until} (log rotated or file lost)"


def _clock_time(time: int) -> str:
    return f"{datetime.fromtimestamp(time / 1e9, UTC):%H:%M:%S}"
