"""Stop, resume, delete: what a person does to a job that is there."""

import asyncio
import contextlib

from sqlalchemy import func, update

from backend import audit
from backend.auth.caller import Caller
from backend.authorization import Action, require
from backend.clusters.cluster import Cluster
from backend.db.models import JobRow, User
from backend.jobs import quotas
from backend.jobs.rows import JobSelector, find, now, ref_of
from backend.jobs.service import JobService
from backend_client.backoff import Backoff
from backend_client.errors import BackendError, Conflict, NotFound
from backend_client.models import Job, JobRef, JobState
from backend_client.models.state import ENDED
from backend_client.protocol import DeleteStep

GOING_ON = "its deletion goes on"


async def stop(desk: JobService, who: Caller, name: str, which: JobSelector) -> Job:
    """Ask for the end. Raises a BackendError."""
    row, cluster = await _mine(desk, who, Action.STOP, name, which)
    async with cluster.gate.call():
        job = await cluster.backend.stop(ref_of(row))
    async with desk.database.write() as session:
        await audit.record(session, who, "stop", name, cluster=row.cluster)
    return _told(desk, job)


async def resume(desk: JobService, who: Caller, name: str, which: JobSelector) -> Job:
    """Go on with a stopped job, within its owner's quota. Raises a BackendError."""
    row, cluster = await _mine(desk, who, Action.RESUME, name, which)
    if row.finished:
        await _reserve(desk, row)
    try:
        async with cluster.gate.call():
            job = await cluster.backend.resume(ref_of(row))
    except BackendError:
        await _finish(desk, row)
        raise
    async with desk.database.write() as session:
        await audit.record(session, who, "resume", name, cluster=row.cluster)
    return _told(desk, job)


async def delete(desk: JobService, who: Caller, name: str, which: JobSelector, *, wait: bool = True) -> None:
    """Accept the deletion: from here on it goes on by itself, also after a crash. Raises a BackendError.

    Without `wait` it counts as done once its cluster has taken it on, whatever still holds the job there.
    """
    row, _ = await _mine(desk, who, Action.DELETE, name, which)
    async with desk.database.write() as session:
        await session.execute(
            update(JobRow).where(JobRow.id == row.id).values(deleting=func.coalesce(JobRow.deleting, now()))
        )
        await audit.record(session, who, "delete", name, cluster=row.cluster)
    if not wait and (waiting := desk.deleting.pop(row.id, None)):
        waiting.cancel()
    begin_deletion(desk, row.id, ref_of(row), wait=wait)


def begin_deletion(desk: JobService, row_id: int, ref: JobRef, *, wait: bool = True) -> None:
    """Go on with a deletion that a row says is under way; one task for each."""
    if row_id not in desk.deleting:
        desk.hub.hold(ref.context, ref.uid)
        task = asyncio.create_task(_delete(desk, row_id, ref, wait=wait))
        desk.deleting[row_id] = task
        task.add_done_callback(lambda ended: _forget(desk, row_id, ended))


def _forget(desk: JobService, row_id: int, ended: asyncio.Task[None]) -> None:
    if desk.deleting.get(row_id) is ended:
        del desk.deleting[row_id]


async def _mine(
    desk: JobService, who: Caller, action: Action, name: str, which: JobSelector
) -> tuple[JobRow, Cluster]:
    async with desk.database.read() as session:
        row, _ = await find(session, who, name, which)
    require(who, action, row.user_id, name)
    if row.deleting and action is not Action.DELETE:
        raise Conflict(f"{name} is being deleted.")
    return row, desk.clusters.get(row.cluster)


def _told(desk: JobService, job: Job) -> Job:
    """As the hub tells it: owner and all. The watch comes after this answer."""
    return desk.hub.own(job)


async def _reserve(desk: JobService, row: JobRow) -> None:
    """It counts again from here on. Raises Refused."""
    async with desk.database.write() as session:
        user = await session.get_one(User, row.user_id, with_for_update=True)
        await quotas.check(session, user, row.gpus, desk.settings)
        await session.execute(update(JobRow).where(JobRow.id == row.id).values(finished=None))


async def _finish(desk: JobService, row: JobRow) -> None:
    """It did not go on: it is as finished as it was."""
    if row.finished:
        async with desk.database.write() as session:
            await session.execute(
                update(JobRow)
                .where(JobRow.id == row.id, JobRow.finished.is_(None))
                .values(finished=row.finished)
            )


async def _delete(desk: JobService, row_id: int, ref: JobRef, *, wait: bool) -> None:
    """Until nothing is left of it, however long its cluster is away."""
    backoff = Backoff()
    while True:
        try:
            await _steps(desk, ref, wait=wait)
            await _write_deleted(desk, row_id)
            break
        except BackendError as error:
            desk.hub.step(ref.context, ref.uid, DeleteStep(f"{error.title}; {GOING_ON}"))
            await asyncio.sleep(backoff.next())
    desk.hub.release(ref.context, ref.uid)


async def _steps(desk: JobService, ref: JobRef, *, wait: bool) -> None:
    cluster = desk.clusters.get(ref.context)
    with contextlib.suppress(NotFound):
        async with contextlib.aclosing(cluster.backend.delete(ref, wait=wait)) as steps:  # type: ignore[type-var]
            async for step in steps:
                desk.hub.step(ref.context, ref.uid, step)


async def _write_deleted(desk: JobService, row_id: int) -> None:
    async with desk.database.write() as session:
        await session.execute(update(JobRow).where(JobRow.id == row_id).values(**gone()))
        await session.execute(
            update(JobRow)
            .where(JobRow.id == row_id, JobRow.state.not_in(ENDED))
            .values(state=JobState.STOPPED, reason="deleted before it ended")
        )


def gone() -> dict[str, object]:
    """What a row says of a job of which nothing is left."""
    return {"deleted": now(), "finished": func.coalesce(JobRow.finished, now())}
