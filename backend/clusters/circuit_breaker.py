"""The circuit breaker of one cluster: concurrency, time limit, and a pause after failures in a row.

So a cluster that hangs or is down takes no other cluster's time.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from backend_client.errors import BackendError, LoginNeeded, Unreachable, fragment

MAX_CONCURRENT = 32
"""Requests to one cluster at a time."""
FAILURE_THRESHOLD = 3
"""Unanswered requests in a row, after which none is sent for `PAUSE_SECONDS`."""
PAUSE_SECONDS = 5.0
LIMIT_SECONDS = 20.0


class CircuitBreaker:
    """The breaker that every request to a cluster passes (`call`)."""

    def __init__(self, cluster: str) -> None:
        self._cluster = cluster
        self._free = MAX_CONCURRENT
        self._failures = 0
        self._open_until = 0.0
        self._reason = ""

    @asynccontextmanager
    async def call(self, limit: float = LIMIT_SECONDS) -> AsyncIterator[None]:
        """Guard one request of at most `limit` seconds. Raises Unreachable, at once while it is open."""
        self._check()
        self._free -= 1
        try:
            async with asyncio.timeout(limit):
                yield
        except TimeoutError:
            raise self._record_failure(f"no answer in {limit:g} s") from None
        except LoginNeeded:
            raise Unreachable(
                f"The cluster {self._cluster} does not accept this server's login.",
                "An admin of the server can register the cluster again.",
            ) from None
        except Unreachable as error:
            raise self._record_failure(fragment(error.title)) from None
        except BackendError:
            self._failures = 0
            raise
        else:
            self._failures = 0
        finally:
            self._free += 1

    def _check(self) -> None:
        left = self._open_until - time.monotonic()
        if left > 0:
            raise Unreachable(
                f"The cluster {self._cluster} does not answer: {self._reason}.",
                "Jobs there go on; try again later.",
                retry_after=left,
            )
        if not self._free:
            raise Unreachable(f"The cluster {self._cluster} has too much to do.", "Try again.", retry_after=1)

    def _record_failure(self, reason: str) -> Unreachable:
        """Count a failure, and return it as an error. After a pause one more is enough to open again."""
        self._failures += 1
        self._reason = reason
        if self._failures >= FAILURE_THRESHOLD:
            self._open_until = time.monotonic() + PAUSE_SECONDS
        return Unreachable(
            f"The cluster {self._cluster} does not answer: {reason}.",
            "Jobs there go on; try again later.",
            retry_after=PAUSE_SECONDS,
        )
