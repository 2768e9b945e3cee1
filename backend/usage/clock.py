"""The clock of a cluster, as a server can know it: it goes on evenly, whatever is done to the server's own.

Rows hold the cluster's times. What nobody wrote (when a pod was missed, when it was last seen) is told by
this clock: it begins as the server's, is not moved when that is set, and goes forward to every time that the
cluster has just written.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_MOST_AHEAD = timedelta(hours=24)
"""A time that is further ahead than this was written by a broken clock."""


def _steady() -> float:
    """Return seconds that go on while the machine sleeps, where the system has such a clock."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.clock_gettime(clock) if clock is not None else time.monotonic()


def _now() -> datetime:
    return datetime.now(UTC)


class ClusterClock:
    """The time of one cluster."""

    def __init__(self, wall: Callable[[], datetime] = _now, steady: Callable[[], float] = _steady) -> None:
        """`wall` is asked once; `steady` counts seconds from anywhere."""
        self._steady = steady
        self._start, self._began = wall(), steady()
        self._offset: timedelta | None = None

    def now(self) -> datetime:
        """Return the time now."""
        return self._even() + (self._offset or timedelta())

    def note(self, written: datetime) -> None:
        """Note a time that the cluster has just written: it is not later than its now."""
        offset = written - self._even()
        if abs(offset) > _MOST_AHEAD and self._offset is not None:
            return
        self._offset = offset if self._offset is None else max(self._offset, offset)

    def _even(self) -> datetime:
        return self._start + timedelta(seconds=self._steady() - self._began)
