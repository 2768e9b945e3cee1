"""Rows of jobs: select those that a caller may see, find one by its name, and turn them into Jobs."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from sqlalchemy import ColumnElement, Row, Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.auth.caller import Caller
from backend.authorization import visible_rows
from backend.db.models import JobRow, User
from backend_client.errors import Conflict, NotFound
from backend_client.models import Attempt, Job, JobRef, JobSpec, JobState

CREATING = "Making"
"""State of a row whose job is being created: it has no uid yet."""
REMOVED = "removed in the cluster, not by this server"
"""The reason of a job's end, where nothing else is known."""
WAITING = (JobState.QUEUED, JobState.PENDING, JobState.STARTING)
"""States whose reason says why a job does not run yet, and so nothing of its end."""
_SPEC = msgspec.json.Decoder(JobSpec)


class JobSelector(msgspec.Struct, frozen=True):
    """Selects one of several jobs of a name; an empty field selects all."""

    cluster: str = ""
    owner: str = ""
    uid: str = ""


def live_jobs() -> ColumnElement[bool]:
    """Return the condition for rows of jobs that exist in their cluster."""
    return JobRow.uid.is_not(None) & JobRow.deleted.is_(None)


def rows_with_owner(caller: Caller) -> Select[JobRow, str]:
    """Select (row, owner's name) of all jobs that a caller may see."""
    return select(JobRow, User.name).join(User, User.id == JobRow.user_id).where(visible_rows(caller))


async def find_row(
    session: AsyncSession, caller: Caller, name: str, selector: JobSelector, *, deleted: bool = False
) -> tuple[JobRow, str]:
    """Find the one row of this name, and its owner's name. Raises NotFound; Conflict names the candidates.

    `deleted`: where no job of this name is there any more, the last one that was.
    """
    query = rows_with_owner(caller).where(JobRow.name == name)
    query = _selected(query, selector)
    rows = (await session.execute(query.where(live_jobs()).order_by(JobRow.id).limit(20))).all()
    if not rows and deleted:
        past = query.where(JobRow.uid.is_not(None)).order_by(JobRow.id.desc()).limit(1)
        rows = (await session.execute(past)).all()
    if not rows:
        raise NotFound(f"There is no job {name}{f' ({selector.uid})' if selector.uid else ''}.")
    if len(rows) > 1:
        raise _ambiguous(name, rows)
    row, owner = rows[0]
    return row, owner


def _selected(query: Select[JobRow, str], selector: JobSelector) -> Select[JobRow, str]:
    if selector.cluster:
        query = query.where(JobRow.cluster == selector.cluster)
    if selector.owner:
        query = query.where(User.name_key == selector.owner.casefold())
    if selector.uid:
        query = query.where(JobRow.uid == selector.uid)
    return query


def _ambiguous(name: str, rows: Sequence[Row[JobRow, str]]) -> Conflict:
    fields = {str(row.uid): f"cluster={row.cluster} owner={owner}" for row, owner in rows}
    return Conflict(f"There are {len(rows)} jobs {name}.", "Say ?cluster=, ?owner= or ?uid=.", fields=fields)


def ref_of(row: JobRow) -> JobRef:
    """Return the ref of a row's job in its cluster."""
    return JobRef(row.cluster, row.namespace, row.kind, row.name, row.uid or "")


def spec_of(row: JobRow) -> JobSpec:
    """Return the spec of a row, as it was requested."""
    return _SPEC.decode(row.spec)


def job_of(row: JobRow, owner: str) -> Job:
    """Return the Job as its row has it, for as long as its cluster does not answer."""
    last = Attempt(number=1, exit_code=row.exit_code, started=row.started, finished=row.finished)
    return Job(
        ref=ref_of(row),
        state=state_of(row.state),
        spec=msgspec.structs.replace(spec_of(row), name=row.name),
        reason=row.reason,
        owner=owner,
        created=row.created,
        started=row.started,
        finished=row.finished,
        attempts=(last,) if row.exit_code is not None else (),
    )


def state_of(word: str) -> JobState:
    """Return the JobState of a row; Pending while the job is being created."""
    try:
        return JobState(word)
    except ValueError:
        return JobState.PENDING


def now() -> datetime:
    """Return the time now, aware, in UTC."""
    return datetime.now(UTC)
