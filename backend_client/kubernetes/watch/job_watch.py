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
from backend_client.kubernetes.resources.training import TrainingType
from backend_client.kubernetes.resources.training_kinds import STATEFUL_SET_LABEL
from backend_client.kubernetes.watch.delta import Delta
from backend_client.kubernetes.watch.job_cache import JobCache
from backend_client.kubernetes.watch.reflector import Reflector
from backend_client.kubernetes.watch.training import STATEFUL_SETS, needs_stateful_sets
from backend_client.protocol import Changed, Freshness, FreshnessState, Gone, Snapshot, Synced, WatchEvent
from backend_client.slow_steps import heard_by

REQUIRED_TYPES: tuple[ResourceType[Any], ...] = tuple(ROOT_TYPES.values())
"""Types without which the list of jobs is not complete; the others only add to reasons."""
GATHER_SECONDS = 0.05
_WORST_FIRST = (
    FreshnessState.STALE,
    FreshnessState.SYNCING,
    FreshnessState.FORBIDDEN,
    FreshnessState.LIVE,
)


class JobWatch:
    """One consumer's watch over some namespaces ("" alone: all of the cluster)."""

    def __init__(
        self,
        transport: Transport,
        cache: JobCache,
        namespaces: Sequence[str],
        extra: Sequence[ResourceType[Any]] = (),
    ) -> None:
        """Watch nothing yet; `extra`: types that only this cluster has (Kueue's Workloads, JobSets ...)."""
        self.cache = cache
        """All that it knows."""
        training = [kind for kind in extra if isinstance(kind, TrainingType)]
        self.cache.awaits_owners = bool(training)
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
            if needs_stateful_sets(training):
                self._optional.append(
                    Reflector(transport, STATEFUL_SETS, namespace, labels=STATEFUL_SET_LABEL)
                )
        owners = (*training, STATEFUL_SETS)
        self._owners = {item for item in self._optional if item.resource_type in owners}
        """Reflectors of what other tools make jobs of: once they were heard of, rows are no others' ranks."""
        self._freshness_of: dict[Reflector[Any], Freshness] = {}
        self._waits: dict[Reflector[Any], Freshness] = {}
        """What reflectors wait for beside the network: a login program."""
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
        self.cache.mark_dirty(uid)
        self._changed.set()

    def mark_waiting_dirty(self) -> None:
        """Mark the jobs that wait for a machine as changed: the nodes were read."""
        self.cache.mark_waiting_dirty()
        self._changed.set()

    def refresh(self) -> None:
        """List everything anew at once."""
        for reflector in (*self._required, *self._optional):
            reflector.refresh()

    def _hear(self, reflector: Reflector[Any], words: str) -> None:
        self._waits.pop(reflector, None)
        if words:
            self._waits[reflector] = stale(words) if reflector.as_of else syncing(words)
        self._changed.set()

    async def _follow(self, reflector: Reflector[Any]) -> None:
        with heard_by(lambda words: self._hear(reflector, words)):
            async with contextlib.aclosing(reflector.batches()) as parts:
                async for part in parts:
                    self._apply(reflector, part)
                    self._changed.set()

    def _apply(self, reflector: Reflector[Any], part: Delta[Any] | Synced | Freshness) -> None:
        match part:
            case Delta():
                self.cache.apply(part)
            case Synced():
                self._settled.add(reflector)
                self._owners.discard(reflector)
            case Freshness():
                self._freshness_of[reflector] = part
                self._owners.discard(reflector)
                reason = part.why if part.state is FreshnessState.FORBIDDEN else ""
                self.cache.mark_unreadable(reflector.resource_type, reflector.namespace, reason)
                if reason:
                    self._settled.add(reflector)

    def _batch(self) -> list[WatchEvent]:
        complete = self._settled.issuperset(self._required) and not self._owners
        batch: list[WatchEvent] = []
        if (freshness := self._worst_freshness()) and freshness != self._published_freshness:
            self._published_freshness = freshness
            batch.append(freshness)
        changed, gone = self.cache.drain(complete=complete)
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
        known = self._freshness_of | self._waits
        reported = [known[reflector] for reflector in self._required if reflector in known]
        worst = min(reported, key=_badness, default=None)
        if worst and worst.state is FreshnessState.LIVE and len(reported) < len(self._required):
            return None
        if worst and worst.state is FreshnessState.LIVE:
            return Freshness(FreshnessState.LIVE, max(freshness.since for freshness in reported))
        return worst


def _badness(freshness: Freshness) -> tuple[int, datetime]:
    """Return the key that sorts the worst first, of several the one that has lasted longest."""
    return _WORST_FIRST.index(freshness.state), freshness.since


def syncing(waits_for: str = "") -> Freshness:
    """Return the freshness of a watch that has shown nothing yet."""
    return Freshness(FreshnessState.SYNCING, datetime.now(UTC), waits_for)


def stale(reason: str) -> Freshness:
    """Return the freshness of a watch that could not even be begun."""
    return Freshness(FreshnessState.STALE, datetime.now(UTC), reason)
