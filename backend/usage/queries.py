"""Questions about what was held and used: the rows that a caller may see, read and added up."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from sqlalchemy import func, select

from backend.auth.caller import Caller
from backend.authorization import visible_rows
from backend.db.engine import Database
from backend.db.models import EVERY_TEAM, AttemptRow, JobRow, UsageHour, User
from backend.usage.held import Held
from backend.usage.receipts import JobFacts, make_receipt
from backend.usage.report import AttemptUse, HourUse, make_report
from backend.usage.samples import HourSums
from backend.usage.usage_recorder import sums_of
from backend_client.errors import Invalid
from backend_client.models import JobRef, JobSpec
from backend_client.usage_report import Receipt, ReportQuery, UsageReport

DEFAULT = timedelta(days=7)
LONGEST = timedelta(days=800)
_CHUNK = 500
_HELD = [name for name in Held.__struct_fields__ if name != "job_uid"]


class _SpecParts(msgspec.Struct):
    """What a report reads of a spec."""

    labels: dict[str, str] = {}


_SPEC_PARTS = msgspec.json.Decoder(_SpecParts)


async def report(database: Database, caller: Caller, query: ReportQuery, now: datetime) -> UsageReport:
    """Add up what a caller may see. Raises Invalid for a zone that is none, or times that are too far apart.

    Totals are sums of rows that the caller may see, and of nothing else.
    """
    _check_zone(query.zone)
    until = min(query.until or now, now)
    since = query.since or until - DEFAULT
    if not timedelta() <= until - since <= LONGEST:
        raise Invalid({"since": f"must be before `until`, and no more than {LONGEST.days} days"})
    attempts = await _attempts(database, caller, query.user, since, until)
    return await asyncio.to_thread(make_report, query, attempts, since, until, now)  # a year may take seconds


def _check_zone(zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Invalid({"zone": f"{zone[:60]} is no time zone, as Europe/Berlin is one"}) from None


async def _attempts(
    database: Database, caller: Caller, user: str, since: datetime, until: datetime
) -> list[AttemptUse]:
    within = (
        visible_rows(caller)
        & (AttemptRow.allocated < until)
        & (AttemptRow.released.is_(None) | (AttemptRow.released > since))
    )
    if user:
        within &= User.name_key == user.casefold()
    query = (
        select(AttemptRow, JobRow.created, JobRow.namespace, JobRow.spec, User.name, User.team)
        .join(JobRow, JobRow.id == AttemptRow.job_id)
        .join(User, User.id == JobRow.user_id)
        .where(within)
        .order_by(AttemptRow.id)
    )
    firsts = select(AttemptRow.job_id, func.min(AttemptRow.allocated)).group_by(AttemptRow.job_id)
    hours = (
        select(UsageHour.attempt_id, UsageHour.hour, UsageHour.seconds, UsageHour.busy, UsageHour.idle)
        .join(AttemptRow, AttemptRow.id == UsageHour.attempt_id)
        .join(JobRow, JobRow.id == AttemptRow.job_id)
        .join(User, User.id == JobRow.user_id)
        .where(within, UsageHour.hour > since - timedelta(hours=1), UsageHour.hour < until)
    )
    async with database.read() as session:
        rows = (await session.execute(query)).all()
        jobs = select(AttemptRow.job_id).join(JobRow).join(User).where(within)
        found = await session.execute(firsts.where(AttemptRow.job_id.in_(jobs)))
        waits: dict[int, datetime] = {job: first for job, first in found}  # noqa: C416  rows are no tuples
        used = (await session.execute(hours)).all()
    by_attempt: defaultdict[int, list[HourUse]] = defaultdict(list)
    for attempt, hour, seconds, busy, idle in used:
        by_attempt[attempt].append(HourUse(hour, seconds, busy, idle))
    uses = []
    for row, created, namespace, spec, name, team in rows:
        is_first = waits.get(row.job_id) == row.allocated and bool(waits.pop(row.job_id))
        uses.append(
            AttemptUse(
                job=row.job_id,
                user=name,
                team="" if team == EVERY_TEAM else team,
                queue=row.queue,
                project=_SPEC_PARTS.decode(spec).labels.get("project") or namespace,
                gpu_type=row.gpu_type,
                gpus=row.gpus,
                allocated=row.allocated,
                started=row.started,
                finished=row.finished,
                between=row.between,
                released=row.released,
                released_lo=row.released_lo,
                end=row.end,
                asked=min(created, row.allocated) if is_first else None,
                hours=by_attempt[row.id],
            )
        )
    return uses


async def receipt(database: Database, job: JobRow, spec: JobSpec, now: datetime, *, ended: bool) -> Receipt:
    """Return the receipt of a job whose row was found for a caller."""
    ref = JobRef(job.cluster, job.namespace, job.kind, job.name, job.uid or "")
    async with database.read() as session:
        rows = (await session.scalars(select(AttemptRow).where(AttemptRow.job_id == job.id))).all()
        hours = await session.scalars(
            select(UsageHour)
            .join(AttemptRow, AttemptRow.id == UsageHour.attempt_id)
            .where(AttemptRow.job_id == job.id)
        )
        sums: defaultdict[int, HourSums] = defaultdict(HourSums)
        for hour in hours:
            sums[hour.attempt_id].merge(sums_of(hour))
    held = [
        (
            Held(job_uid=ref.uid, **{name: getattr(row, name) for name in _HELD}),
            sums[row.id],
        )
        for row in rows
    ]
    facts = JobFacts(ref=ref, spec=spec, created=job.created, ended=ended)
    return await asyncio.to_thread(make_receipt, facts, held, now)


async def gpu_seconds(database: Database, jobs: Collection[int], now: datetime) -> dict[int, float]:
    """Return the GPU-seconds that jobs have held, by the ids of their rows; of those with attempts."""
    found: defaultdict[int, float] = defaultdict(float)
    ids: Sequence[int] = [*jobs]
    async with database.read() as session:
        for start in range(0, len(ids), _CHUNK):
            query = select(
                AttemptRow.job_id, AttemptRow.gpus, AttemptRow.allocated, AttemptRow.released
            ).where(AttemptRow.job_id.in_(ids[start : start + _CHUNK]))
            for job, gpus, allocated, released in await session.execute(query):
                found[job] += max(0.0, ((released or now) - allocated).total_seconds()) * gpus
    return dict(found)
