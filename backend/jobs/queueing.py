"""The queues of the server's clusters as a caller may see them, and changes of jobs that wait in them."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from msgspec.structs import replace

from backend import audit
from backend.auth.caller import Caller
from backend.authorization import Action
from backend.clusters.cluster import Cluster
from backend.db.models import User
from backend.jobs.create import namespace_for
from backend.jobs.lifecycle import authorized_row
from backend.jobs.other_people import may_name, whose_job
from backend.jobs.rows import JobSelector, ref_of
from backend.jobs.service import JobService
from backend_client.errors import BackendError, Forbidden, Refused, fragment
from backend_client.models import Job, JobRef
from backend_client.protocol import Feature, Scope
from backend_client.queues import HasQueues, QueueBoard, WaitingJob
from backend_client.server.roles import Role


class _Change(NamedTuple):
    """A change of how a waiting job is queued."""

    audited_as: str
    """The action in the audit log."""
    write: Callable[[HasQueues, JobRef], Awaitable[Job]]


async def board(service: JobService, caller: Caller, cluster_name: str) -> QueueBoard:
    """Return the queues of one cluster, or of all, as the caller may see them. Raises NotFound."""
    clusters = [service.clusters.get(cluster_name)] if cluster_name else [*service.clusters]
    boards = [await _cluster_board(service, caller, cluster) for cluster in clusters]
    return QueueBoard(
        cluster_queues=tuple(queue for each in boards for queue in each.cluster_queues),
        local_queues=tuple(queue for each in boards for queue in each.local_queues),
        waiting=tuple(job for each in boards for job in each.waiting),
        priorities=tuple(dict.fromkeys(priority for each in boards for priority in each.priorities)),
        note="; ".join(dict.fromkeys(each.note for each in boards if each.note)),
        unknown=tuple(dict.fromkeys(sentence for each in boards for sentence in each.unknown)),
    )


async def hold(service: JobService, caller: Caller, name: str, selector: JobSelector) -> Job:
    """Hold a caller's waiting job back. Raises a BackendError, as all changes do."""
    change = _Change("hold", lambda backend, ref: backend.hold(ref))
    return await _do(service, caller, name, selector, change)


async def release(service: JobService, caller: Caller, name: str, selector: JobSelector) -> Job:
    """Put a held job into its queue again."""
    change = _Change("release", lambda backend, ref: backend.release(ref))
    return await _do(service, caller, name, selector, change)


async def set_priority(
    service: JobService, caller: Caller, name: str, selector: JobSelector, asked: str
) -> Job:
    """Give a waiting job another priority in its queue, of those that `queue_priorities` lists."""
    _check_priority(service, caller, asked)
    change = _Change("set priority", lambda backend, ref: backend.set_priority(ref, asked))
    return await _do(service, caller, name, selector, change)


async def move(service: JobService, caller: Caller, name: str, selector: JobSelector, asked: str) -> Job:
    """Put a waiting job into another queue of its namespace."""
    change = _Change("move", lambda backend, ref: backend.move(ref, asked))
    return await _do(service, caller, name, selector, change)


async def _do(service: JobService, caller: Caller, name: str, selector: JobSelector, asked: _Change) -> Job:
    row, cluster = await authorized_row(service, caller, Action.QUEUE, name, selector)
    backend = cluster.backend
    if not isinstance(backend, HasQueues):
        raise Refused("There are no queues here.", backend.missing_features.get(Feature.QUEUE, ""))
    async with cluster.breaker.call(caller.user_id):
        job = await asked.write(backend, ref_of(row))
    async with service.database.write() as session:
        await audit.record(session, caller, asked.audited_as, name, cluster=row.cluster)
    return service.hub.with_owner(job)


def _check_priority(service: JobService, caller: Caller, name: str) -> None:
    """Check that a caller may give jobs a priority of their queue. Raises Forbidden."""
    listed = service.settings.queue_priorities
    if caller.role is not Role.ADMIN and name not in listed:
        there = f"there are: {', '.join(listed) or 'none'}"
        raise Forbidden(
            f"This server does not allow the queue priority {name}; {there}.", "Its admin can say more."
        )


async def _cluster_board(service: JobService, caller: Caller, cluster: Cluster) -> QueueBoard:
    backend = cluster.backend
    if not isinstance(backend, HasQueues):
        return QueueBoard(note=backend.missing_features.get(Feature.QUEUE, ""))
    namespace = await _own_namespace(service, caller, cluster)
    try:
        async with cluster.breaker.call(caller.user_id):
            found = await backend.queues(Scope())
    except BackendError as error:
        return QueueBoard(unknown=(fragment(error.title),))
    sees_all = caller.role is Role.ADMIN
    listed = service.settings.queue_priorities
    return replace(
        found,
        cluster_queues=tuple(replace(queue, cluster=cluster.name) for queue in found.cluster_queues),
        local_queues=tuple(
            replace(queue, cluster=cluster.name)
            for queue in found.local_queues
            if sees_all or queue.namespace == namespace
        ),
        waiting=_Seen(service, caller, cluster.name).jobs(found.waiting),
        priorities=tuple(item for item in found.priorities if sees_all or item.name in listed),
    )


async def _own_namespace(service: JobService, caller: Caller, cluster: Cluster) -> str:
    async with service.database.write() as session:
        user = await session.get_one(User, caller.user_id)
        return await namespace_for(session, service, cluster, user)


class _Seen:
    """What waits, as one caller may see it: figures of all, names of those that may be named."""

    def __init__(self, service: JobService, caller: Caller, cluster: str) -> None:
        self._service = service
        self._caller = caller
        self._cluster = cluster

    def jobs(self, waiting: tuple[WaitingJob, ...]) -> tuple[WaitingJob, ...]:
        """Return what waits with whose it is; of a replica the deployment instead of its pod."""
        pods = self._deployments_by_pod() if any(job.kind == "Pod" for job in waiting) else {}
        return tuple(self._job(pods.get((job.namespace, job.name), job.uid), job) for job in waiting)

    def _job(self, uid: str, job: WaitingJob) -> WaitingJob:
        whose = whose_job(self._service, self._caller, uid)
        if not may_name(self._service, self._caller, uid):
            return WaitingJob(
                cluster=self._cluster,
                cluster_queue=job.cluster_queue,
                position=job.position,
                whose=whose,
                priority=job.priority,
                gpus=job.gpus,
                since=job.since,
                held=job.held,
            )
        cached = self._service.hub.get(self._cluster, uid)
        if cached is None:
            return replace(job, cluster=self._cluster, whose=whose)
        spec = cached.job.spec
        gpus = spec.gpus if job.kind == "Pod" else spec.gpus * spec.nodes
        return replace(
            job,
            cluster=self._cluster,
            name=cached.job.name,
            uid=uid,
            owner=cached.job.owner,
            whose=whose,
            gpus=gpus if job.gpus is None else job.gpus,
        )

    def _deployments_by_pod(self) -> dict[tuple[str, str], str]:
        """Return (namespace, pod) -> uid of its job, for the jobs of this cluster."""
        return {
            (cached.job.ref.namespace, attempt.pod): cached.job.ref.uid
            for cached in self._service.hub.all()
            if cached.job.ref.context == self._cluster and cached.job.ref.kind == "deployment"
            for attempt in cached.job.attempts
        }
