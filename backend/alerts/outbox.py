"""The outbox: messages written with the change that they tell of, taken with a lease, sent at least once.

A row is one message to one channel. Its key says what it tells, so that one change is never two messages.
More than a few to one channel in a short time are told by one row, a digest, which is written before it is
sent: so a digest that is tried again is the same digest.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from backend.alerts.quiet_hours import quiet_until
from backend.alerts.told import Told, What, decode_told, encode_told
from backend.db.models import AlertRow, AlertWishesRow, ChannelRow, OutboxRow, User
from backend_client.alerts.alert import AlertWishes, DeliveryState, QuietHours

LEASE = timedelta(seconds=90)
"""Longer than any message takes; a sender that died has nothing of it after that."""
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 25, 125, 625, 659))
"""Before each further try: 24 hours in all."""
BURST = 5
"""Messages to one channel within `BURST_TIME` before the others become one."""
BURST_TIME = timedelta(minutes=10)
FAILING_WAIT = timedelta(minutes=25)
"""So long what is new waits, at most, for the next try of what a channel did not take."""
MOST_AT_ONCE = 500
"""Messages in one digest."""
KEPT = timedelta(days=30)
"""So long what was sent, or given up, is kept."""
LOUD_RULE = "failed"
"""What quiet hours do not hold back."""
_LONGEST_WHY = 300


class Stored(StrEnum):
    """States of a row that are no state of a delivery."""

    DIGEST = "digest"
    """`digest_id` tells it."""
    DROPPED = "dropped"
    """It was acknowledged before it was sent."""


_UNSENT = (DeliveryState.WAITING, DeliveryState.HELD)


class Parcel(Struct, frozen=True):
    """A message that a sender has taken."""

    id: int
    channel: ChannelRow
    key: str
    told: tuple[Told, ...]
    tries: int
    created: datetime
    leased_until: datetime
    """Also says whose it is: a sender that took too long has lost it."""


async def write(session: AsyncSession, user_id: int, told: Told, now: datetime) -> None:
    """Write a message to each channel of a person, as part of the session's transaction.

    That an alert is over is told only where it was told that it fired.
    """
    query = select(ChannelRow.id).where(ChannelRow.user_id == user_id)
    if told.what is not What.FIRED:
        heard = select(OutboxRow.channel_id).where(OutboxRow.alert_id == told.alert)
        query = query.where(ChannelRow.id.in_(heard))
    channels = [*await session.scalars(query.order_by(ChannelRow.id))]
    if not channels:
        return
    due, state = when(await quiet_hours_of(session, user_id), [told], now)
    for channel in channels:
        session.add(
            OutboxRow(
                alert_id=told.alert,
                channel_id=channel,
                key=key_of(told),
                message=encode_told([told]),
                state=state,
                due=due,
                created=now,
            )
        )
    await session.flush()


def key_of(told: Told) -> str:
    """Return the key of what is told."""
    again = f"-{told.at:%Y%m%dT%H%M%SZ}" if told.what is What.STILL else ""
    return f"alert-{told.alert}-{told.what}{again}"


def when(quiet: QuietHours, told: Sequence[Told], now: datetime) -> tuple[datetime, DeliveryState]:
    """Return when a message is to be sent, and whether quiet hours hold it back until then."""
    until = quiet_until(quiet, now)
    if until is None or any(one.rule == LOUD_RULE or one.what is What.TEST for one in told):
        return now, DeliveryState.WAITING
    return until, DeliveryState.HELD


async def quiet_hours_of(session: AsyncSession, user_id: int) -> QuietHours:
    """Return the quiet hours of a person."""
    row = await session.get(AlertWishesRow, user_id)
    return msgspec.json.decode(row.wishes, type=AlertWishes).quiet if row else QuietHours()


async def channels_due(session: AsyncSession, now: datetime) -> Sequence[tuple[int, bool]]:
    """Return (channel, whether its last try failed) of all that have something to be sent now."""
    query = (
        select(OutboxRow.channel_id, func.max(OutboxRow.tries))
        .where(_due(now), _of_enabled())
        .group_by(OutboxRow.channel_id)
    )
    return [(channel, tries > 0) for channel, tries in (await session.execute(query)).all()]


async def next_due(session: AsyncSession) -> datetime | None:
    """Return when the next message is to be sent, which may be past; None where nothing waits."""
    free = OutboxRow.leased_until.is_(None)
    query = select(OutboxRow.due).where(OutboxRow.state.in_(_UNSENT), free, _of_enabled())
    found: datetime | None = await session.scalar(query.order_by(OutboxRow.due).limit(1))
    return found


async def take(session: AsyncSession, channel_id: int, now: datetime) -> Parcel | None:
    """Take the next message for a channel; None where none is to be sent now. Part of a transaction."""
    channel = await session.get(ChannelRow, channel_id, with_for_update=True)
    if channel is None:
        return None
    rows = await _ready(session, channel, now)
    if not rows:
        return None
    room = BURST - len(recent := await _recent(session, channel_id, now))
    if room <= 0:
        for row in rows:
            row.due = recent[BURST - 1] + BURST_TIME
        return None
    fresh = [row for row in rows if _is_fresh(row)]
    if len(fresh) < len(rows):  # what was tried is told as it was: its receiver may have had it
        row = next(row for row in rows if not _is_fresh(row))
    else:
        row = fresh[0] if len(fresh) <= room else await _digest(session, fresh, now)
    row.leased_until = now + LEASE
    told = decode_told(row.message)
    return Parcel(row.id, channel, row.key, told, row.tries, row.created, row.leased_until)


async def settle(session: AsyncSession, parcel: Parcel, failure: str, now: datetime) -> None:
    """Write what came of a try, unless somebody else has the message by now. Part of a transaction."""
    tries = parcel.tries + 1
    values: dict[str, object] = {"tries": tries, "last_try": now, "why": failure[:_LONGEST_WHY]}
    if not failure:
        values |= {"state": DeliveryState.SENT}
    elif tries > len(PAUSES):
        values |= {"state": DeliveryState.FAILED}
    else:
        values |= {"state": DeliveryState.WAITING, "due": now + PAUSES[tries - 1]}
    await session.execute(
        update(OutboxRow)
        .where(OutboxRow.id == parcel.id, OutboxRow.leased_until == parcel.leased_until)
        .values(leased_until=None, **values)
    )


async def release_held(session: AsyncSession, user_id: int, now: datetime) -> None:
    """Look at held messages of a person again: their quiet hours have changed."""
    channels = select(ChannelRow.id).where(ChannelRow.user_id == user_id)
    await session.execute(
        update(OutboxRow)
        .where(OutboxRow.channel_id.in_(channels), OutboxRow.state == DeliveryState.HELD)
        .values(due=now)
    )


async def drop_unsent(session: AsyncSession, alert_id: int) -> None:
    """Drop what tells of an alert and has not been sent: somebody has seen it."""
    await session.execute(
        update(OutboxRow)
        .where(OutboxRow.alert_id == alert_id, OutboxRow.state.in_(_UNSENT), OutboxRow.leased_until.is_(None))
        .values(state=Stored.DROPPED)
    )


async def prune(session: AsyncSession, now: datetime) -> None:
    """Remove what was settled long ago, of alerts that are over."""
    over = select(AlertRow.id).where(AlertRow.recovered.is_not(None))
    old = (OutboxRow.created < now - KEPT) & OutboxRow.state.not_in(_UNSENT)
    await session.execute(delete(OutboxRow).where(old, OutboxRow.alert_id.in_(over)))
    parts = select(OutboxRow.digest_id).where(OutboxRow.digest_id.is_not(None))
    await session.execute(
        delete(OutboxRow).where(old, OutboxRow.alert_id.is_(None), OutboxRow.id.not_in(parts))
    )


def test_row(channel: ChannelRow, told: Told, now: datetime) -> OutboxRow:
    """Return the row of a message that only tries a channel; it is not tried again."""
    return OutboxRow(
        channel_id=channel.id,
        key=f"test-{secrets.token_hex(8)}",
        message=encode_told([told]),
        state=DeliveryState.FAILED,
        due=now,
        created=now,
        tries=1,
        last_try=now,
    )


def _of_enabled() -> ColumnElement[bool]:
    """Return the condition for rows of people whose account is not disabled; others are sent nothing."""
    enabled = select(ChannelRow.id).join(User, User.id == ChannelRow.user_id).where(User.disabled.is_(False))
    return OutboxRow.channel_id.in_(enabled)


def _due(now: datetime) -> ColumnElement[bool]:
    """Return the condition for rows that are to be sent now; what a clock that was ahead wrote, is."""
    leased = OutboxRow.leased_until
    free = or_(leased.is_(None), leased <= now, leased > now + LEASE)
    ahead = or_(OutboxRow.created > now, OutboxRow.last_try > now)
    return OutboxRow.state.in_(_UNSENT) & or_(OutboxRow.due <= now, ahead) & free


def _set_right(row: OutboxRow, now: datetime) -> None:
    """Correct the times of a row that was written while the clock was ahead: else it waits for those."""
    if row.created > now or (row.last_try and row.last_try > now):
        row.created, row.due = min(row.created, now), now
        row.last_try = row.last_try and min(row.last_try, now)
    if row.leased_until and row.leased_until > now + LEASE:
        row.leased_until = now


async def _ready(session: AsyncSession, channel: ChannelRow, now: datetime) -> list[OutboxRow]:
    """Return the rows that can be sent now, the oldest first.

    What comes after something unsent of the same alert waits for that, and quiet hours are asked again.
    """
    unsent = [
        *await session.scalars(
            select(OutboxRow)
            .where(OutboxRow.channel_id == channel.id, OutboxRow.state.in_(_UNSENT))
            .order_by(OutboxRow.id)
        )
    ]
    for row in unsent:
        _set_right(row, now)
    quiet = await quiet_hours_of(session, channel.user_id)
    ready: list[OutboxRow] = []
    blocked: dict[int, datetime] = {}
    next_try = min((row.due for row in unsent if row.tries), default=now)
    for row in unsent:
        leased = row.leased_until is not None and row.leased_until > now
        due = max(row.due, blocked.get(row.alert_id or 0, row.due))
        if _is_fresh(row) and row.alert_id:
            due = max(due, min(next_try, row.created + FAILING_WAIT))
        if due <= now and not leased:
            due, row.state = when(quiet, decode_told(row.message), now)
        row.due = due
        if due <= now and not leased and len(ready) < MOST_AT_ONCE:
            ready.append(row)
        elif row.alert_id:
            blocked[row.alert_id] = row.leased_until if leased and row.leased_until else due
    return ready


def _is_fresh(row: OutboxRow) -> bool:
    """Tell whether nobody has ever tried to send a row."""
    return not row.tries and row.leased_until is None


async def _recent(session: AsyncSession, channel_id: int, now: datetime) -> Sequence[datetime]:
    """Return when the last messages to a channel were sent, the newest first."""
    query = (
        select(OutboxRow.last_try)
        .where(
            OutboxRow.channel_id == channel_id,
            OutboxRow.state == DeliveryState.SENT,
            OutboxRow.last_try > now - BURST_TIME,
            OutboxRow.last_try <= now,
            or_(OutboxRow.alert_id.is_not(None), OutboxRow.key.startswith("digest-")),
        )
        .order_by(OutboxRow.last_try.desc())
        .limit(BURST)
    )
    return [time for time in await session.scalars(query) if time]


async def _digest(session: AsyncSession, rows: Sequence[OutboxRow], now: datetime) -> OutboxRow:
    """Write the row that tells several, in their stead."""
    told = [one for row in rows for one in decode_told(row.message)]
    digest = OutboxRow(
        channel_id=rows[0].channel_id,
        key=f"digest-{rows[0].id}-{rows[-1].id}-{len(rows)}",
        message=encode_told(told),
        state=DeliveryState.WAITING,
        due=now,
        created=now,
        tries=0,
    )
    session.add(digest)
    await session.flush()
    parts = [row.id for row in rows]
    await session.execute(
        update(OutboxRow)
        .where(or_(OutboxRow.id.in_(parts), OutboxRow.digest_id.in_(parts)))
        .values(state=Stored.DIGEST, digest_id=digest.id)
    )
    return digest
