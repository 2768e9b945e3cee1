"""The start-time estimates of a running server: reads the queues while somebody looks, and tells the hub.

In the background, at most once a minute for each cluster, never for a request. The futures are played in a
thread: they take up to some seconds. What they took is waited for many times over before the next, so that
they never use more than a small part of one core.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta

from backend.clusters.circuit_breaker import SERVER
from backend.clusters.cluster import Cluster
from backend.clusters.hub import Hub
from backend.db.engine import Database
from backend.estimates import store
from backend.estimates.cohorts import Known, estimate_starts
from backend.estimates.ledger import Ledger
from backend.estimates.past import Past, read_past
from backend_client.errors import BackendError, fragment
from backend_client.models import Job, JobState
from backend_client.queue_snapshot import HasQueueSnapshot, QueueSnapshot

log = logging.getLogger("traindeck.estimates")
LOOK_EVERY_SECONDS = 5.0
"""How often the jobs that were told a range are looked at, in memory alone."""
ESTIMATE_EVERY = timedelta(seconds=60)
PAST_EVERY = timedelta(minutes=10)
REST = 20
"""An estimate that took a second is made again after so many, at the earliest."""


def _now() -> datetime:
    return datetime.now(UTC)


class StartEstimates:
    """Estimates when the waiting jobs of a server's clusters start."""

    def __init__(
        self,
        database: Database,
        hub: Hub,
        clusters: Iterable[Cluster],
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._database = database
        self._hub = hub
        self._clusters = clusters
        self._clock = clock
        self._ledger: Ledger | None = None
        self._next: dict[str, datetime] = {}
        """Cluster -> when it is estimated next."""
        self._past: dict[str, tuple[datetime, Past]] = {}

    async def run_forever(self) -> None:
        """Make rounds, for ever."""
        while True:
            try:
                await self.round()
            except BackendError as error:
                log.warning("starts are not estimated: %s", fragment(error.title))
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    async def round(self) -> None:
        """Look at what came of told ranges, and estimate where it is due. Raises Unreachable."""
        ledger = await self._loaded()
        now = self._clock()
        for key in ledger.keys:
            cached = self._hub.get(*key)
            ledger.settle(key, cached.job if cached else None, now)
        for cluster in self._clusters:
            if self._hub.is_looked_at and now >= self._next.get(cluster.name, now):
                await self._estimate_cluster(ledger, cluster, now)
        await self._store(ledger)

    async def _loaded(self) -> Ledger:
        if self._ledger is None:
            unfinished = await store.load_unfinished(self._database)
            self._ledger = Ledger(unfinished, await store.load_coverage(self._database))
        return self._ledger

    async def _store(self, ledger: Ledger) -> None:
        if not ledger.new and not ledger.changed:
            return
        new, changed = [*ledger.new], [*ledger.changed]
        await store.write(self._database, new, [told for told in changed if told not in new])
        ledger.new, ledger.changed = ledger.new[len(new) :], ledger.changed[len(changed) :]

    async def _estimate_cluster(self, ledger: Ledger, cluster: Cluster, now: datetime) -> None:
        jobs = {cached.job.ref.uid: cached.job for cached in self._hub.all() if cached.key[0] == cluster.name}
        waits = any(job.state is JobState.QUEUED for job in jobs.values())
        if not waits or not isinstance(cluster.backend, HasQueueSnapshot):
            self._hub.set_starts(cluster.name, {})
            return  # the first that waits is told as soon as it is seen
        began = time.monotonic()
        try:
            await self._estimate(ledger, cluster, cluster.backend, jobs, now)
        except BackendError as error:
            log.info("the queues of %s cannot be read: %s", cluster.name, fragment(error.title))
            self._hub.set_starts(cluster.name, {})
        except Exception:  # a defect in what one cluster says must not end the others' estimates
            log.exception("an estimate failed", extra={"cluster": cluster.name})
            self._hub.set_starts(cluster.name, {})
        took = timedelta(seconds=time.monotonic() - began)
        self._next[cluster.name] = now + max(ESTIMATE_EVERY, REST * took)

    async def _estimate(
        self,
        ledger: Ledger,
        cluster: Cluster,
        queues: HasQueueSnapshot,
        jobs: Mapping[str, Job],
        now: datetime,
    ) -> None:
        """Estimate the starts of a cluster's waiting jobs, and tell the hub. Raises a BackendError."""
        async with cluster.breaker.call(SERVER):
            snapshot = await queues.queue_snapshot()
        if snapshot is None:
            return
        past = await self._read_past(cluster.name, now)
        known = {uid: self._known(job) for uid, job in jobs.items()}
        starts = await asyncio.to_thread(estimate_starts, snapshot, past, known)
        waiting = {uid for uid, job in jobs.items() if job.state is JobState.QUEUED}
        self._tell(ledger, cluster.name, snapshot, starts, waiting)

    def _tell(
        self,
        ledger: Ledger,
        cluster: str,
        snapshot: QueueSnapshot,
        starts: dict[str, list[float]],
        waiting: set[str],
    ) -> None:
        told = {}
        for job in snapshot.waiting:
            if job.uid not in waiting:
                continue
            key = cluster, job.uid
            if job.evicted:
                ledger.void(key, snapshot.at, before=job.evicted)
            if found := ledger.tell(key, job.queue, starts.get(job.uid), snapshot.at):
                told[job.uid] = found
        self._hub.set_starts(cluster, told)

    def _known(self, job: Job) -> Known:
        found = self._hub.find_owner(job.ref.uid)
        return Known(str(found[1].user_id) if found else "", job.spec.max_runtime or None)

    async def _read_past(self, cluster: str, now: datetime) -> Past:
        read_at, past = self._past.get(cluster, (None, Past()))
        if read_at is None or now - read_at > PAST_EVERY:
            past = await read_past(self._database, cluster, now)
            self._past[cluster] = now, past
        return past
