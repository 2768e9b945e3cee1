"""The outbox and its sender: each change told at least once, under one key, and nobody waits for the dead."""

import asyncio
import json
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from backend.alerts import outbox, post
from backend.alerts.told import Told, What, encode_told
from backend.db.models import AlertRow, ChannelRow, JobRow, OutboxRow, User
from tests.backend.alerts.conftest import NIGHT, START, Office
from tests.backend.support.receivers import receiver
from tests.support.wait import async_until


@pytest.fixture
async def ann(office, there):
    """Ann has a channel and an alert; `tell` writes messages of it."""
    office.ann = await office.person()
    office.hook = await office.channel(office.ann, there.port)
    office.bert = await office.job(office.ann)
    office.idle = await office.alert(office.bert)
    return office


async def test_a_message_is_sent_once(ann, there):
    await ann.tell(ann.ann, ann.idle)
    await ann.sender.send_due()
    await ann.sender.send_due()
    assert there.keys == [f"server-alert-{ann.idle}-fired"]
    (row,) = await ann.rows()
    assert (row.state, row.tries, row.last_try, row.leased_until, row.why) == ("sent", 1, START, None, "")


async def test_one_change_is_one_message(ann):
    await ann.tell(ann.ann, ann.idle)
    with pytest.raises(IntegrityError):
        await ann.tell(ann.ann, ann.idle)
    assert len(await ann.rows()) == 1


async def test_it_is_tried_for_a_day_and_then_shown(ann, there):
    there.always = 503
    await ann.tell(ann.ann, ann.idle)
    times = []
    while (await ann.states()) == ["waiting"]:
        await ann.sender.send_due()
        times.append(ann.clock.now - START)
        (row,) = await ann.rows()
        assert row.why == "hook.lab answers 503."
        ann.clock.now = row.due
    minutes = [int(time.total_seconds() // 60) for time in times]
    assert minutes == [0, 1, 6, 31, 156, 781, 1440]
    assert len(set(there.keys)) == 1
    assert (row.state, row.tries) == ("failed", 7)
    there.always = 200
    await ann.sender.send_due()
    assert len(there.heard) == 7


async def test_it_recovers_within_its_day(ann, there):
    there.answers = [500, "break"]
    await ann.tell(ann.ann, ann.idle)
    for _ in range(3):
        await ann.sender.send_due()
        ann.clock.now = (await ann.rows())[0].due
    assert await ann.states() == ["sent"]
    assert len(there.heard) == 3
    assert len(set(there.keys)) == 1


async def test_the_end_waits_for_the_beginning(ann, there):
    there.answers = [500]
    await ann.tell(ann.ann, ann.idle)
    await ann.sender.send_due()
    await ann.tell(ann.ann, ann.idle, What.RECOVERED)
    await ann.sender.send_due()
    assert len(there.heard) == 1
    ann.clock.pass_(minutes=1)
    await ann.sender.send_due()
    told = [json.loads(one.body)["alerts"][0]["what"] for one in there.heard]
    assert told == ["fired", "fired", "recovered"]


async def test_an_end_is_told_only_where_its_beginning_was(ann, there):
    await ann.tell(ann.ann, ann.idle)
    await ann.channel(ann.ann, there.port, "later")
    await ann.tell(ann.ann, ann.idle, What.RECOVERED)
    assert [row.channel_id for row in await ann.rows()] == [ann.hook, ann.hook]


async def test_many_become_one(ann, there):
    alerts = [await ann.alert(ann.bert, episode=number) for number in range(2, 10)]
    for alert in alerts:
        await ann.tell(ann.ann, alert)
    await ann.sender.send_due()
    (heard,) = there.heard
    assert len(json.loads(heard.body)["alerts"]) == 8
    assert await ann.states() == ["digest"] * 8 + ["sent"]


async def test_five_in_ten_minutes_and_then_one(ann, there):
    for number in range(2, 14):
        await ann.tell(ann.ann, await ann.alert(ann.bert, episode=number))
        await ann.sender.send_due()
        ann.clock.pass_(seconds=10)
    assert len(there.heard) == 5
    ann.clock.now = START + timedelta(minutes=10, seconds=30)  # three of the five are that long ago
    await ann.sender.send_due()
    assert len(there.heard) == 6
    assert len(json.loads(there.heard[-1].body)["alerts"]) == 7
    assert sorted(await ann.states()) == ["digest"] * 7 + ["sent"] * 6


async def test_a_digest_that_is_tried_again_is_the_same(ann, there):
    there.answers = [500]
    for number in range(2, 10):
        await ann.tell(ann.ann, await ann.alert(ann.bert, episode=number))
    await ann.sender.send_due()
    await ann.tell(ann.ann, ann.idle)  # meanwhile another
    ann.clock.pass_(minutes=1)
    await ann.sender.send_due()
    first, again, other = there.heard
    assert first.headers["idempotency-key"] == again.headers["idempotency-key"]
    assert first.body == again.body
    assert other.headers["idempotency-key"] == f"server-alert-{ann.idle}-fired"


async def test_quiet_hours_hold_back_all_but_failures(office, there):
    ann = await office.person(quiet=NIGHT)
    await office.channel(ann, there.port)
    job = await office.job(ann)
    office.clock.pass_(hours=14)  # 23:00
    await office.tell(ann, await office.alert(job))
    await office.tell(ann, await office.alert(job, "failed"), rule="failed")
    await office.sender.send_due()
    assert await office.states() == ["held", "sent"]
    office.clock.pass_(hours=7)
    await office.sender.send_due()
    assert await office.states() == ["held", "sent"]
    office.clock.pass_(hours=1)  # 07:00
    await office.sender.send_due()
    assert await office.states() == ["sent", "sent"]


async def test_a_retry_at_night_waits_too(office, there):
    ann = await office.person(quiet=NIGHT)
    await office.channel(ann, there.port)
    there.answers = [500]
    office.clock.pass_(hours=12, minutes=59, seconds=30)
    await office.tell(ann, await office.alert(await office.job(ann)))
    await office.sender.send_due()
    office.clock.pass_(minutes=5)  # 22:04
    await office.sender.send_due()
    assert await office.states() == ["held"]
    assert len(there.heard) == 1


async def test_nothing_goes_to_a_disabled_account(ann, there):
    await ann.tell(ann.ann, ann.idle)
    async with ann.database.write() as session:
        await session.execute(update(User).values(disabled=True))
    await ann.sender.send_due()
    assert not there.heard


async def test_a_sender_that_died_has_its_message_for_a_while(ann, there):
    """Between taking and settling: another one sends it again, with the same key, when the lease is over."""
    await ann.tell(ann.ann, ann.idle)
    async with ann.database.write() as session:
        lost = await outbox.take(session, ann.hook, ann.clock.now)
    assert lost
    await ann.sender.send_due()
    assert not there.heard
    ann.clock.pass_(seconds=91)
    await ann.tell(ann.ann, ann.idle, What.RECOVERED)
    await ann.sender.send_due()
    assert there.keys == [f"server-alert-{ann.idle}-{what}" for what in ("fired", "recovered")]
    async with ann.database.write() as session:
        await outbox.settle(session, lost, "too late", ann.clock.now)
    assert await ann.states() == ["sent", "sent"]


async def test_a_clock_that_was_ahead_silences_nobody(ann, there):
    """What it wrote (that a channel had its share, when something is due, a lease) is years away."""
    there.answers = [500]
    ann.clock.pass_(days=1000)
    for number in range(2, 9):
        await ann.tell(ann.ann, await ann.alert(ann.bert, episode=number))
        await ann.sender.send_due()
    assert "waiting" in await ann.states()
    ann.clock.now = START
    await ann.tell(ann.ann, ann.idle)
    async with ann.database.write() as session:
        await session.execute(update(OutboxRow).values(leased_until=START + timedelta(days=1000)))
    for _ in range(3):
        await ann.sender.send_due()
        ann.clock.pass_(minutes=11)
    assert set(await ann.states()) <= {"sent", "digest"}
    assert f"alert-{ann.idle}-fired" in there.keys[-1] or "digest" in there.keys[-1]


async def test_what_may_have_arrived_goes_into_no_digest(ann, there):
    await ann.tell(ann.ann, ann.idle)
    async with ann.database.write() as session:
        assert await outbox.take(session, ann.hook, ann.clock.now)
    ann.clock.pass_(seconds=91)
    for number in range(2, 10):
        await ann.tell(ann.ann, await ann.alert(ann.bert, episode=number))
    await ann.sender.send_due()
    assert there.keys[0] == f"server-alert-{ann.idle}-fired"
    assert there.keys[1].startswith("server-digest-")


@pytest.mark.timeout(300)  # a thousand rows, and a busy machine
async def test_a_thousand_alerts_and_one_dead_receiver(database, tmp_path, there, monkeypatch):
    """Everybody but the one whose receiver is dead has theirs while it still hangs."""
    monkeypatch.setattr(post, "LIMIT_SECONDS", 3600)
    async with receiver() as dead:
        dead.always = "hang"
        office = Office(database, tmp_path, [there.port, dead.port])
        async with database.write() as session:
            await crowd(office, session, "eve", dead.port, 900)
            for number in range(100):
                await crowd(office, session, f"p{number}", there.port, 1)
        loop = asyncio.create_task(office.sender.run_forever())
        await async_until(lambda: len(there.heard) == 100, 240)
        assert len(set(there.keys)) == 100
        assert dead.connections == 1
        await async_until(lambda: _are_sent(office, 100), 240)
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
    states = await office.states()
    assert states.count("digest") == 500, "what the first try is to tell"
    assert states.count("waiting") == 400 + 1


async def test_what_is_old_and_over_is_removed(ann, there):
    for number in range(2, 10):
        await ann.tell(ann.ann, await ann.alert(ann.bert, episode=number))
    await ann.sender.send_due()
    await ann.tell(ann.ann, ann.idle)
    await ann.sender.send_due()
    assert len(await ann.rows()) == 10
    ann.clock.pass_(days=31)
    await ann.sender.send_due()
    assert len(await ann.rows()) == 10, "nothing of it is over"
    async with ann.database.write() as session:
        await session.execute(update(AlertRow).where(AlertRow.id != ann.idle).values(recovered=START))
    ann.clock.pass_(days=1)
    await ann.sender.send_due()
    assert [row.alert_id for row in await ann.rows()] == [ann.idle]


async def test_news_wakes_the_sender(ann, there):
    loop = asyncio.create_task(ann.sender.run_forever())
    await asyncio.sleep(0)
    await ann.tell(ann.ann, ann.idle)
    ann.sender.wake()
    await async_until(lambda: there.heard)
    await async_until(lambda: _is_sent(ann))
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)


async def crowd(office, session, name, port, alerts):
    """Add a person with a channel, a job and so many alerts that are to be told, in one transaction."""
    user = User(name=name, name_key=name, password_hash="", role="researcher", created=START)
    session.add(user)
    await session.flush()
    row = ChannelRow(user_id=user.id, name="hook", kind="webhook", shown="hook.lab", created=START)
    office.channels.seal(row, f"http://hook.lab:{port}/x")
    job = JobRow(
        uid=name, key=name, user_id=user.id, cluster="c", namespace="n", name=name,
        kind="job", spec="{}", state="Running", created=START,
    )  # fmt: skip
    session.add_all([row, job])
    await session.flush()
    fired = [
        AlertRow(
            rule="gpu-idle", job_id=job.id, attempt=1, episode=number, sentence="it is idle", fired=START
        )
        for number in range(alerts)
    ]
    session.add_all(fired)
    await session.flush()
    for alert in fired:
        told = Told(what=What.FIRED, sentence="it is idle", at=START, fired=START, alert=alert.id)
        message, key = encode_told([told]), outbox.key_of(told)
        session.add(
            OutboxRow(
                alert_id=alert.id, channel_id=row.id, key=key, message=message, state="waiting", due=START,
                created=START,
            )
        )  # fmt: skip


async def _is_sent(office):
    return await office.states() == ["sent"]


async def _are_sent(office, count):
    async with office.database.read() as session:
        sent = select(func.count()).where(OutboxRow.state == "sent")
        return await session.scalar(sent) == count
