"""What a person wants to be told, and their channels: read, checked, written."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.alerts import outbox
from backend.alerts.channels import Channels, shown_channel
from backend.alerts.quiet_hours import check_quiet_hours
from backend.alerts.told import Told, What
from backend.audit import record
from backend.auth.caller import Caller
from backend.db.engine import Database
from backend.db.models import AlertWishesRow, ChannelRow, OutboxRow, User
from backend_client.alerts.alert import AlertWishes, Channel, Delivery, DeliveryState
from backend_client.errors import BackendError, Conflict, Invalid, NotFound

MOST_CHANNELS = 10
LONGEST_NAME = 40


async def read_wishes(session: AsyncSession, user_id: int) -> AlertWishes:
    """Return what a person wants to be told, and where."""
    row = await session.get(AlertWishesRow, user_id)
    wishes = msgspec.json.decode(row.wishes, type=AlertWishes) if row else AlertWishes()
    return replace(wishes, channels=tuple(map(shown_channel, await _channels_of(session, user_id))))


async def set_wishes(
    session: AsyncSession, caller: Caller, wishes: AlertWishes, now: datetime
) -> AlertWishes:
    """Set rules and quiet hours of the caller; their channels stay. Raises Invalid, which names the field."""
    check_quiet_hours(wishes.quiet)
    kept = msgspec.json.encode(replace(wishes, channels=())).decode()
    await session.merge(AlertWishesRow(user_id=caller.user_id, wishes=kept))
    await outbox.release_held(session, caller.user_id, now)
    await session.flush()
    return await read_wishes(session, caller.user_id)


async def add_channel(
    session: AsyncSession, caller: Caller, channels: Channels, new: Channel, address: str, *, now: datetime
) -> Channel:
    """Add a channel of the caller, whose address was checked, or give it another address. Raises Conflict.

    What waits for a channel of this name goes to the new address. A webhook gets a new signing key, which is
    in this answer alone.
    """
    await session.get(User, caller.user_id, with_for_update=True)  # one at a time, so that they are counted
    mine = await _channels_of(session, caller.user_id)
    row = next((row for row in mine if row.name == new.name), None)
    verb = "change channel" if row else "add channel"
    if row is None:
        if len(mine) >= MOST_CHANNELS:
            raise Conflict(f"You have {MOST_CHANNELS} channels, which is the most.", "Remove one first.")
        row = ChannelRow(user_id=caller.user_id, name=new.name, created=now)
        session.add(row)
    row.kind, row.shown = new.kind, new.shown
    signing_key = channels.seal(row, address)
    await session.flush()
    await record(session, caller, verb, f"{new.name} ({new.kind})")
    return shown_channel(row, signing_key)


async def remove_channel(session: AsyncSession, caller: Caller, name: str) -> None:
    """Remove a channel of the caller, with all that waits for it. Raises NotFound."""
    row = await find_channel(session, caller, name)
    await session.execute(delete(OutboxRow).where(OutboxRow.channel_id == row.id))
    await session.delete(row)
    await record(session, caller, "remove channel", f"{row.name} ({row.kind})")


async def test_channel(
    database: Database, caller: Caller, channels: Channels, name: str, *, server_id: str, now: datetime
) -> Delivery:
    """Send one message now, and return what came of it. Raises NotFound."""
    sentence = f"This is a test of the channel {name}, asked for by {caller.name}."
    told = Told(what=What.TEST, sentence=sentence, at=now, fired=now)
    async with database.write() as session:
        channel = await find_channel(session, caller, name)
        row = outbox.test_row(channel, told, now)
        row.why = "The server ended while it was sent."
        session.add(row)
    failure = ""
    try:
        await channels.send(channel, [told], f"{server_id[:12]}-{row.key}", now)
    except BackendError as error:
        failure = error.title
    state = DeliveryState.FAILED if failure else DeliveryState.SENT
    async with database.write() as session:
        if kept := await session.get(OutboxRow, row.id):
            kept.state, kept.why = state, failure
    return Delivery(channel=name, state=state, tries=1, last_try=now, why=failure)


def check_channel_name(name: str) -> None:
    """Check the name of a new channel. Raises Invalid."""
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable() or name != name.strip() or "/" in name:
        raise Invalid({"name": f"write at most {LONGEST_NAME} letters, without / and spaces around"})


async def _channels_of(session: AsyncSession, user_id: int) -> Sequence[ChannelRow]:
    return [
        *await session.scalars(
            select(ChannelRow).where(ChannelRow.user_id == user_id).order_by(ChannelRow.id)
        )
    ]


async def find_channel(session: AsyncSession, caller: Caller, name: str) -> ChannelRow:
    """Find a channel of the caller. Raises NotFound."""
    row = await session.scalar(
        select(ChannelRow)
        .where(ChannelRow.user_id == caller.user_id, ChannelRow.name == name)
        .with_for_update()
    )
    if row is None:
        raise NotFound(f"You have no channel {name[:LONGEST_NAME]}.", "`traindeck alerts wishes` lists them.")
    return row
