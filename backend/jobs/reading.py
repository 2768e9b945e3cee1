"""One job as its caller may see it: now, what happened to it, why it waits, what it has cost."""

from collections.abc import Sequence
from functools import partial

from msgspec.structs import replace

from backend.auth.caller import Caller
from backend.auth.users import find_user
from backend.authorization import visible_users
from backend.clusters.event_log import Audience
from backend.db.models import JobRow
from backend.jobs.other_people import may_name
from backend.jobs.rows import JobSelector, find_row, job_of, now, ref_of, spec_of, state_of
from backend.jobs.service import JobService
from backend.usage import queries
from backend_client.models import Event, Job
from backend_client.usage_report import Receipt
from backend_client.why import Explanation


async def current_job(service: JobService, caller: Caller, name: str, selector: JobSelector) -> Job:
    """Return a job as its cluster has it; as it was last known, where that does not answer.

    Raises NotFound, Conflict, as all here do.
    """
    service.hub.note_look()
    row, owner = await _find(service, caller, name, selector)
    cached = service.hub.get(row.cluster, row.uid or "")
    return cached.job if cached else job_of(row, owner)


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
