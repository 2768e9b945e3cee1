"""A cluster that lives a week in seconds, and servers that watch it: their downtimes, clocks and crashes."""

import heapq
import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import select

from backend.clusters.hub import Hub, Owner
from backend.db.models import JobRow, User
from backend.jobs.history_recorder import HistoryRecorder
from backend.jobs.rows import job_of, live_jobs
from backend.usage.clock import ClusterClock
from backend.usage.recorder import AttemptRecorder
from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.resources.workloads import KubeJob
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.watch.delta import Delta
from backend_client.kubernetes.watch.job_cache import JobCache
from backend_client.protocol import Changed, Freshness, FreshnessState, Gone, Snapshot, Synced

START = datetime(2026, 3, 2, tzinfo=UTC)
INDEX = "batch.kubernetes.io/job-completion-index"
CLUSTER = "lab"


class PodLife:
    """The truth about one pod."""

    def __init__(self, job: str, gpus: int, bound: datetime) -> None:
        self.job, self.gpus, self.bound = job, gpus, bound
        self.freed: datetime | None = None

    def seconds(self, until: datetime) -> float:
        return ((self.freed or until) - self.bound).total_seconds() * self.gpus


class World:
    """The cluster. `at` says what happens when; `run` lets it happen, and tells the servers that are up."""

    def __init__(self) -> None:
        self.now = START
        self.objects: dict[str, Any] = {}
        self.lives: dict[str, PodLife] = {}
        self.servers: list[Server] = []
        self._events: list[Any] = []
        self._numbers = itertools.count()

    def at(self, when: datetime, what: Any) -> None:
        heapq.heappush(self._events, (when, next(self._numbers), what))

    async def run(self, until: datetime) -> None:
        while self._events and self._events[0][0] <= until:
            self.now, _, what = heapq.heappop(self._events)
            done = what()
            if done is not None:
                await done
        self.now = until

    def put(self, item: Any) -> None:
        self.objects[item.uid] = item
        self._tell(Delta((item,)))

    def remove(self, uid: str, last: Any = None) -> None:
        self.objects.pop(uid, None)
        self._tell(Delta((), (uid,), (last,) if last else ()))

    def _tell(self, delta: Delta[Any]) -> None:
        for server in self.servers:
            server.take(delta)

    def truth(self, until: datetime) -> float:
        return sum(life.seconds(until) for life in self.lives.values()) / 3600


class Server:
    """One server process: it has its own memory, and a clock that may be wrong."""

    def __init__(self, world: World, database: Any, *, skew: timedelta = timedelta()) -> None:
        self.world, self.database, self.skew = world, database, skew
        self.hub = Hub()
        self.attempts = AttemptRecorder(
            database,
            self.hub,
            lambda: ClusterClock(self.wall, self.elapsed),
        )
        self.history = HistoryRecorder(database, self.attempts)
        self.cache = JobCache(CLUSTER, KubernetesSettings(), clock=self.wall)

    def elapsed(self) -> float:
        return (self.world.now - START).total_seconds()

    def wall(self) -> datetime:
        return self.world.now + self.skew

    async def start(self) -> None:
        await self.attempts.load()
        self.hub.subscribe(self.attempts.observe)
        self.hub.subscribe(self.history.observe)
        query = select(JobRow, User.name).join(User, User.id == JobRow.user_id)
        async with self.database.read() as session:
            rows = (await session.execute(query.where(live_jobs()))).all()
            owners = (await session.execute(query)).all()
        self.hub.remember((Owner(row.user_id, name), job_of(row, name)) for row, name in rows)
        self.owners = {row.uid: (Owner(row.user_id, name), row) for row, name in owners}
        self.hub.add(CLUSTER)
        self.cache.apply(Delta(tuple(self.world.objects.values())))
        changed, _ = self.cache.drain(complete=True)
        live = Freshness(FreshnessState.LIVE, self.wall())
        self.hub.apply(CLUSTER, [live, Snapshot(changed), Synced()])
        self.world.servers.append(self)

    def claim(self, owner: Owner, row: JobRow) -> None:
        self.hub.claim(owner, job_of(row, "ann"))

    def take(self, delta: Delta[Any]) -> None:
        self.cache.apply(delta)
        changed, gone = self.cache.drain(complete=True)
        if gone:
            self.hub.apply(CLUSTER, [Gone(gone)])
        if changed:
            self.hub.apply(CLUSTER, [Changed(changed)])

    async def write(self) -> None:
        await self.history.write()

    async def stop(self, *, crash: bool = False) -> None:
        self.world.servers.remove(self)
        if not crash:
            await self.write()


def kube_job(uid: str, made: datetime, gpus: int, **spec: Any) -> KubeJob:
    metadata = {
        "name": uid,
        "namespace": "ns",
        "uid": uid,
        "creationTimestamp": made,
        "annotations": {
            "traindeck.dev/spec": f'{{"image": "a", "gpus": {gpus}, "labels": {{"project": "p"}}}}'
        },
    }
    return msgspec.convert({"metadata": metadata, "spec": spec}, KubeJob)


def pod(uid: str, job: str, rank: int, made: datetime, **more: Any) -> Pod:
    """A pod. In `more`: bound, started, ended (time, exit code), phase, deleted, reason, disrupted."""
    conditions = []
    if bound := more.get("bound"):
        conditions.append({"type": "PodScheduled", "status": "True", "lastTransitionTime": bound})
    if disrupted := more.get("disrupted"):
        conditions.append(
            {
                "type": "DisruptionTarget",
                "status": "True",
                "reason": disrupted[1],
                "lastTransitionTime": disrupted[0],
            }
        )
    state: dict[str, Any] = {"waiting": {"reason": "ContainerCreating"}}
    if started := more.get("started"):
        state = {"running": {"startedAt": started}}
    if ended := more.get("ended"):
        state = {"terminated": {"exitCode": ended[1], "startedAt": more["started"], "finishedAt": ended[0]}}
    metadata: dict[str, Any] = {
        "name": uid,
        "namespace": "ns",
        "uid": uid,
        "creationTimestamp": made,
        "labels": {INDEX: str(rank)},
        "ownerReferences": [{"kind": "Job", "name": job, "uid": job, "controller": True}],
    }
    if deleted := more.get("deleted"):
        metadata["deletionTimestamp"] = deleted
    status = {
        "phase": more.get("phase", "Running" if more.get("started") else "Pending"),
        "reason": more.get("reason", ""),
        "conditions": conditions,
        "containerStatuses": [{"name": "main", "state": state}],
    }
    spec = {"nodeName": f"node-{rank}" if bound else "", "restartPolicy": "Never"}
    return msgspec.convert({"metadata": metadata, "spec": spec, "status": status}, Pod)
