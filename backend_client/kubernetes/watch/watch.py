"""Jobs as they change: one reflector for each kind and namespace, merged into batches.

The reflectors write to one `Board` and nothing queues behind it: a slow consumer gets fewer, larger batches.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from typing import Any

from backend_client.kubernetes import labels
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.resources.resource_types import (
    DEPLOYMENTS,
    EVENTS,
    INGRESSES,
    JOBS,
    PODS,
    ResourceType,
)
from backend_client.kubernetes.watch.delta import Delta
from backend_client.kubernetes.watch.job_cache import JobCache
from backend_client.kubernetes.watch.reflector import Reflector
from backend_client.protocol import Changed, Freshness, FreshnessState, Gone, Snapshot, Synced, WatchEvent

KINDS: tuple[ResourceType[Any], ...] = (PODS, JOBS, DEPLOYMENTS)
"""Without one of these the list is not whole; the others only add words."""
GATHER_SECONDS = 0.05
_WORST = (FreshnessState.STALE, FreshnessState.FORBIDDEN, FreshnessState.LIVE)


class JobWatch:
    """One consumer's watch over some namespaces ("" alone: all of the cluster)."""

    def __init__(
        self,
        transport: Transport,
        board: JobCache,
        namespaces: Sequence[str],
        extra: Sequence[ResourceType[Any]] = (),
    ) -> None:
        """`extra`: kinds that only this cluster has (Kueue's Workloads)."""
        self._board = board
        self._needed = [Reflector(transport, kind, place) for place in namespaces for kind in KINDS]
        self._adding: list[Reflector[Any]] = []
        for place in namespaces:
            self._adding += [
                Reflector(transport, EVENTS, place, fields="type=Warning"),
                Reflector(transport, INGRESSES, place, labels=labels.JOB),
                *(Reflector(transport, kind, place) for kind in extra),
            ]
        self._links: dict[Reflector[Any], Freshness] = {}
        self._settled: set[Reflector[Any]] = set()
        """Those whose list is whole, or is not ours to see."""
        self._told_link: Freshness | None = None
        self._synced = False
        self._news = asyncio.Event()

    async def batches(self) -> AsyncGenerator[Sequence[WatchEvent], None]:
        """For ever, until closed."""
        tasks = [asyncio.create_task(self._follow(one)) for one in (*self._needed, *self._adding)]
        for task in tasks:
            task.add_done_callback(lambda _: self._news.set())
        try:
            while True:
                await self._news.wait()
                await asyncio.sleep(GATHER_SECONDS)
                self._news.clear()
                for task in tasks:
                    if task.done():
                        task.result()
                if batch := self._batch():
                    yield batch
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def mark_dirty(self, uid: str) -> None:
        """The progress of a job is another."""
        self._board.mark_dirty(uid)
        self._news.set()

    async def _follow(self, reflector: Reflector[Any]) -> None:
        async with contextlib.aclosing(reflector.batches()) as parts:
            async for part in parts:
                match part:
                    case Delta():
                        self._board.apply(part)
                    case Synced():
                        self._settled.add(reflector)
                    case Freshness():
                        self._links[reflector] = part
                        hidden = part.why if part.state is FreshnessState.FORBIDDEN else ""
                        self._board.mark_unreadable(reflector.kind, reflector.namespace, hidden)
                        if hidden:
                            self._settled.add(reflector)
                self._news.set()

    def _batch(self) -> list[WatchEvent]:
        whole = self._settled.issuperset(self._needed)
        batch: list[WatchEvent] = []
        if (link := self._link()) and link != self._told_link:
            self._told_link = link
            batch.append(link)
        changed, gone = self._board.drain(complete=whole)
        if gone:
            batch.append(Gone(gone))
        if changed:
            batch.append(Changed(changed) if self._synced else Snapshot(changed))
        if whole and not self._synced:
            self._synced = True
            batch.append(Synced())
        return batch

    def _link(self) -> Freshness | None:
        """The worst of all; live once every one is."""
        links = [self._links[one] for one in self._needed if one in self._links]
        worst = min(links, key=lambda link: (_WORST.index(link.state), link.since), default=None)
        if worst and worst.state is FreshnessState.LIVE and len(links) < len(self._needed):
            return None
        if worst and worst.state is FreshnessState.LIVE:
            return Freshness(FreshnessState.LIVE, max(link.since for link in links))
        return worst


def stale(why: str) -> Freshness:
    """A link that could not even be begun."""
    return Freshness(FreshnessState.STALE, datetime.now(UTC), why)
