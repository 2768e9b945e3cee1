"""Exponential backoff with jitter: how long to wait before the next try. The one that all retry loops share.

The defaults are those of client-go's reflector (kubernetes/client-go, tools/cache/reflector.go): 0.8 s,
doubled up to 30 s, and from the start again after two minutes without a failure.
"""

import asyncio
import random
from collections.abc import Callable

FIRST_SECONDS = 0.8
LONGEST_SECONDS = 30.0
HEALTHY_SECONDS = 120.0
"""After so long without a failure the next one counts as the first."""


def no_jitter() -> float:
    """Return 1: the pause is its whole ceiling. For one client that nobody retries beside."""
    return 1.0


class Backoff:
    """The pauses of one retry loop.

    Their ceiling doubles from `first` to `longest` seconds. Each pause is a random part of it ("full
    jitter"), so that many clients that lose a server together do not come back to it at once.
    """

    def __init__(
        self,
        *,
        first: float | None = None,
        longest: float | None = None,
        healthy: float | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Set up the loop, without a failure so far.

        `first`, `longest`: seconds, the first and the largest ceiling. `healthy`: after so many seconds
        without a failure the next one counts as the first; `math.inf` where only `reset` says so. `jitter`:
        gives the part of the ceiling that a pause takes, 0 to 1.
        """
        self._first = FIRST_SECONDS if first is None else first
        self._longest = LONGEST_SECONDS if longest is None else longest
        self._healthy = HEALTHY_SECONDS if healthy is None else healthy
        self._jitter = jitter
        self._ceiling = 0.0
        self._failed_at = 0.0

    def next(self) -> float:
        """Return the seconds to wait after a failure that happened now."""
        now = asyncio.get_running_loop().time()
        if not self._ceiling or now - self._failed_at > self._healthy:
            self._ceiling = self._first
        else:
            self._ceiling = min(self._longest, self._ceiling * 2)
        self._failed_at = now
        return self._jitter() * self._ceiling

    def reset(self) -> None:
        """Count the next failure as the first: the connection has proved itself."""
        self._ceiling = 0.0
