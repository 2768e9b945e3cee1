"""The rate limit of requests: a token bucket for each login, or for each address without one."""

import time
from collections import OrderedDict
from collections.abc import Callable

MAX_BUCKETS = 20_000


class RateLimiter:
    """A bucket for each key: `burst` at once, and `rate` more each second."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> float:
        """Take one token of a key's bucket; return 0, or the seconds until there is one again."""
        now = self._clock()
        left, since = self._buckets.pop(key, (float(self._burst), now))
        left = min(self._burst, left + (now - since) * self._rate)
        granted = left >= 1
        self._buckets[key] = (left - granted, now)
        if len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)
        return 0.0 if granted else (1 - left) / self._rate
