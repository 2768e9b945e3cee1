"""The places of waiting jobs in their queues, read from Kueue's visibility API while somebody looks at them.

A queue is asked now and then while a job that waits in it is visible; nothing runs while none is, or nobody
watches. Who may not ask, and a cluster that does not answer, get no places: nothing is said of them then.
Source: kueue.sigs.k8s.io/docs/tasks/manage/monitor_pending_workloads. docs/FACTS.md, "Kueue".
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from math import inf
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Struct

from backend_client.errors import BackendError, Unreachable
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.resources.kueue import KUEUE, KUEUE_VISIBILITY, Workload
from backend_client.kubernetes.status.queue_place import QueuePosition
from backend_client.kubernetes.watch.listing import served_version
from backend_client.models import Job, JobRef, JobState
from backend_client.protocol import Changed, Gone, Snapshot, WatchEvent

if TYPE_CHECKING:
    from backend_client.kubernetes.resources.queues import PendingWorkload

EVERY_SECONDS = 10.0
"""Between two reads of the order of one queue."""
ANEW_SECONDS = 1.0
"""The same, where a job has come since, or has no place yet, as one whose pods have to go first."""
KEPT_SECONDS = 60.0
"""How long places are told after their queue was read last: nobody looks at its jobs any more."""
REFUSED_SECONDS = 300.0
"""Before a path that was refused, or is not served, is asked for again."""
AT_ONCE = 4
MOST_PENDING = 1000
"""Workloads of a queue that are read, the first of them; what a server gives at most by default."""
_NEVER = float("-inf")
_READ = "v1beta2"
"""What is read of a queue stands in the same place in both versions."""

QueueKey = tuple[str, str]
"""Namespace and name of a LocalQueue."""
D = TypeVar("D")


class _Order(Struct, frozen=True):
    """The order of a queue as it was read."""

    at: float
    cluster_queue: str = ""
    positions: dict[str, int] = {}
    """By the name of the Workload, from 1."""
    waiting: int | None = None


class QueuePositions:
    """The places of one context's waiting jobs: `observe` its watch, `set_visible_jobs` of a screen."""

    def __init__(
        self, transport: Callable[[], Awaitable[Transport]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`clock` returns seconds."""
        self._transport = transport
        self._clock = clock
        self._refs: tuple[JobRef, ...] = ()
        self._queues: dict[str, QueueKey] = {}
        """uid of a waiting job -> its queue."""
        self._anew: set[str] = set()
        """uids of those of which something is new since their queue was read, and which had no place."""
        self._orders: dict[QueueKey, _Order] = {}
        self._cluster_queues: dict[QueueKey, str] = {}
        """A LocalQueue never leads to another ClusterQueue."""
        self._versions: dict[str, str] = {}
        self._refused: dict[str, float] = {}
        """Path or group -> when it is asked for again."""
        self._readers: dict[QueueKey, asyncio.Task[None]] = {}
        self._wake: asyncio.TimerHandle | None = None
        self._listeners: list[Callable[[str], None]] = []

    def position_of(self, workload: Workload) -> QueuePosition | None:
        """Return the place of a Workload as it was read last; None where that is not known."""
        order = self._orders.get((workload.namespace, workload.spec.queue_name))
        if order is None or order.at + KEPT_SECONDS < self._clock():
            return None
        return QueuePosition(order.cluster_queue, order.positions.get(workload.name), order.waiting)

    def of(self, workloads: Iterable[Workload]) -> dict[str, QueuePosition]:
        """Return the places of Workloads by their names, as far as they are known."""
        places = {workload.name: self.position_of(workload) for workload in workloads}
        return {name: place for name, place in places.items() if place}

    def set_visible_jobs(self, refs: Sequence[JobRef]) -> None:
        """Set the jobs that somebody looks at; replaces the jobs set before."""
        self._refs = tuple(refs)
        self._schedule()

    @contextlib.contextmanager
    def subscribe(self, listener: Callable[[str], None]) -> Iterator[None]:
        """Call `listener` with the uid of each job whose place may be another, while the context is open."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)
            self._schedule()

    def observe(self, events: Sequence[WatchEvent]) -> None:
        """Take the events of a watch: which jobs wait, and where."""
        for event in events:
            if isinstance(event, Snapshot | Changed):
                for job in event.jobs:
                    self._put(job)
            elif isinstance(event, Gone):
                for ref in event.refs:
                    self._queues.pop(ref.uid, None)
                    self._anew.discard(ref.uid)
        self._schedule()

    async def look(self, job: Job) -> bool:
        """Read the order of a waiting job's queue; return False where it was just read, or none waits.

        A job that had no place then may have come since.
        """
        key = queue_of(job)
        if key is None or self._due(key, anew=_lacks_place(job)) > self._clock():
            return False
        await self._read(key)
        self._tell(key)
        return True

    async def aclose(self) -> None:
        """Cancel all reads and the timer."""
        self._refs = ()
        if self._wake:
            self._wake.cancel()
        for task in (tasks := list(self._readers.values())):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _put(self, job: Job) -> None:
        if key := queue_of(job):
            self._queues[job.ref.uid] = key
        else:
            self._queues.pop(job.ref.uid, None)
        if key and _lacks_place(job):
            self._anew.add(job.ref.uid)
        else:
            self._anew.discard(job.ref.uid)

    def _due(self, key: QueueKey, *, anew: bool) -> float:
        """Return when the order of a queue is read next; `anew`: for a job that may have come since."""
        order = self._orders.get(key)
        return (order.at if order else _NEVER) + (ANEW_SECONDS if anew else EVERY_SECONDS)

    def _wanted(self) -> dict[QueueKey, float]:
        """Return the queues in which a visible job waits, and when each is read next."""
        wanted: dict[QueueKey, float] = {}
        for ref in self._refs:
            if key := self._queues.get(ref.uid):
                wanted[key] = min(wanted.get(key, inf), self._due(key, anew=ref.uid in self._anew))
        return wanted

    def _schedule(self) -> None:
        """Start the reads that are due, forget what nobody looks at, and set a timer for what is next."""
        if self._wake:
            self._wake.cancel()
            self._wake = None
        wanted = self._wanted() if self._listeners else {}
        now, times = self._clock(), []
        for key, due in wanted.items():
            if key in self._readers:
                continue
            if due > now:
                times.append(due)
            elif len(self._readers) < AT_ONCE:
                self._readers[key] = asyncio.create_task(self._read_and_tell(key))
        for key in self._orders.keys() - wanted.keys():
            if (end := self._orders[key].at + KEPT_SECONDS) > now:
                times.append(end)
            else:
                del self._orders[key]
                self._tell(key)
        if times and self._listeners:
            self._wake = asyncio.get_running_loop().call_later(min(times) - now, self._schedule)

    async def _read_and_tell(self, key: QueueKey) -> None:
        try:
            await self._read(key)
        finally:
            del self._readers[key]
        self._tell(key)
        self._schedule()

    def _tell(self, key: QueueKey) -> None:
        for uid in [uid for uid, queue in self._queues.items() if queue == key]:
            for listener in self._listeners:
                listener(uid)

    async def _read(self, key: QueueKey) -> None:
        """Read the order of a queue. Never fails: what is not known stays out."""
        self._anew -= {uid for uid in self._anew if self._queues.get(uid) == key}
        order = _Order(self._clock())
        with contextlib.suppress(BackendError, msgspec.DecodeError):
            order = await self._order(key)
        self._orders[key] = order

    async def _order(self, key: QueueKey) -> _Order:
        from backend_client.kubernetes.resources.queue_types import (  # noqa: PLC0415  few jobs wait
            decode_pending,
            queue_types_of,
        )
        from backend_client.kubernetes.resources.queues import ClusterQueue  # noqa: PLC0415  as above

        cluster_queues = queue_types_of(_READ).cluster_queues
        none: tuple[PendingWorkload, ...] = ()

        transport = await self._transport()
        core, visibility = await self._api(transport, KUEUE), await self._api(transport, KUEUE_VISIBILITY)
        at, cluster_queue = self._clock(), await self._cluster_queue(transport, core, key)
        path = f"{visibility}{_local_queue(key)}/pendingworkloads"
        whole_path = f"{core}/clusterqueues/{quote(cluster_queue, '')}" if cluster_queue else ""
        pending, whole = await asyncio.gather(
            self._get(transport, path if visibility else "", decode_pending, none),
            self._get(transport, whole_path, cluster_queues.decode_object, ClusterQueue()),
        )
        positions = {item.metadata.name: item.position_in_cluster_queue + 1 for item in pending}
        waiting = whole.status.pending_workloads or None
        if waiting is not None:  # a status comes later than what it counts
            waiting = max(waiting, *positions.values(), 0)
        return _Order(at, cluster_queue, positions, waiting)

    async def _cluster_queue(self, transport: Transport, core: str, key: QueueKey) -> str:
        from backend_client.kubernetes.resources.queue_types import (  # noqa: PLC0415  as `_order`
            queue_types_of,
        )
        from backend_client.kubernetes.resources.queues import LocalQueue  # noqa: PLC0415  as above

        known = self._cluster_queues.get(key, "")
        if not known and core:
            local_queues = queue_types_of(_READ).local_queues
            found = await self._get(
                transport,
                f"{core}{_local_queue(key)}",
                local_queues.decode_object,
                LocalQueue(),
            )
            known = self._cluster_queues[key] = found.spec.cluster_queue
        return known

    async def _api(self, transport: Transport, group: str) -> str:
        """Return the path of an API group in the version that is served; "" where it is not."""
        if self._refused.get(group, _NEVER) > self._clock():
            return ""
        version = self._versions.get(group) or await _served(transport, group)
        self._versions[group] = version
        if not version:
            self._refused[group] = self._clock() + REFUSED_SECONDS
        return f"/apis/{group}/{version}" if version else ""

    async def _get(self, transport: Transport, path: str, read: Callable[[bytes], D], unknown: D) -> D:
        """Get an object; `unknown` for one that may not be read, or is not there."""
        if not path or self._refused.get(path, _NEVER) > self._clock():
            return unknown
        query = {"limit": str(MOST_PENDING)} if path.endswith("/pendingworkloads") else {}
        response = await transport.request("GET", path, query=query, allow=range(400, 600))
        if response.status < 400:
            return read(response.body)
        if response.status < 500:
            self._refused[path] = self._clock() + REFUSED_SECONDS
        return unknown


async def _served(transport: Transport, group: str) -> str:
    try:
        return await served_version(transport, group)
    except Unreachable:  # Kueue itself answers for its visibility API, and may be down
        return ""


def _local_queue(key: QueueKey) -> str:
    namespace, name = key
    return f"/namespaces/{quote(namespace, '')}/localqueues/{quote(name, '')}"


def _lacks_place(job: Job) -> bool:
    return job.queue is None or job.queue.position is None


def queue_of(job: Job) -> QueueKey | None:
    """Return the LocalQueue that a job waits in, one replica of it at least; None where it waits in none."""
    if job.queue is None or not job.queue.queue or job.ended:
        return None
    partly = job.spec.kind == "deployment" and any(attempt.started is None for attempt in job.attempts)
    waits = job.state is JobState.QUEUED or (partly and job.state is JobState.RUNNING)
    return (job.ref.namespace, job.queue.queue) if waits else None
