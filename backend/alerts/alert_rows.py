"""The alerts of a person: listed with what became of their messages, acknowledged, snoozed."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from backend.alerts import outbox
from backend.auth.caller import Caller
from backend.authorization import Action, require, visible_rows
from backend.db.models import AlertRow, ChannelRow, JobRow, OutboxRow, User
from backend.jobs.rows import ref_of
from backend_client.alerts.alert import Alert, AlertList, AlertState, Delivery, DeliveryState
from backend_client.errors import Invalid, NotFound

SHOWN_FOR = timedelta(days=7)
"""So long an alert that is over, or was seen, stays in the list."""
MOST_SHOWN = 500
LONGEST_SNOOZE = timedelta(days=30)


async def list_alerts(
    session: AsyncSession, caller: Caller, now: datetime, *, everybody: bool = False
) -> AlertList:
    """List the alerts of the caller's own jobs, newest first; of all that they may see with `everybody`."""
    whose = visible_rows(caller) if everybody else JobRow.user_id == caller.user_id
    recent = or_(
        _is_open(now),
        AlertRow.fired > now - SHOWN_FOR,
        AlertRow.recovered > now - SHOWN_FOR,
    )
    query = (
        select(AlertRow, JobRow, User.name)
        .join(JobRow, JobRow.id == AlertRow.job_id)
        .join(User, User.id == JobRow.user_id)
        .where(whose, recent)
        .order_by(AlertRow.fired.desc(), AlertRow.id.desc())
        .limit(MOST_SHOWN)
    )
    found = (await session.execute(query)).all()
    deliveries = await _deliveries(session, [alert.id for alert, *_ in found], caller)
    return AlertList(items=tuple(_alert(*row, deliveries) for row in found))


async def count_firing(session: AsyncSession, caller: Caller, now: datetime) -> int:
    """Count the alerts of the caller's own jobs that fire, and that nobody has seen or snoozed."""
    told = or_(AlertRow.snoozed_until.is_(None), AlertRow.snoozed_until <= now)
    query = (
        select(func.count())
        .select_from(AlertRow)
        .join(JobRow, JobRow.id == AlertRow.job_id)
        .where(JobRow.user_id == caller.user_id, _is_open(now), told)
    )
    return await session.scalar(query) or 0


def _is_open(now: datetime) -> ColumnElement[bool]:
    """Return the condition for alerts that have not recovered and were not seen."""
    fired = AlertRow.fired > now - LONGEST_SNOOZE
    return AlertRow.recovered.is_(None) & AlertRow.acknowledged.is_(None) & fired


async def acknowledge(session: AsyncSession, caller: Caller, alert_id: str, now: datetime) -> Alert:
    """Note that somebody has seen an alert; what is unsent of it stays so. Raises NotFound, Forbidden."""
    alert, job, owner = await _find(session, caller, alert_id)
    if alert.acknowledged is None:
        alert.acknowledged, alert.acknowledged_by, alert.snoozed_until = now, caller.name, None
        await outbox.drop_unsent(session, alert.id)
    return _alert(alert, job, owner, await _deliveries(session, [alert.id], caller))


async def snooze(
    session: AsyncSession, caller: Caller, alert_id: str, until: datetime, now: datetime
) -> Alert:
    """Tell of an alert no more before a time; then again, if it is still so.

    Raises as `acknowledge`, and Invalid.
    """
    if not now < until <= now + LONGEST_SNOOZE:
        raise Invalid({"until": f"write a time within the next {LONGEST_SNOOZE.days} days"})
    alert, job, owner = await _find(session, caller, alert_id)
    alert.snoozed_until, alert.acknowledged, alert.acknowledged_by = until, None, ""
    await outbox.drop_unsent(session, alert.id)
    return _alert(alert, job, owner, await _deliveries(session, [alert.id], caller))


async def _find(session: AsyncSession, caller: Caller, alert_id: str) -> tuple[AlertRow, JobRow, str]:
    missing = NotFound(f"There is no alert {alert_id[:20]}.", "`traindeck alerts` lists them.")
    if not (alert_id.isascii() and alert_id.isdecimal() and len(alert_id) < 19):
        raise missing
    alert = await session.get(AlertRow, int(alert_id), with_for_update=True)
    job = await session.get(JobRow, alert.job_id) if alert else None
    owner = await session.get(User, job.user_id) if job else None
    if alert is None or job is None or owner is None:
        raise missing
    try:
        require(caller, Action.ACKNOWLEDGE, job.user_id)
    except NotFound:
        raise missing from None
    return alert, job, owner.name


def _alert(alert: AlertRow, job: JobRow, owner: str, deliveries: Mapping[int, Sequence[Delivery]]) -> Alert:
    return Alert(
        id=str(alert.id),
        rule=alert.rule,
        job=ref_of(job),
        owner=owner,
        attempt=alert.attempt,
        episode=alert.episode,
        sentence=alert.sentence,
        state=AlertState.RECOVERED if alert.recovered else AlertState.FIRING,
        fired=alert.fired,
        recovered=alert.recovered,
        acknowledged=alert.acknowledged,
        acknowledged_by=alert.acknowledged_by,
        snoozed_until=alert.snoozed_until,
        deliveries=tuple(deliveries.get(alert.id, ())),
    )


async def _deliveries(
    session: AsyncSession, alerts: Iterable[int], caller: Caller
) -> Mapping[int, Sequence[Delivery]]:
    """Return alert -> what became of the last message of it to each channel of the caller's own."""
    digest = aliased(OutboxRow)
    query = (
        select(OutboxRow, digest, ChannelRow.name)
        .join(ChannelRow, ChannelRow.id == OutboxRow.channel_id)
        .outerjoin(digest, digest.id == OutboxRow.digest_id)
        .where(OutboxRow.alert_id.in_([*alerts]), _is_told(), ChannelRow.user_id == caller.user_id)
        .order_by(OutboxRow.id)
    )
    found: defaultdict[int, dict[str, Delivery]] = defaultdict(dict)
    for part, whole, name in (await session.execute(query)).all():
        row = whole or part
        found[part.alert_id or 0][name] = Delivery(
            channel=name,
            state=DeliveryState(row.state),
            tries=row.tries,
            last_try=row.last_try,
            why=row.why,
        )
    return {alert: [*each.values()] for alert, each in found.items()}


def _is_told() -> ColumnElement[bool]:
    return OutboxRow.state != outbox.Stored.DROPPED
