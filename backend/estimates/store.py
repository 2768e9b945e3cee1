"""The ranges that were told, in the database: each is stored once, with what came of it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct
from sqlalchemy import bindparam, select, update

from backend.clusters.event_log import Key
from backend.db.engine import Database
from backend.db.models import JobRow, StartEstimate
from backend.estimates.coverage import LAST, Coverage, coverage_of
from backend_client.models import StartRange

METHOD = 1
"""Ranges of another method count no more: a change of how they are made gets the next number."""
_MOST_OUTCOMES = 20 * LAST
"""Of all queues together, the newest."""


class ToldRange(Struct, kw_only=True):
    """A range that a waiting job was told."""

    id: int = 0
    """Of its row; 0 until it is stored."""
    key: Key
    queue: str
    made: datetime
    starts: StartRange
    """As it was told."""
    exact: StartRange
    """Before it was rounded; after a restart, as it was told."""
    widening: float
    first: bool
    shown: bool
    hit: bool | None = None
    started: datetime | None = None
    settled: datetime | None = None
    voided: datetime | None = None


async def load_unfinished(database: Database) -> list[ToldRange]:
    """Load the ranges of jobs that had not started when the server stopped, the oldest first."""
    query = (
        select(StartEstimate, JobRow.uid)
        .join(JobRow, JobRow.id == StartEstimate.job_id)
        .where(
            StartEstimate.started.is_(None),
            StartEstimate.voided.is_(None),
            StartEstimate.version == METHOD,
            JobRow.deleted.is_(None),
        )
        .order_by(StartEstimate.id)
    )
    async with database.read() as session:
        rows = (await session.execute(query)).all()
    return [_told(row, uid or "") for row, uid in rows]


def _told(row: StartEstimate, uid: str) -> ToldRange:
    return ToldRange(
        id=row.id,
        key=(row.cluster, uid),
        queue=row.queue,
        made=row.made,
        starts=StartRange(row.earliest, row.latest),
        exact=StartRange(row.earliest, row.latest),
        widening=row.widening,
        first=row.first,
        shown=row.shown,
        hit=row.hit,
        settled=row.settled,
    )


async def load_coverage(database: Database) -> dict[tuple[str, str], Coverage]:
    """Load the coverage of each (cluster, queue)."""
    query = (
        select(StartEstimate.cluster, StartEstimate.queue, StartEstimate.hit, StartEstimate.widening)
        .where(
            StartEstimate.hit.is_not(None),
            StartEstimate.voided.is_(None),
            StartEstimate.first,
            StartEstimate.version == METHOD,
        )
        .order_by(StartEstimate.settled.desc(), StartEstimate.id.desc())
        .limit(_MOST_OUTCOMES)
    )
    async with database.read() as session:
        rows = (await session.execute(query)).all()
    outcomes: defaultdict[tuple[str, str], list[tuple[bool, float]]] = defaultdict(list)
    for row in reversed(rows):
        outcomes[row.cluster, row.queue].append((bool(row.hit), row.widening))
    return {queue: coverage_of(found) for queue, found in outcomes.items()}


async def write(database: Database, new: Sequence[ToldRange], changed: Iterable[ToldRange]) -> None:
    """Store new ranges, whose ids are set, and what came of older ones. Raises Unreachable."""
    settled = [
        {
            "of": told.id,
            "came": told.started,
            "at": told.settled,
            "right": told.hit,
            "void": told.voided,
        }
        for told in changed
        if told.id
    ]
    async with database.write() as session:
        if settled:
            await (await session.connection()).execute(_SETTLE, settled)
        rows = {}
        for told in new:
            job_id = await session.scalar(
                select(JobRow.id).where(JobRow.cluster == told.key[0], JobRow.uid == told.key[1])
            )
            if job_id is not None:
                rows[id(told)] = _row(told, job_id)
        session.add_all(rows.values())
        await session.flush()
        for told in new:
            told.id = rows[id(told)].id if id(told) in rows else 0


def _row(told: ToldRange, job_id: int) -> StartEstimate:
    return StartEstimate(
        job_id=job_id,
        cluster=told.key[0],
        queue=told.queue,
        made=told.made,
        earliest=told.starts.earliest,
        latest=told.starts.latest,
        widening=told.widening,
        version=METHOD,
        first=told.first,
        shown=told.shown,
        started=told.started,
        settled=told.settled,
        hit=told.hit,
        voided=told.voided,
    )


_TIME = StartEstimate.started.type
_SETTLE = (
    update(StartEstimate)
    .where(StartEstimate.id == bindparam("of"))
    .values(
        started=bindparam("came", type_=_TIME),
        settled=bindparam("at", type_=_TIME),
        hit=bindparam("right", type_=StartEstimate.hit.type),
        voided=bindparam("void", type_=_TIME),
    )
)
