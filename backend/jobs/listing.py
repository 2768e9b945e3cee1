"""Lists of jobs: SQL selects and orders them, the hub has their state."""

from typing import Annotated

from fastapi import Query
from msgspec import Struct
from sqlalchemy import select

from backend.auth.caller import Caller
from backend.authorization import visible_rows
from backend.clusters.event_log import CachedJob
from backend.db.models import JobRow, User
from backend.jobs.rows import job_of, live_jobs
from backend.jobs.service import JobService
from backend_client.errors import Invalid
from backend_client.models import Job, JobState
from backend_client.server.wire import encode

_CHUNK = 1_000


class JobFilter(Struct, frozen=True, kw_only=True):
    """The filter of a list: every condition that is not empty must hold."""

    name: str
    cluster: str
    owner: str
    namespace: str
    states: frozenset[str]
    labels: dict[str, str]

    def matches(self, job: Job) -> bool:
        """Tell whether a job matches the conditions that its row cannot answer: state and labels."""
        return (
            not self.states or job.state in self.states
        ) and self.labels.items() <= job.spec.labels.items()


def parse_filter(  # noqa: PLR0917  one for each word of the query
    name: str = "",
    cluster: str = "",
    owner: str = "",
    namespace: str = "",
    state: Annotated[list[str], Query()] = [],  # noqa: B006  FastAPI's way
    label: Annotated[list[str], Query()] = [],  # noqa: B006  as above
) -> JobFilter:
    """Parse the filter from the query. Raises Invalid."""
    for word in state:
        if word not in {*map(str, JobState)}:
            raise Invalid({"state": f"{word[:40] or 'empty'}: there are {', '.join(JobState)}"})
    for one in label:
        if not one.partition("=")[0] or "=" not in one:
            raise Invalid({"label": f"{one[:80] or 'empty'}: write KEY=VALUE"})
    labels = dict(one.split("=", 1) for one in label)
    return JobFilter(
        name=name, cluster=cluster, owner=owner, namespace=namespace, states=frozenset(state), labels=labels
    )


async def page(service: JobService, caller: Caller, job_filter: JobFilter, limit: int, after: str) -> bytes:
    """Return the JSON of a Page, each job as it was encoded when it changed. Raises Invalid (cursor)."""
    if after and not (after.isdecimal() and len(after) < 19):
        raise Invalid({"after": "is no cursor of this list"})
    items: list[bytes] = []
    last = int(after or 0)
    while True:
        rows = await _rows(service, caller, job_filter, last, min(_CHUNK, limit + 1))
        for row_id, cluster, uid in rows:
            cached = service.hub.get(cluster, uid) or await _job_from_row(service, row_id)
            if cached and job_filter.matches(cached.job):
                if len(items) == limit:
                    return _page(items, str(last))
                items.append(cached.encoded)
            last = row_id
        if len(rows) < min(_CHUNK, limit + 1):
            return _page(items, "")


def _page(items: list[bytes], after: str) -> bytes:
    return b'{"items":[' + b",".join(items) + b'],"next":' + encode(after) + b"}"


async def _rows(
    service: JobService, caller: Caller, job_filter: JobFilter, after: int, limit: int
) -> list[tuple[int, str, str]]:
    """Return (id, cluster, uid) of rows, newest first, behind the row `after`."""
    query = select(JobRow.id, JobRow.cluster, JobRow.uid).where(visible_rows(caller), live_jobs())
    for column, value in (
        (JobRow.name, job_filter.name),
        (JobRow.cluster, job_filter.cluster),
        (JobRow.namespace, job_filter.namespace),
    ):
        query = query.where(column == value) if value else query
    if job_filter.owner:
        query = query.join(User, User.id == JobRow.user_id).where(
            User.name_key == job_filter.owner.casefold()
        )
    if after:
        query = query.where(JobRow.id < after)
    async with service.database.read() as session:
        rows = await session.execute(query.order_by(JobRow.id.desc()).limit(limit))
        return [(row_id, cluster, uid or "") for row_id, cluster, uid in rows]


async def _job_from_row(service: JobService, row_id: int) -> CachedJob | None:
    """Return a job that the hub lacks: its cluster is no longer this server's, or has just removed it."""
    async with service.database.read() as session:
        row = await session.get(JobRow, row_id)
        owner = await session.get(User, row.user_id) if row else None
    if row is None or owner is None:
        return None
    job = job_of(row, owner.name)
    return CachedJob(owner.id, job, encode(job))
