"""Queries of the history: pages of jobs, deleted ones too."""

from sqlalchemy import or_

from backend.auth.caller import Caller
from backend.db.engine import Database
from backend.db.models import JobRow, User
from backend.jobs.rows import CREATING, now, rows_with_owner, state_of
from backend.usage.queries import gpu_seconds
from backend_client.errors import Invalid
from backend_client.history import HistoryEntry, HistoryPage, HistoryQuery


async def page(
    database: Database, caller: Caller, query: HistoryQuery, after: str, limit: int
) -> HistoryPage:
    """Return a page of the jobs that a caller may see, newest first. Raises Invalid for a strange cursor."""
    if after and not (after.isdecimal() and len(after) < 19):
        raise Invalid({"after": "is no cursor of this list"})
    selected = rows_with_owner(caller).where(JobRow.state != CREATING)
    if query.text:
        like = f"%{_escape_like(query.text)}%"
        columns = (JobRow.name, JobRow.spec, JobRow.reason)
        selected = selected.where(or_(*(column.ilike(like, escape="\\") for column in columns)))
    if query.user:
        selected = selected.where(User.name_key == query.user.casefold())
    if query.states:
        selected = selected.where(JobRow.state.in_(query.states))
    if query.since:
        selected = selected.where(JobRow.created >= query.since)
    if query.until:
        selected = selected.where(JobRow.created < query.until)
    if after:
        selected = selected.where(JobRow.id < int(after))
    async with database.read() as session:
        rows = (await session.execute(selected.order_by(JobRow.id.desc()).limit(limit + 1))).all()
    moment = now()
    held = await gpu_seconds(database, [row.id for row, _ in rows[:limit]], moment)
    items = tuple(_entry(row, owner, held.get(row.id, 0.0)) for row, owner in rows[:limit])
    return HistoryPage(items, str(rows[limit - 1][0].id) if len(rows) > limit else "")


def _escape_like(text: str) -> str:
    """Escape a text, so that it stands for itself in a LIKE."""
    for sign in ("\\", "%", "_"):
        text = text.replace(sign, f"\\{sign}")
    return text.replace("\0", "")


def _entry(row: JobRow, owner: str, held: float) -> HistoryEntry:
    """Return a row as an entry. `held`: by its attempts; its own sum is from before those were kept."""
    return HistoryEntry(
        name=row.name,
        uid=row.uid or "",
        owner=owner,
        cluster=row.cluster,
        namespace=row.namespace,
        kind=row.kind,
        state=state_of(row.state),
        reason=row.reason,
        gpus=row.gpus,
        created=row.created,
        started=row.started,
        finished=row.finished,
        deleted=row.deleted,
        gpu_seconds=max(row.gpu_seconds, held),
        exit_code=row.exit_code,
    )
