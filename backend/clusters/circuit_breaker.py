"""The circuit breaker of one cluster: whose requests wait, and when none is sent at all.

Two walls, so that nobody takes another's time:

- *The cluster is down* is found out by the server's own probe, which any failed request starts: a small
  request that costs nothing. While it is not answered, no request is sent and everybody is told at once.
- *One person's requests are slow* (a plan that costs the API server minutes) is that person's matter: each
  has a few at a time, and a pause after some that failed in a row. Nobody else's are held up.
"""

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from msgspec import Struct

from backend_client.errors import BackendError, Forbidden, LoginNeeded, Refused, Unreachable, fragment

MAX_CONCURRENT = 128
"""Requests to one cluster at a time."""
MAX_PER_PERSON = 8
"""Requests of one person to one cluster at a time."""
FAILURE_THRESHOLD = 3
"""Failed requests of one person in a row, after which theirs wait for `PAUSE_SECONDS`."""
PAUSE_SECONDS = 5.0
LIMIT_SECONDS = 20.0
PROBE_SECONDS = 5.0
SERVER = 0
"""The server's own work, in the place of a person's id."""
_WRITE_NAME = "It lists no Secrets, as that would show it what is in them: write the name."
_INTO_PODS = re.compile("pods/(exec|portforward)")
_HINT = "Jobs there go on; try again later."


class LoginNotAccepted(Unreachable):
    """The cluster does not accept the server's own login: it answers, and the request is not to blame."""


class _Person(Struct):
    """What one person asks of a cluster."""

    running: int = 0
    failures: int = 0
    """In a row."""
    pause_until: float = 0.0


class CircuitBreaker:
    """The breaker that every request to a cluster passes (`call`)."""

    def __init__(self, cluster: str, probe: Callable[[], Awaitable[object]]) -> None:
        """`probe` asks the cluster something small; a BackendError but Unreachable is an answer too."""
        self._cluster = cluster
        self._probe = probe
        self._running = 0
        self._people: defaultdict[int, _Person] = defaultdict(_Person)
        self._reason = ""
        """Why the cluster is down; "" where it is not."""
        self._next_probe = 0.0
        self._prober: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def call(self, person: int, limit: float = 0.0) -> AsyncIterator[None]:
        """Guard one request of a person (an id, or SERVER) of at most `limit` seconds.

        Raises Unreachable: at once while the cluster is down, or has too much of this person to do.
        """
        self._check(person)
        own = self._people[person]
        self._running += 1
        own.running += 1
        try:
            async with named_failures(self._cluster, limit or LIMIT_SECONDS):
                yield
        except Unreachable as error:
            if not isinstance(error, LoginNotAccepted):
                self._count_failure(own)
            raise
        except BackendError:
            own.failures, own.pause_until = 0, 0.0
            raise
        else:
            own.failures, own.pause_until = 0, 0.0
        finally:
            self._running -= 1
            own.running -= 1
            if own == _Person():
                self._people.pop(person, None)

    async def aclose(self) -> None:
        """Stop the probe."""
        if self._prober:
            self._prober.cancel()
            await asyncio.gather(self._prober, return_exceptions=True)

    def _check(self, person: int) -> None:
        if self._reason:
            wait = max(1.0, self._next_probe - time.monotonic())
            raise _unreachable(f"The cluster {self._cluster} does not answer: {self._reason}.", _HINT, wait)
        own = self._people.get(person) or _Person()
        left = own.pause_until - time.monotonic()
        if left > 0:
            title = f"The last {own.failures} requests of yours to the cluster {self._cluster} failed."
            raise _unreachable(title, "Wait a little; others' go on.", left)
        if own.running >= MAX_PER_PERSON or self._running >= MAX_CONCURRENT:
            whose = "of yours " if own.running >= MAX_PER_PERSON else ""
            raise _unreachable(f"The cluster {self._cluster} has too much {whose}to do.", "Try again.", 1)

    def _count_failure(self, own: _Person) -> None:
        """Count a failure of one person, and find out whether the cluster itself is down."""
        own.failures += 1
        if own.failures >= FAILURE_THRESHOLD:
            own.pause_until = time.monotonic() + PAUSE_SECONDS
        if self._prober is None or self._prober.done():
            self._prober = asyncio.create_task(self._probe_until_up(), name=f"probe of {self._cluster}")

    async def _probe_until_up(self) -> None:
        """Probe the cluster, again and again while it does not answer."""
        while reason := await self._down_because():
            self._reason = reason
            self._next_probe = time.monotonic() + PAUSE_SECONDS
            await asyncio.sleep(PAUSE_SECONDS)
        self._reason = ""

    async def _down_because(self) -> str:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await self._probe()
        except TimeoutError:
            return f"no answer in {PROBE_SECONDS:g} s"
        except Unreachable as error:
            return fragment(error.title)
        except BackendError:
            return ""  # it answers
        return ""


@asynccontextmanager
async def named_failures(cluster: str, limit: float) -> AsyncIterator[None]:
    """Guard a request to a cluster of at most `limit` seconds: a failure names it.

    Raises Unreachable, Refused.
    """
    try:
        async with asyncio.timeout(limit):
            yield
    except TimeoutError:
        raise _unreachable(f"The cluster {cluster} gave no answer in {limit:g} s.", _HINT) from None
    except LoginNeeded:
        raise LoginNotAccepted(
            f"The cluster {cluster} does not accept this server's login.",
            "An admin of the server can register the cluster again.",
        ) from None
    except Forbidden as error:  # it is the server that asks, so it is not the person who may not
        title = error.title.replace("You may not", f"This server's account in {cluster} may not", 1)
        file = "exec.yaml" if _INTO_PODS.search(title) else "account.yaml"
        hint = f"An admin of the cluster gives it rights, by deploy/kubernetes/{file}."
        raise Refused(title, _WRITE_NAME if "secrets" in title else hint) from None
    except Unreachable as error:
        title = f"The cluster {cluster} does not answer: {fragment(error.title)}."
        raise _unreachable(title, _HINT, error.retry_after or PAUSE_SECONDS) from None


def _unreachable(title: str, hint: str, retry_after: float = PAUSE_SECONDS) -> Unreachable:
    return Unreachable(title, hint, retry_after=retry_after)
