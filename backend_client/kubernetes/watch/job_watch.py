"""The watch of jobs: one reflector for each resource type and namespace, merged into batches.

The reflectors write to one `JobCache` and nothing queues behind it: a slow consumer gets fewer, larger
batches.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from typing import Any

from backend_client.kubernetes import labels
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.resources.resource_types import (
    EVENTS,
    INGRESSES,
    ROOT_TYPES,
    ResourceType,
)
from backend_client.kubernetes.watch.delta import Delta
from backend_client.kubernetes.watch.job_cache import JobCache
from backend_client.kubernetes.watch.reflector import Reflector
from backend_client.protocol import Changed, Freshness, FreshnessState, Gone, Snapshot, Synced, WatchEvent

REQUIRED_TYPES: tuple[ResourceType[Any], ...] = tuple(ROOT_TYPES.values())
"""Types without which the list of jobs is not complete; the others only add to reasons."""
GATHER_SECONDS = 0.05
_WORST_FIRST = (FreshnessState.STALE, FreshnessState.FORBIDDEN, FreshnessState.LIVE)


class JobWatch:
    """One consumer's watch over some namespaces ("" alone: all of the cluster)."""

    def __init__(
        self,
        transport: Transport,
        cache: JobCache,
        namespaces: Sequence[str],
        extra: Sequence[ResourceType[Any]] = (),
    ) -> None:
        """Watch nothing yet; `extra`: types that only this cluster has (Kueue's Workloads)."""
        self._cache = cache
        self._required = [
            Reflector(transport, kind, namespace) for namespace in namespaces for kind in REQUIRED_TYPES
        ]
        self._optional: list[Reflector[Any]] = []
        for namespace in namespaces:
            self._optional += [
                Reflector(transport, EVENTS, namespace, fields="type=Warning"),
                Reflector(transport, INGRESSES, namespace, labels=labels.JOB),
                *(Reflector(transport, kind, namespace) for kind in extra),
            ]
        self._freshness_of: dict[Reflector[Any], Freshness] = {}
        self._settled: set[Reflector[Any]] = set()
        """Reflectors whose list is complete, or may not be read."""
        self._published_freshness: Freshness | None = None
        self._synced = False
        self._changed = asyncio.Event()

    async def batches(self) -> AsyncGenerator[Sequence[WatchEvent], None]:
        """Yield batches of events for ever, until closed."""
        tasks = [
            asyncio.create_task(self._follow(reflector)) for reflector in (*self._required, *self._optional)
        ]
        for task in tasks:
            task.add_done_callback(lambda _: self._changed.set())
        try:
            while True:
                await self._changed.wait()
                await asyncio.sleep(GATHER_SECONDS)
                self._changed.clear()
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
        """Mark a job as changed: its progress is a new one."""
        self._cache.mark_dirty(uid)
        self._changed.set()

    async def _follow(self, reflector: Reflector[Any]) -> None:
        async with contextlib.aclosing(reflector.batches()) as parts:
            async for part in parts:
                match part:
                    case Delta():
                        self._cache.apply(part)
                    case Synced():
                        self._settled.add(reflector)
                    case Freshness():
                        self._freshness_of[reflector] = part
                        reason = part.why if part.state is FreshnessState.FORBIDDEN else ""
                        self._cache.mark_unreadable(reflector.resource_type, reflector.namespace, reason)
                        if reason:
                            self._settled.add(reflector)
                self._changed.set()

    def _batch(self) -> list[WatchEvent]:
        complete = self._settled.issuperset(self._required)
        batch: list[WatchEvent] = []
        if (freshness := self._worst_freshness()) and freshness != self._published_freshness:
            self._published_freshness = freshness
            batch.append(freshness)
        changed, gone = self._cache.drain(complete=complete)
        if gone:
            batch.append(Gone(gone))
        if changed:
            batch.append(Changed(changed) if self._synced else Snapshot(changed))
        if complete and not self._synced:
            self._synced = True
            batch.append(Synced())
        return batch

    def _worst_freshness(self) -> Freshness | None:
        """Return the worst freshness of the required reflectors; live once every one is."""
        reported = [
            self._freshness_of[reflector] for reflector in self._required if reflector in self._freshness_of
        ]
        worst = min(reported, key=_badness, default=None)
        if worst and worst.state is FreshnessState.LIVE and len(reported) < len(self._required):
            return None
        if worst and worst.state is FreshnessState.LIVE:
            return Freshness(FreshnessState.LIVE, max(freshness.since for freshness in reported))
        return worst


def _badness(freshness: Freshness) -> tuple[int, datetime]:
    """Return the key that sorts the worst first, of several the one that has lasted longest."""
    return _WORST_FIRST.index(freshness.state), freshness.since


def stale(reason: str) -> Freshness:
    """Return the freshness of a watch that could not even be begun."""
    return Freshness(FreshnessState.STALE, datetime.now(UTC), reason)
