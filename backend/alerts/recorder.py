"""Alerts written down: what fires or recovers becomes rows, together with the messages that tell of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from backend.alerts import outbox
from backend.alerts.told import Told, What
from backend.db.models import AlertRow, JobRow, OutboxRow
from backend.jobs.rows import live_jobs, ref_of
from backend_client.alerts.alert import AlertState
from backend_client.alerts.engine import OpenEpisode, Transition

_AT_ONCE = 500


async def read_episodes(session: AsyncSession, cluster: str) -> Sequence[OpenEpisode]:
    """Return what was told of the jobs that a cluster has, by an earlier process too."""
    query = (
        select(AlertRow, JobRow)
        .join(JobRow, JobRow.id == AlertRow.job_id)
        .where(JobRow.cluster == cluster, live_jobs())
        .order_by(AlertRow.id)
    )
    return [
        OpenEpisode(
            rule=alert.rule,
            job=ref_of(job),
            attempt=alert.attempt,
            episode=alert.episode,
            firing=alert.recovered is None,
        )
        for alert, job in (await session.execute(query)).all()
    ]


async def record(
    session: AsyncSession,
    cluster: str,
    transitions: Sequence[Transition],
    states: Mapping[str, str],
) -> None:
    """Write what changed, its messages, and the states (by uid) that the rules have seen; one transaction."""
    uids = {transition.job.uid for transition in transitions}
    jobs = await _rows_of(session, cluster, [*uids])
    for transition in transitions:
        if row := jobs.get(transition.job.uid):
            if transition.state is AlertState.FIRING:
                await _fire(session, row, transition)
            else:
                await _recover(session, row, transition)
    for state in set(states.values()):
        seen = [uid for uid, found in states.items() if found == state]
        for start in range(0, len(seen), _AT_ONCE):
            await session.execute(
                update(JobRow)
                .where(JobRow.cluster == cluster, JobRow.uid.in_(seen[start : start + _AT_ONCE]))
                .values(alerted_state=state)
            )


async def close_all(session: AsyncSession, cluster: str, now: datetime) -> None:
    """End all alerts of a cluster that is this server's no more; nobody is told."""
    jobs = select(JobRow.id).where(JobRow.cluster == cluster)
    await session.execute(
        update(AlertRow).where(AlertRow.recovered.is_(None), AlertRow.job_id.in_(jobs)).values(recovered=now)
    )


async def tell_again(session: AsyncSession, now: datetime) -> bool:
    """Tell of alerts whose snooze is over and that are still so; return whether there are any."""
    query = (
        select(AlertRow, JobRow, exists().where(OutboxRow.alert_id == AlertRow.id))
        .join(JobRow, JobRow.id == AlertRow.job_id)
        .where(AlertRow.snoozed_until <= now, AlertRow.recovered.is_(None), AlertRow.acknowledged.is_(None))
        .with_for_update(of=AlertRow)
    )
    found = (await session.execute(query)).all()
    for alert, job, was_told in found:
        alert.snoozed_until = None
        what = What.STILL if was_told else What.FIRED
        await outbox.write(session, job.user_id, _told(alert, job, what, alert.sentence, now), now)
    return bool(found)


async def _fire(session: AsyncSession, job: JobRow, transition: Transition) -> None:
    earlier = [
        *await session.scalars(
            select(AlertRow)
            .where(AlertRow.job_id == job.id, AlertRow.rule == transition.rule)
            .order_by(AlertRow.id.desc())
        )
    ]
    if any((row.attempt, row.episode) == (transition.attempt, transition.episode) for row in earlier):
        return  # an earlier process wrote it
    alert = AlertRow(
        rule=transition.rule,
        job_id=job.id,
        attempt=transition.attempt,
        episode=transition.episode,
        sentence=transition.sentence,
        fired=transition.at,
        acknowledged_by="",
        snoozed_until=_snooze_of(earlier, transition.at),
    )
    session.add(alert)
    await session.flush()
    if not transition.quiet and alert.snoozed_until is None:
        told = _told(alert, job, What.FIRED, transition.sentence, transition.at)
        await outbox.write(session, job.user_id, told, transition.at)


async def _recover(session: AsyncSession, job: JobRow, transition: Transition) -> None:
    alert = await session.scalar(
        select(AlertRow).where(
            AlertRow.job_id == job.id,
            AlertRow.rule == transition.rule,
            AlertRow.attempt == transition.attempt,
            AlertRow.episode == transition.episode,
            AlertRow.recovered.is_(None),
        )
    )
    if alert is None:
        return
    alert.recovered = transition.at
    if not transition.quiet:
        told = _told(alert, job, What.RECOVERED, transition.sentence, transition.at)
        await outbox.write(session, job.user_id, told, transition.at)


def _snooze_of(earlier: Sequence[AlertRow], now: datetime) -> datetime | None:
    """Return until when a new episode is not told: the one before was snoozed."""
    until = earlier[0].snoozed_until if earlier else None
    return until if until and until > now else None


def _told(alert: AlertRow, job: JobRow, what: What, sentence: str, at: datetime) -> Told:
    return Told(
        what=what,
        sentence=sentence,
        at=at,
        fired=alert.fired,
        alert=alert.id,
        rule=alert.rule,
        job=job.name,
        cluster=job.cluster,
        uid=job.uid or "",
        attempt=alert.attempt,
        episode=alert.episode,
    )


async def _rows_of(session: AsyncSession, cluster: str, uids: Sequence[str]) -> Mapping[str, JobRow]:
    found: dict[str, JobRow] = {}
    for start in range(0, len(uids), _AT_ONCE):
        part = uids[start : start + _AT_ONCE]
        rows = await session.scalars(select(JobRow).where(JobRow.cluster == cluster, JobRow.uid.in_(part)))
        found.update((row.uid or "", row) for row in rows)
    return found
