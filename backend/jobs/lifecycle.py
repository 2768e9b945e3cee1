"""The lifecycle of a created job: stop, extend, resume, delete."""

import asyncio
import contextlib

import msgspec
from msgspec.structs import replace
from sqlalchemy import func, update

from backend import audit
from backend.auth.caller import Caller
from backend.authorization import Action, require
from backend.clusters.cluster import Cluster
from backend.db.models import JobRow, User
from backend.jobs import quotas
from backend.jobs.rows import JobSelector, find_row, now, ref_of, spec_of
from backend.jobs.service import JobService
from backend_client.backoff import Backoff
from backend_client.errors import BackendError, Conflict, NotFound, fragment
from backend_client.models import Job, JobRef, JobState
from backend_client.models.fields import duration_text
from backend_client.models.state import ENDED
from backend_client.protocol import DeleteStep

_DELETION_CONTINUES = "its deletion goes on"


async def stop(service: JobService, caller: Caller, name: str, selector: JobSelector) -> Job:
    """Stop a job. Raises a BackendError."""
    row, cluster = await authorized_row(service, caller, Action.STOP, name, selector)
    async with cluster.breaker.call(caller.user_id):
        job = await cluster.backend.stop(ref_of(row))
    async with service.database.write() as session:
        await audit.record(session, caller, "stop", name, cluster=row.cluster)
    return _with_owner(service, job)


async def extend(
    service: JobService, caller: Caller, name: str, selector: JobSelector, max_runtime: int
) -> Job:
    """Raise the time limit of a job to so many seconds, in its row too. Raises a BackendError."""
    row, cluster = await authorized_row(service, caller, Action.EXTEND, name, selector)
    async with cluster.breaker.call(caller.user_id):
        job = await cluster.backend.extend(ref_of(row), max_runtime)
    spec = msgspec.json.encode(replace(spec_of(row), max_runtime=job.spec.max_runtime)).decode()
    async with service.database.write() as session:
        await session.execute(update(JobRow).where(JobRow.id == row.id).values(spec=spec))
        await audit.record(
            session, caller, "extend", name, cluster=row.cluster, result=f"to {duration_text(max_runtime)}"
        )
    return _with_owner(service, job)


async def resume(service: JobService, caller: Caller, name: str, selector: JobSelector) -> Job:
    """Resume a stopped job, within its owner's quota. Raises a BackendError."""
    row, cluster = await authorized_row(service, caller, Action.RESUME, name, selector)
    if row.finished:
        await _reserve_quota(service, cluster, row)
    try:
        async with cluster.breaker.call(caller.user_id):
            job = await cluster.backend.resume(ref_of(row))
    except BackendError:
        await _restore_finished(service, row)
        raise
    async with service.database.write() as session:
        await audit.record(session, caller, "resume", name, cluster=row.cluster)
    return _with_owner(service, job)


async def delete(
    service: JobService, caller: Caller, name: str, selector: JobSelector, *, wait: bool = True
) -> None:
    """Delete a job: accepted here, the deletion goes on by itself, also after a crash. Raises a BackendError.

    Without `wait` it is done once the cluster has accepted it, whatever still holds the job there.
    """
    row, _ = await authorized_row(service, caller, Action.DELETE, name, selector)
    async with service.database.write() as session:
        await session.execute(
            update(JobRow).where(JobRow.id == row.id).values(deleting=func.coalesce(JobRow.deleting, now()))
        )
        await audit.record(session, caller, "delete", name, cluster=row.cluster)
    if not wait and (waiting := service.deletions.pop(row.id, None)):
        waiting.cancel()
    start_deletion(service, row.id, ref_of(row), wait=wait)


def start_deletion(service: JobService, row_id: int, ref: JobRef, *, wait: bool = True) -> None:
    """Start the task of a deletion that a row has accepted, unless it runs already."""
    if row_id not in service.deletions:
        service.hub.hold(ref.context, ref.uid)
        task = asyncio.create_task(_delete(service, row_id, ref, wait=wait))
        service.deletions[row_id] = task
        task.add_done_callback(lambda ended: _forget_task(service, row_id, ended))


def _forget_task(service: JobService, row_id: int, ended: asyncio.Task[None]) -> None:
    if service.deletions.get(row_id) is ended:
        del service.deletions[row_id]


async def authorized_row(
    service: JobService, caller: Caller, action: Action, name: str, selector: JobSelector
) -> tuple[JobRow, Cluster]:
    """Return the row and the cluster of a job to which a caller may do an action. Raises a BackendError."""
    async with service.database.read() as session:
        row, _ = await find_row(session, caller, name, selector)
    require(caller, action, row.user_id, name)
    if row.deleting and action is not Action.DELETE:
        raise Conflict(f"{name} is being deleted.")
    return row, service.clusters.get(row.cluster)


def _with_owner(service: JobService, job: Job) -> Job:
    """Return a job with its owner, as the hub will publish it: the watch comes after this answer."""
    return service.hub.with_owner(job)


async def _reserve_quota(service: JobService, cluster: Cluster, row: JobRow) -> None:
    """Count a job against its owner's quota again. Raises Refused."""
    async with service.database.write() as session:
        user = await session.get_one(User, row.user_id, with_for_update=True)
        await quotas.check(session, user, spec_of(row), service.settings, cluster.unknown_fields)
        await session.execute(update(JobRow).where(JobRow.id == row.id).values(finished=None))


async def _restore_finished(service: JobService, row: JobRow) -> None:
    """Restore `finished` of a job that could not be resumed."""
    if row.finished:
        async with service.database.write() as session:
            await session.execute(
                update(JobRow)
                .where(JobRow.id == row.id, JobRow.finished.is_(None))
                .values(finished=row.finished)
            )


async def _delete(service: JobService, row_id: int, ref: JobRef, *, wait: bool) -> None:
    """Until nothing is left of it, however long its cluster is away."""
    backoff = Backoff()
    while True:
        try:
            await _run_deletion(service, ref, wait=wait)
            await _write_deleted(service, row_id)
            break
        except BackendError as error:
            service.hub.publish_step(
                ref.context, ref.uid, DeleteStep(f"{fragment(error.title)}; {_DELETION_CONTINUES}")
            )
            await asyncio.sleep(backoff.next())
    service.hub.release(ref.context, ref.uid)


async def _run_deletion(service: JobService, ref: JobRef, *, wait: bool) -> None:
    cluster = service.clusters.get(ref.context)
    with contextlib.suppress(NotFound):
        async with contextlib.aclosing(cluster.backend.delete(ref, wait=wait)) as steps:  # type: ignore[type-var]
            async for step in steps:
                service.hub.publish_step(ref.context, ref.uid, step)


async def _write_deleted(service: JobService, row_id: int) -> None:
    async with service.database.write() as session:
        await session.execute(update(JobRow).where(JobRow.id == row_id).values(**deleted_values()))
        await session.execute(
            update(JobRow)
            .where(JobRow.id == row_id, JobRow.state.not_in(ENDED))
            .values(state=JobState.STOPPED, reason="deleted before it ended")
        )


def deleted_values() -> dict[str, object]:
    """Return the values of a row whose job is deleted."""
    return {"deleted": now(), "finished": func.coalesce(JobRow.finished, now())}
