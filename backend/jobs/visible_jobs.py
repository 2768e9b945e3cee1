"""The jobs that are visible on screens: the progress of each is read once, however many screens show it."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, zip_longest

from msgspec import Struct

from backend.auth.caller import Caller
from backend.authorization import Action, may
from backend.clusters.event_log import Key
from backend.clusters.hub import Hub
from backend.clusters.registry import ClusterRegistry
from backend_client.models import JobRef
from backend_client.progress.sampler import MOST_JOBS
from backend_client.protocol import JobBackend
from backend_client.server.bodies import VisibleJobs

EXPIRY_SECONDS = 90.0
"""After the last report of a screen; one that is open reports twice as often."""
MAX_SCREENS = 8
"""Screens of one login at most; the oldest is forgotten for a newer one."""
WATCHED_AT_LEAST = 10
"""Of the jobs whose logs a cluster reads, so many places are for alerts, however many people look."""
_EXPIRE_EVERY_SECONDS = 15.0

ScreenKey = tuple[int, str]
"""(token_id, screen)."""


class _ShownJobs(Struct, frozen=True):
    """The jobs that one screen shows."""

    until: float
    uids: tuple[str, ...]


class VisibleJobsRegistry:
    """The visible jobs of all screens, handed on to the clusters' backends."""

    def __init__(
        self, hub: Hub, clusters: ClusterRegistry, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._hub = hub
        self._clusters = clusters
        self._clock = clock
        self._screens: dict[ScreenKey, _ShownJobs] = {}
        self._watched: tuple[Key, ...] = ()
        """Jobs that nobody need look at, whose logs alerts want to have read; the most urgent first."""
        self._published: dict[str, tuple[JobBackend, tuple[JobRef, ...]]] = {}

    async def set_visible_jobs(self, caller: Caller, visible: VisibleJobs) -> None:
        """Set the jobs that a screen shows, as far as its caller may see them."""
        seen = tuple(uid for uid in dict.fromkeys(visible.uids) if self._may_see(caller, uid))
        screen = caller.token_id, visible.screen
        self._screens.pop(screen, None)
        mine = [other for other in self._screens if other[0] == caller.token_id]
        for oldest in mine[: max(0, len(mine) + 1 - MAX_SCREENS)]:
            del self._screens[oldest]
        if seen:
            self._screens[screen] = _ShownJobs(self._clock() + EXPIRY_SECONDS, seen)
        await self._publish()

    async def set_watched(self, keys: Sequence[Key]) -> Sequence[Key]:
        """Set the jobs whose logs alerts want, the most urgent first; return those that are read now.

        Those that are visible are among them.
        """
        self._watched = tuple(keys)
        await self._publish()
        return [ref.key for _, refs in self._published.values() for ref in refs[:MOST_JOBS]]

    async def expire_forever(self) -> None:
        """Forget screens that no longer report, for ever."""
        while True:
            await asyncio.sleep(_EXPIRE_EVERY_SECONDS)
            await self.expire()

    async def expire(self) -> None:
        """Forget the screens that no longer report."""
        now = self._clock()
        self._screens = {screen: seen for screen, seen in self._screens.items() if seen.until > now}
        await self._publish()

    def _may_see(self, caller: Caller, uid: str) -> bool:
        found = self._hub.find_owner(uid)
        return found is not None and may(caller, Action.SEE, found[1].user_id).allowed is True

    async def _publish(self) -> None:
        """Hand the visible jobs on to each cluster whose own have changed."""
        refs: defaultdict[str, list[JobRef]] = defaultdict(list)
        for ref in self._refs():
            refs[ref.context].append(ref)
        watched: defaultdict[str, list[JobRef]] = defaultdict(list)
        for key in self._watched:
            if cached := self._hub.get(*key):
                watched[key[0]].append(cached.job.ref)
        for cluster in self._clusters:
            published = cluster.backend, _with_watched(refs[cluster.name], watched[cluster.name])
            if published != self._published.get(cluster.name, (cluster.backend, ())):
                self._published[cluster.name] = published
                await cluster.backend.set_visible_jobs(published[1])

    def _refs(self) -> Iterator[JobRef]:
        """Yield the first job of each screen, then the second of each: no long list crowds out others."""
        each = zip_longest(*(seen.uids for seen in self._screens.values()))
        for uid in dict.fromkeys(chain.from_iterable(each)):
            location = self._hub.find_owner(uid) if uid else None
            cached = self._hub.get(location[0], uid) if location else None
            if cached:
                yield cached.job.ref


def _with_watched(visible: Sequence[JobRef], watched: Sequence[JobRef]) -> tuple[JobRef, ...]:
    """Return the jobs to be read: visible ones first, and as many watched ones as there are places left.

    A few places are for the watched ones in any case.
    """
    shown = set(visible)
    others = [ref for ref in watched if ref not in shown]
    others = others[: max(WATCHED_AT_LEAST, MOST_JOBS - len(visible))]
    first = MOST_JOBS - min(WATCHED_AT_LEAST, len(others))
    return (*visible[:first], *others, *visible[first:])
