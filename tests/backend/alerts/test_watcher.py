"""The watch of a server over its jobs: told once, also over restarts, crashes and clusters that were away."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from backend.alerts.watcher import AlertWatcher
from backend.clusters.hub import Hub, Owner
from backend.db.models import AlertRow, JobRow
from backend.jobs.rows import job_of
from backend_client.errors import Unreachable
from backend_client.models import Attempt, JobState, JobUsage
from backend_client.protocol import Changed, Freshness, FreshnessState, Gone, Snapshot, Synced
from tests.backend.alerts.conftest import START
from tests.backend.clusters import test_hub
from tests.support.wait import async_until


class Server:
    """One life of a server: its hub, filled as at a start, and its watcher."""

    def __init__(self, office):
        self.office, self.hub, self.woken = office, Hub(), 0
        self.watcher = AlertWatcher(
            office.database,
            self.hub,
            {},
            log_read=lambda job, now: now,
            wake_sender=self._wake,
            clock=office.clock,
        )
        self.hub.subscribe(self.watcher.observe)

    def _wake(self):
        self.woken += 1

    async def start(self):
        async with self.office.database.read() as session:
            rows = [*await session.scalars(select(JobRow).where(JobRow.deleted.is_(None)))]
        self.hub.remember((Owner(row.user_id, "ann"), job_of(row, "ann")) for row in rows)
        self.hub.add("c")
        await self.watcher.load()
        await self.watcher.round()
        return self

    async def list(self, *jobs):
        """The cluster answers: live before its list is whole, as watches do."""
        self.hub.apply("c", [Freshness(FreshnessState.LIVE, self.office.clock.now)])
        await self.watcher.round()
        self.hub.apply("c", [Snapshot(jobs)])
        await self.watcher.round()
        self.hub.apply("c", [Synced()])
        await self.watcher.round()

    async def change(self, *events):
        self.hub.apply("c", events)
        await self.watcher.round()


def job(state=JobState.RUNNING, name="bert", **more):
    made = test_hub.job(f"u-{name}", state=state)
    ref = replace(made.ref, name=name)
    ended = {"finished": START} if state.ended else {}
    return replace(made, ref=ref, created=START, started=START, **ended, **more)


async def alerts(office):
    async with office.database.read() as session:
        rows = await session.scalars(select(AlertRow).order_by(AlertRow.id))
        return [(row.rule, row.attempt, row.episode, row.recovered is None) for row in rows]


@pytest.fixture
async def ann(office, there):
    office.ann = await office.person()
    office.hook = await office.channel(office.ann, there.port)
    await office.job(office.ann)
    return office


FAILED = ("failed", 0, 1, True)


async def test_a_failure_is_told_once(ann, there):
    server = await Server(ann).start()
    await server.list(job())
    await server.change(Changed((job(JobState.FAILED, reason="it exited with code 1"),)))
    assert await alerts(ann) == [FAILED]
    assert server.woken == 1
    await server.change(Changed((job(JobState.FAILED, reason="it exited with code 1, really"),)))
    await ann.sender.send_due()
    assert len(there.heard) == 1
    assert b"it exited with code 1" in there.heard[0].body
    again = await Server(ann).start()  # and after a restart
    await again.list(job(JobState.FAILED))
    assert await alerts(ann) == [FAILED]
    assert len(await ann.rows()) == 1


async def test_what_ended_while_no_server_looked_is_told_once(ann, there):
    first = await Server(ann).start()
    await first.list(job())
    for _ in range(3):
        server = await Server(ann).start()
        await server.list(job(JobState.FAILED))
        await ann.sender.send_due()
        assert await alerts(ann) == [FAILED]
        assert len(there.heard) == 1


async def test_what_was_over_while_no_server_looked_says_so(ann, there):
    first = await Server(ann).start()
    await first.list(job(JobState.QUEUED))
    ann.clock.pass_(hours=5)
    await first.watcher.round()
    await ann.sender.send_due()
    ann.clock.pass_(hours=1)
    for _ in range(2):
        server = await Server(ann).start()
        await server.list(job())
        await ann.sender.send_due()
        assert await alerts(ann) == [("pending", 0, 1, False)]
        assert [one.headers["idempotency-key"].rpartition("-")[2] for one in there.heard] == [
            "fired",
            "recovered",
        ]


async def test_a_restart_does_not_tell_again_what_still_is_so(ann, there):
    waits = job(JobState.QUEUED)
    for _ in range(3):
        server = await Server(ann).start()
        await server.list(waits)
        ann.clock.pass_(hours=5)
        await server.change(Changed((replace(waits, reason="the queue is full"),)))
        await ann.sender.send_due()
    assert await alerts(ann) == [("pending", 0, 1, True)]
    assert len(there.heard) == 1


async def test_a_restart_only_delays_what_was_being_counted(ann):
    """How long its GPUs were idle is counted anew: nobody looked in between."""

    def idle(gpu):
        usage = JobUsage(gpu=gpu, gpu_min=gpu)
        attempts = (Attempt(number=1, started=START),)
        made = job(usage=usage, attempts=attempts)
        return replace(made, spec=replace(made.spec, command=("python", "train.py"), gpus=8))

    async def run(server, minutes):
        for _ in range(minutes):
            ann.clock.pass_(minutes=1)
            await server.watcher.round()
        return await alerts(ann)

    first = await Server(ann).start()
    await first.list(idle(0.9))
    await run(first, 90)
    await first.change(Changed((idle(0.0),)))
    assert await run(first, 25) == []
    second = await Server(ann).start()
    await second.list(idle(0.0))
    assert await run(second, 25) == []
    assert await run(second, 10) == [("gpu-idle", 1, 1, True)]


async def test_what_an_earlier_server_had_not_written_is_told(ann):
    """Its other tasks wrote the state; the alert was not written before it was killed."""
    first = await Server(ann).start()
    await first.list(job())
    async with ann.database.write() as session:
        (await session.scalar(select(JobRow))).state = "Failed"
    second = await Server(ann).start()
    await second.list(job(JobState.FAILED))
    assert await alerts(ann) == [FAILED]


async def test_what_had_ended_before_there_were_alerts_is_not_told(ann):
    async with ann.database.write() as session:
        row = await session.scalar(select(JobRow))
        row.state, row.alerted_state = "Failed", None
    server = await Server(ann).start()
    await server.list(job(JobState.FAILED))
    assert await alerts(ann) == []


async def test_a_new_job_that_fails_at_once_is_told(ann):
    server = await Server(ann).start()
    await server.list(job())
    await ann.job(ann.ann, "new")
    server.hub.claim(Owner(ann.ann, "ann"), job(JobState.FAILED, "new"))
    await server.watcher.round()
    assert await alerts(ann) == [FAILED]


async def test_nothing_is_said_while_the_cluster_is_away(ann):
    server = await Server(ann).start()
    waits = job(JobState.QUEUED)
    await server.list(waits)
    await server.change(Freshness(FreshnessState.STALE, ann.clock.now))
    ann.clock.pass_(hours=9)
    await server.watcher.round()
    assert await alerts(ann) == []
    await server.list(waits)
    ann.clock.pass_(minutes=1)
    await server.watcher.round()
    assert [rule for rule, *_ in await alerts(ann)] == ["pending"]


async def test_it_recovers_and_says_so(ann, there):
    server = await Server(ann).start()
    await server.list(job(JobState.QUEUED))
    ann.clock.pass_(hours=5)
    await server.change(Changed((job(JobState.QUEUED, reason="the queue is full"),)))
    await ann.sender.send_due()
    restarted = await Server(ann).start()
    await restarted.list(job(JobState.QUEUED, reason="the queue is full"))
    assert len(await ann.rows()) == 1, "a restart repeats nothing"
    await restarted.change(Changed((job(),)))
    await ann.sender.send_due()
    assert await alerts(ann) == [("pending", 0, 1, False)]
    assert [one.headers["idempotency-key"].rpartition("-")[2] for one in there.heard] == [
        "fired",
        "recovered",
    ]


async def test_a_job_that_is_gone_ends_its_alerts_in_silence(ann):
    server = await Server(ann).start()
    await server.list(job())
    await server.change(Changed((job(JobState.FAILED),)))
    await server.change(Gone((job().ref,)))
    assert await alerts(ann) == [(*FAILED[:3], False)]
    assert len(await ann.rows()) == 1


async def test_what_a_person_wants(ann):
    server = await Server(ann).start()
    await server.list(job())
    server.watcher.set_wishes(ann.ann, {"failed": "off", "finished": "on", "of-another-version": "x"})
    await server.change(Changed((job(JobState.FAILED),)))
    await ann.job(ann.ann, "good")
    server.hub.claim(Owner(ann.ann, "ann"), job(name="good"))
    await server.watcher.round()
    await server.change(Changed((job(JobState.SUCCEEDED, "good"),)))
    assert [rule for rule, *_ in await alerts(ann)] == ["finished"]


async def test_what_cannot_be_written_is_written_later(ann, monkeypatch):
    server = await Server(ann).start()
    await server.list(job())
    server.hub.apply("c", [Changed((job(JobState.FAILED),))])
    write = ann.database.write

    def broken():
        raise Unreachable("The server's database does not answer.")

    monkeypatch.setattr(ann.database, "write", broken)
    with pytest.raises(Unreachable):
        await server.watcher.round()
    monkeypatch.setattr(ann.database, "write", write)
    await server.watcher.round()
    assert await alerts(ann) == [FAILED]


async def test_a_snooze_that_is_over(ann, there):
    server = await Server(ann).start()
    await server.list(job(JobState.QUEUED))
    ann.clock.pass_(hours=5)
    await server.watcher.round()
    await ann.sender.send_due()
    async with ann.database.write() as session:
        (await session.scalar(select(AlertRow))).snoozed_until = ann.clock.now + timedelta(hours=1)
    ann.clock.pass_(minutes=59)
    await server.watcher.round()
    await ann.sender.send_due()
    assert len(there.heard) == 1
    ann.clock.pass_(minutes=1)
    await server.watcher.round()
    await ann.sender.send_due()
    await server.watcher.round()
    assert len(there.heard) == 2
    assert b'"still"' in there.heard[1].body
    assert len(await ann.rows()) == 2


async def test_a_cluster_that_was_removed(ann):
    server = await Server(ann).start()
    await server.list(job())
    await server.change(Changed((job(JobState.FAILED),)))
    server.hub.drop("c")
    await server.watcher.round()
    assert await alerts(ann) == [(*FAILED[:3], False)]


async def test_it_runs_by_itself(ann, monkeypatch):
    monkeypatch.setattr("backend.alerts.watcher.GATHER_SECONDS", 0.0)
    server = await Server(ann).start()
    loop = asyncio.create_task(server.watcher.run_forever())
    server.hub.apply("c", [Snapshot((job(),)), Synced(), Freshness(FreshnessState.LIVE, datetime.now(UTC))])
    server.hub.apply("c", [Changed((job(JobState.FAILED),))])
    await async_until(lambda: alerts(ann))
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)
