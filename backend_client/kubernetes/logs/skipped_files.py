"""Which lines a node has skipped in a stream that never broke (pure).

A kubelet reads a followed file to its end before it turns to the newest one. Where lines are written faster
than they are read, whole files are rotated away between the two, and nothing says so (docs/FACTS.md, "Logs").
A file that was the newest at some time, and whose first line never came, was skipped: that is certain. So a
writer that pauses, whose times jump as well, is never taken for one.
"""

from bisect import bisect_right, insort
from collections.abc import Sequence
from datetime import UTC, datetime

_SECOND = 1_000_000_000


class SkippedFiles:
    """Compares the lines that come with the files that were seen; all times are nanoseconds."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        """Times of the first lines of files that were the newest ones, and have not come yet."""
        self._latest = 0
        """The latest time that has come."""
        self._pace = _Pace()

    def saw(self, start: int) -> None:
        """Note that the newest file begins with a line of this time."""
        if start > self._latest and start not in self._starts:
            insort(self._starts, start)

    def gaps(self, times: Sequence[int]) -> list[tuple[int, str]]:
        """Return (index, which lines are missing before it) in the times of the lines that come next."""
        self._pace.add(times)
        found = self._search(times) if self._starts and self._latest else []
        self._latest = max(self._latest, *times)
        del self._starts[: bisect_right(self._starts, self._latest)]
        return found

    def _search(self, times: Sequence[int]) -> list[tuple[int, str]]:
        found, latest = [], self._latest
        for index, time in enumerate(times):
            due = bisect_right(self._starts, latest)
            if due == len(self._starts):
                break
            if self._starts[due] < time:
                found.append((index, self._describe(latest, time)))
            latest = max(latest, time)
        return found

    def _describe(self, last: int, first: int) -> str:
        most = round_up(self._pace.lines_a_second * (first - last) / _SECOND)
        return (
            f"{_clock(last)}-{_clock(first)} UTC, about {most:,} lines at most; they were written faster than"
            " they could be read, and the node rotated its log"
        )


class _Pace:
    """How many lines are written in a second, at most."""

    def __init__(self) -> None:
        self.lines_a_second = 0.0
        self._since = 0
        self._count = 0

    def add(self, times: Sequence[int]) -> None:
        """Count lines; the pace is known once they reach over a second, and guessed before."""
        self._since = self._since or times[0]
        self._count += len(times)
        seconds = (times[-1] - self._since) / _SECOND
        if seconds >= 1 or not self.lines_a_second:
            self.lines_a_second = max(self.lines_a_second, self._count / max(seconds, 0.1))
        if seconds >= 1 or seconds < 0:
            self._since, self._count = 0, 0


def round_up(count: float) -> int:
    """Round up to two digits: 337261 -> 340000."""
    whole = max(1, int(count))
    unit = int(10 ** max(0, len(str(whole)) - 2))
    return -(-whole // unit) * unit


def _clock(time: int) -> str:
    return f"{datetime.fromtimestamp(time / _SECOND, UTC):%H:%M:%S}"
