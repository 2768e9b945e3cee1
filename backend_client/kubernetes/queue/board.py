"""Reads the board of a cluster's queues: Kueue's objects and its visibility API, as far as the caller may.

Kueue's ClusterRole for its users reads LocalQueues, Workloads and what waits in a LocalQueue; ClusterQueues
and priorities are an administrator's (docs/FACTS.md, "Kueue"). All lists are read at once, in three steps.
"""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence

from backend_client.errors import BackendError, Forbidden, NotFound, Unreachable, fragment
from backend_client.kubernetes import access, labels
from backend_client.kubernetes.api.transport import JSON, Transport
from backend_client.kubernetes.queue.kueue_objects import (
    JobsOfWorkloads,
    cluster_queue_info,
    in_order,
    local_queue_info,
    priorities_of,
)
from backend_client.kubernetes.queue.scheduler_order import scheduler_board
from backend_client.kubernetes.resources.core import Object
from backend_client.kubernetes.resources.kueue import KUEUE_VISIBILITY
from backend_client.kubernetes.resources.queue_types import VisibilityTypes, decode_pending
from backend_client.kubernetes.resources.queues import ClusterQueue, PendingWorkload
from backend_client.kubernetes.resources.resource_types import JOBS, ResourceType, T
from backend_client.kubernetes.watch.kueue_lists import queue_types, visibility_types
from backend_client.kubernetes.watch.lists import NAMES_ONLY, list_all
from backend_client.queues import LocalQueueInfo, QueueBoard, WaitingJob

MOST_OBJECTS = 500
"""Of Workloads and Jobs so many are read (2 MiB): they only add what each job asks for, and whose it is."""
MOST_WAITING = 1000
"""Of each queue so many that wait; the visibility API gives at most as many at once."""
FEW_QUEUES = 8
"""Up to so many each is asked what waits in it; of more only those that count some, which they do late."""
_QUOTAS_HIDDEN = "so what each queue may use, and who borrows from whom, is not known"
_PRIORITIES_HIDDEN = "so the priorities of its queues are not known"
_QUEUES_HIDDEN = "so the queues there are not known"
_GPUS_HIDDEN = "so what each waiting job asks for is not known"
_OWNERS_HIDDEN = "so whose jobs wait is not known"
_ORDER_HIDDEN = "so what waits, and in which order, is not known"


class _Reader:
    """Reads lists; what may not be read is noted, once for each sentence."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.unknown: dict[str, None] = {}

    async def list(
        self, kind: ResourceType[T], namespace: str, hidden: str, *, labels: str = "", accept: str = JSON
    ) -> tuple[T, ...] | None:
        """List all objects; None where the caller may not."""
        try:
            return await list_all(self._transport, kind, namespace, labels=labels, accept=accept)
        except (Forbidden, NotFound) as error:
            self.note(error, hidden)
            return None

    async def first(
        self, kind: ResourceType[T], namespace: str, hidden: str, *, labels: str = "", accept: str = JSON
    ) -> tuple[T, ...]:
        """List the first `MOST_OBJECTS` objects; none where the caller may not."""
        query = {"limit": str(MOST_OBJECTS)} | ({"labelSelector": labels} if labels else {})
        try:
            response = await self._transport.request("GET", kind.path(namespace), query=query, accept=accept)
        except (Forbidden, NotFound) as error:
            self.note(error, hidden)
            return ()
        return kind.decode_page(response.body).items

    async def pending(self, path: str) -> tuple[PendingWorkload, ...]:
        """List what waits in one queue: the answer of its visibility API."""
        query = {"limit": str(MOST_WAITING)}
        try:
            response = await self._transport.request("GET", f"{path}/pendingworkloads", query=query)
        except (Forbidden, NotFound, Unreachable) as error:
            self.note(error, _ORDER_HIDDEN)
            return ()
        return decode_pending(response.body)

    def note(self, error: BackendError, hidden: str) -> None:
        self.unknown[f"{fragment(error.title)}, {hidden}"] = None


async def read_board(transport: Transport, namespaces: Sequence[str], gpu_resource: str) -> QueueBoard:
    """Read the queues of namespaces ([""]: of all), and what waits in them. Raises a BackendError."""
    types, visibility, user = await asyncio.gather(
        queue_types(transport), visibility_types(transport), access.current_user(transport)
    )
    if types is None:
        return await scheduler_board(transport, namespaces, gpu_resource)
    reader = _Reader(transport)
    cluster_queues, classes, local_queues, jobs, held, workloads = await asyncio.gather(
        reader.list(types.cluster_queues, "", _QUOTAS_HIDDEN),
        reader.list(types.priorities, "", _PRIORITIES_HIDDEN),
        _of_all(reader.list(types.local_queues, each, _QUEUES_HIDDEN) for each in namespaces),
        _of_all(
            reader.first(_JOB_NAMES, each, _OWNERS_HIDDEN, labels=_OURS, accept=NAMES_ONLY)
            for each in namespaces
        ),
        _of_all(
            reader.list(_JOB_NAMES, each, _OWNERS_HIDDEN, labels=_HELD, accept=NAMES_ONLY)
            for each in namespaces
        ),
        _of_all(reader.first(types.queued_workloads, each, _GPUS_HIDDEN) for each in namespaces),
    )
    locals_ = [local_queue_info(queue) for queue in local_queues]
    named = JobsOfWorkloads([*jobs, *held], workloads, user, gpu_resource)
    waiting = await _waiting(reader, named, visibility, cluster_queues, locals_)
    cluster_queue_of = {(queue.namespace, queue.name): queue.cluster_queue for queue in locals_}
    waiting += named.held(lambda namespace, queue: cluster_queue_of.get((namespace, queue), ""))
    return QueueBoard(
        cluster_queues=tuple(map(cluster_queue_info, cluster_queues or ())),
        local_queues=tuple(locals_),
        waiting=in_order(waiting),
        priorities=priorities_of(classes or ()),
        unknown=tuple(sorted(reader.unknown)),
    )


_JOB_NAMES = ResourceType(JOBS.api, JOBS.kind, JOBS.plural, Object)
_OURS = f"{labels.QUEUE},{labels.JOB}"
_HELD = f"{labels.QUEUE}={labels.NO_QUEUE}"


async def _of_all(lists: Iterable[Awaitable[tuple[T, ...] | None]]) -> list[T]:
    return [item for items in await asyncio.gather(*lists) for item in items or ()]


async def _waiting(
    reader: _Reader,
    named: JobsOfWorkloads,
    visibility: VisibilityTypes | None,
    cluster_queues: Sequence[ClusterQueue] | None,
    local_queues: Sequence[LocalQueueInfo],
) -> list[WaitingJob]:
    """Return what waits: by ClusterQueue where those may be read, else that of the caller's LocalQueues."""
    if visibility is None:
        reader.unknown[f"this cluster serves no {KUEUE_VISIBILITY}, {_ORDER_HIDDEN}"] = None
        return []
    if cluster_queues is not None:
        counts = {
            (visibility.cluster_queues.path("", queue.name), queue.name): queue.status.pending_workloads
            for queue in cluster_queues
        }
    else:
        counts = {
            (visibility.local_queues.path(queue.namespace, queue.name), queue.cluster_queue): queue.waiting
            for queue in local_queues
        }
    paths = dict(path for path, count in counts.items() if count or len(counts) <= FEW_QUEUES)
    entries = await asyncio.gather(*map(reader.pending, paths))
    return [
        named.waiting(entry, name)
        for name, items in zip(paths.values(), entries, strict=True)
        for entry in items
    ]
