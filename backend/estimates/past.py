"""What the rows remember of a cluster's jobs: how long they ran, and what came last week."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import select

from backend.db.engine import Database
from backend.db.models import JobRow
from backend.estimates.durations import PastJob

DAYS = 90
MOST_ROWS = 5_000
"""The newest are read."""
WEEK = timedelta(days=7)


class Arrival(Struct, frozen=True):
    """A job that came last week."""

    at: datetime
    user: str
    namespace: str
    local_queue: str
    gpus: int
    gpu_type: str
    limit: float | None
    """Seconds."""


class Past(Struct, frozen=True):
    """The jobs of a cluster that asked for GPUs, as the rows remember them."""

    ended: tuple[PastJob, ...] = ()
    arrivals: tuple[Arrival, ...] = ()
    """Of the last week."""


class _Asked(Struct):
    """What is read of a JobSpec."""

    queue: str = ""
    gpu_type: str = ""
    max_runtime: int = 0


_ASKED = msgspec.json.Decoder(_Asked)


async def read_past(database: Database, cluster: str, now: datetime) -> Past:
    """Read the past of a cluster. Raises Unreachable where the database does not answer."""
    query = (
        select(
            JobRow.user_id,
            JobRow.gpus,
            JobRow.created,
            JobRow.started,
            JobRow.finished,
            JobRow.namespace,
            JobRow.spec,
        )
        .where(
            JobRow.cluster == cluster,
            JobRow.kind == "job",
            JobRow.gpus > 0,
            JobRow.created > now - timedelta(days=DAYS),
        )
        .order_by(JobRow.id.desc())
        .limit(MOST_ROWS)
    )
    async with database.read() as session:
        rows = (await session.execute(query)).all()
    ended = tuple(
        PastJob(str(row.user_id), row.gpus, (row.finished - row.started).total_seconds())
        for row in rows
        if row.started and row.finished
    )
    return Past(ended, tuple(_arrival(row) for row in rows if row.created > now - WEEK))


def _arrival(row: Any) -> Arrival:
    asked = _ASKED.decode(row.spec)
    return Arrival(
        at=row.created,
        user=str(row.user_id),
        namespace=row.namespace,
        local_queue=asked.queue or "default",
        gpus=row.gpus,
        gpu_type=asked.gpu_type,
        limit=asked.max_runtime or None,
    )
