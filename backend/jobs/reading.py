"""One job as its caller may see it: now, what happened to it, why it waits, what it has cost."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple

from msgspec.structs import replace

from backend.auth.caller import Caller
from backend.auth.users import find_user
from backend.authorization import visible_users
from backend.clusters.event_log import Audience
from backend.db.models import JobRow
from backend.jobs.other_people import may_name
from backend.jobs.rows import (
    JobSelector,
    find_row,
    job_of,
    now,
    ref_of,
    rows_with_owner,
    spec_of,
    state_of,
)
from backend.jobs.service import JobService
from backend.usage import queries
from backend_client.errors import NotFound
from backend_client.models import Event, Job, JobSpec
from backend_client.usage_report import Receipt
from backend_client.why import Explanation


class KnownJob(NamedTuple):
    """A job, and when it was deleted; None where it was not."""

    job: Job
    deleted: datetime | None


async def current_job(service: JobService, caller: Caller, name: str, selector: JobSelector) -> Job:
    """Return a job as its cluster has it; as it was last known, where that does not answer.

    Raises NotFound, Conflict, as all here do.
    """
    service.hub.note_look()
    row, owner = await _find(service, caller, name, selector)
    cached = service.hub.get(row.cluster, row.uid or "")
    return cached.job if cached else job_of(row, owner)


async def known_job(service: JobService, caller: Caller, name: str, selector: JobSelector) -> KnownJob:
    """Return a job as `current_job` does; of one that is deleted, what is remembered of it."""
    service.hub.note_look()
    row, owner = await _find(service, caller, name, selector, deleted=True)
    cached = service.hub.get(row.cluster, row.uid or "") if row.deleted is None else None
    return KnownJob(cached.job if cached else job_of(row, owner), row.deleted)


async def events_of(service: JobService, caller: Caller, name: str, selector: JobSelector) -> Sequence[Event]:
    """Return what happened to a job, oldest first."""
    row, _ = await _find(service, caller, name, selector)
    cluster = service.clusters.get(row.cluster)
    async with cluster.breaker.call(caller.user_id):
        return await cluster.backend.events(ref_of(row))


async def explanation_of(
    service: JobService, caller: Caller, name: str, selector: JobSelector
) -> Explanation:
    """Return why a job does not run, or how it failed; names no job of others, unless a setting allows it."""
    row, _ = await _find(service, caller, name, selector)
    cluster = service.clusters.get(row.cluster)
    async with cluster.breaker.call(caller.user_id):
        return await cluster.backend.explain_for(ref_of(row), partial(may_name, service, caller))


async def spec_again(service: JobService, caller: Caller, name: str, selector: JobSelector) -> JobSpec:
    """Return what a job was made of, with its name and its cluster; also of one that is deleted."""
    row, _ = await _find(service, caller, name, selector, deleted=True)
    return replace(spec_of(row), name=row.name, cluster=row.cluster)


async def name_of(service: JobService, caller: Caller, uid: str) -> str:
    """Return the name of the job with a uid, also of one that is deleted."""
    async with service.database.read() as session:
        found = (await session.execute(rows_with_owner(caller).where(JobRow.uid == uid).limit(1))).first()
    if found is None:
        raise NotFound("There is no such job.")
    row, _ = found
    return row.name


async def receipt_of(service: JobService, caller: Caller, name: str, selector: JobSelector) -> Receipt:
    """Return what a job has held and used so far, over all its attempts; also of one that is deleted."""
    row, _ = await _find(service, caller, name, selector, deleted=True)
    cached = service.hub.get(row.cluster, row.uid or "")
    ended = cached.job.ended if cached else state_of(row.state).ended or row.deleted is not None
    spec = replace(spec_of(row), name=row.name)
    return await queries.receipt(service.database, row, spec, now(), ended=ended)


async def audience_of(
    service: JobService, caller: Caller, *, cluster: str = "", owner: str = "", uid: str = ""
) -> Audience:
    """Return what a stream of changes is about: jobs that the caller may see, of one owner, cluster, uid."""
    visible = visible_users(caller)
    if not owner:
        return Audience(visible, cluster, uid)
    async with service.database.read() as session:
        user = await find_user(session, owner)
    named = frozenset({user.id} if user else ())
    return Audience(named if visible is None else named & visible, cluster, uid)


async def _find(
    service: JobService, caller: Caller, name: str, selector: JobSelector, *, deleted: bool = False
) -> tuple[JobRow, str]:
    async with service.database.read() as session:
        return await find_row(session, caller, name, selector, deleted=deleted)
