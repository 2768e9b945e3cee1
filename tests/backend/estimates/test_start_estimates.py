"""A server's estimates: a waiting job is told a range, which comes true, is counted, is hidden, is voided."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from backend.clusters.event_log import Audience
from backend.clusters.hub import Owner
from backend.db.models import JobRow, StartEstimate
from backend.estimates import store
from backend.estimates.durations import PastJob
from backend.estimates.past import Arrival, Past, read_past
from backend.estimates.start_estimates import StartEstimates
from backend_client.errors import Unreachable
from backend_client.models import JobState
from backend_client.protocol import Changed
from backend_client.queue_snapshot import AdmittedJob, FlavorQuota, PendingJob, QueueQuota, QueueSnapshot
from tests.backend.clusters.test_hub import job
from tests.backend.conftest import login, person

NOW = datetime(2026, 3, 4, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
QUEUE = QueueQuota(name="team-a", flavors={"a100": FlavorQuota(4)})


class Kueue:
    """A cluster's backend that has one queue of 4 GPUs, all held by one job."""

    def __init__(self, clock):
        self.clock = clock
        self.reads = 0
        self.evicted = None
        self.fails = False

    async def queue_snapshot(self):
        self.reads += 1
        if self.fails:
            raise Unreachable("The cluster does not answer.")
        held = AdmittedJob(uid="held", queue="team-a", gpus={"a100": 4}, since=NOW)
        waits = PendingJob(
            uid="a", queue="team-a", gpus=4, flavors=("a100",), since=NOW, evicted=self.evicted
        )
        return QueueSnapshot(at=self.clock.now, queues=(QUEUE,), waiting=(waits,), admitted=(held,))


class Clock:
    now = NOW

    def __call__(self):
        return self.now


class Lab:
    """The app's own database and hub, with a cluster whose queue and clock the test has in its hands."""

    def __init__(self, app, owner):
        self.app, self.owner = app, owner
        self.hub, self.database = app.state.runtime.jobs.hub, app.state.runtime.database
        self.clock = Clock()
        self.kueue = Kueue(self.clock)
        self.hub.add("c")
        self.hub.claim(owner, job("a", state=JobState.QUEUED))
        self.hub.note_look()
        self.restart()

    def restart(self):
        cluster = SimpleNamespace(name="c", backend=self.kueue, breaker=SimpleNamespace(call=_unguarded))
        self.estimates = StartEstimates(self.database, self.hub, [cluster], self.clock)

    async def after(self, **span):
        """Let time pass, and make a round."""
        self.clock.now += timedelta(**span)
        await self.estimates.round()
        return self.told

    def becomes(self, state, **more):
        self.hub.apply("c", [Changed((replace(job("a", state=state), **more),))])

    @property
    def told(self):
        queue = self.hub.get("c", "a").job.queue
        return queue and queue.starts

    async def rows(self):
        async with self.database.read() as session:
            return (await session.scalars(select(StartEstimate).order_by(StartEstimate.id))).all()


@asynccontextmanager
async def _unguarded(_person):
    yield


@pytest.fixture
async def lab(app):
    """Forty jobs of 20 minutes have ended, and one waits for the one that runs."""
    owner = Owner(await person(app, "ann"), "ann")
    async with app.state.runtime.database.write() as session:
        session.add_all(row(owner, f"old-{n}", NOW - 2 * HOUR, ended=True) for n in range(40))
        session.add(row(owner, "a", NOW))
    return Lab(app, owner)


def row(owner, uid, created, *, ended=False):
    return JobRow(
        uid=uid,
        key=f"key-{uid}",
        user_id=owner.user_id,
        cluster="c",
        namespace="td-someone",
        name=uid,
        kind="job",
        spec='{"queue":"default","gpus":4}',
        state="Succeeded" if ended else "Queued",
        gpus=4,
        created=created,
        started=created if ended else None,
        finished=created + HOUR / 3 if ended else None,
    )


async def test_a_range_is_told_comes_true_and_is_counted(lab, client):
    told = await lab.after(minutes=0)
    assert NOW < told.latest <= NOW + HOUR
    answer = (await client.get("/api/jobs/a", headers=await login(lab.app, "ann"))).json()
    assert answer["queue"]["starts"] == {
        "earliest": f"{told.earliest:%Y-%m-%dT%H:%M:%SZ}",
        "latest": f"{told.latest:%Y-%m-%dT%H:%M:%SZ}",
        "right": 0,
        "of": 0,
        "far": False,
    }
    (stored,) = await lab.rows()
    assert (stored.queue, stored.made, stored.earliest, stored.latest) == (
        "team-a",
        NOW,
        told.earliest,
        told.latest,
    )
    assert (stored.first, stored.shown, stored.hit, stored.version) == (True, True, None, store.METHOD)
    lab.becomes(JobState.RUNNING, started=told.earliest + HOUR / 12)
    assert lab.told is None
    await lab.after(minutes=30)
    (stored,) = await lab.rows()
    assert (stored.hit, stored.started) == (True, told.earliest + HOUR / 12)
    assert (await store.load_coverage(lab.database))["c", "team-a"].hits == [True]


async def test_clients_hear_of_a_range_once_and_not_of_every_estimate(lab):
    published = []
    lab.hub.subscribe(published.append)
    for _ in range(3):
        await lab.after(seconds=61)
    assert lab.kueue.reads == 3
    assert len([batch for batch in published if batch.changed]) == 1


async def test_nobody_looks_nobody_is_asked(lab, monkeypatch):
    monkeypatch.setattr(lab.hub, "_looked_at", float("-inf"))
    await lab.after(seconds=61)
    assert lab.kueue.reads == 0
    lab.hub.note_look()
    await lab.after(seconds=1)
    await lab.after(seconds=30)
    assert lab.kueue.reads == 1


async def test_a_wait_that_goes_on_is_a_miss_and_is_told_anew_after_a_restart(lab):
    first = await lab.after(minutes=0)
    lab.restart()
    assert (await lab.after(minutes=90)).latest > first.latest
    missed, again = await lab.rows()
    assert (missed.hit, missed.settled, missed.started) == (False, lab.clock.now, None)
    assert (again.first, again.hit) == (False, None)
    lab.becomes(JobState.RUNNING, started=lab.clock.now)
    await lab.after(seconds=5)
    assert [found.started for found in await lab.rows()] == [NOW + 1.5 * HOUR] * 2
    assert (await store.load_coverage(lab.database))["c", "team-a"].hits == [False]


async def test_where_ranges_were_wrong_too_often_none_is_shown_and_all_are_counted(lab):
    wrong = {"cluster": "c", "queue": "team-a", "widening": 1.0, "version": store.METHOD}
    async with lab.database.write() as session:
        job_id = await session.scalar(select(JobRow.id).where(JobRow.uid == "old-1"))
        times = {"made": NOW, "earliest": NOW, "latest": NOW, "settled": NOW}
        session.add_all(
            StartEstimate(job_id=job_id, first=True, shown=True, hit=number < 5, **wrong, **times)
            for number in range(10)
        )
    assert await lab.after(minutes=0) is None
    hidden = (await lab.rows())[-1]
    assert (hidden.first, hidden.shown) == (True, False)
    lab.becomes(JobState.RUNNING, started=hidden.latest)
    await lab.after(hours=1)
    assert (await lab.rows())[-1].hit is True
    assert (await store.load_coverage(lab.database))["c", "team-a"].hits.count(True) == 6


async def test_an_eviction_voids_the_range(lab):
    await lab.after(minutes=0)
    lab.kueue.evicted = lab.clock.now + HOUR / 60
    assert await lab.after(minutes=2)
    before, after = await lab.rows()
    assert (before.voided, before.hit) == (lab.clock.now, None)
    assert (after.voided, after.first) == (None, True)


async def test_what_cannot_be_read_any_more_is_not_told_any_more(lab):
    assert await lab.after(minutes=0)
    lab.kueue.fails = True
    assert await lab.after(minutes=2) is None
    lab.kueue.fails = False
    assert await lab.after(minutes=2)


async def test_a_range_is_told_to_a_stream(lab):
    stream = lab.hub.frames(_anns(lab))
    await anext(stream), await anext(stream)
    waiting = asyncio.ensure_future(anext(stream))
    await lab.after(minutes=0)
    assert b'"starts":{"earliest":' in await waiting
    await stream.aclose()


def _anns(lab):

    return Audience(frozenset({lab.owner.user_id}))


async def test_a_defect_in_what_a_cluster_says_ends_no_round(lab, monkeypatch):
    monkeypatch.setattr(lab.kueue, "queue_snapshot", lambda: 1 / 0)
    assert await lab.after(minutes=0) is None


async def test_the_past_is_what_the_rows_remember(lab):
    past = await read_past(lab.database, "c", NOW)
    assert len(past.ended) == 40
    assert past.ended[0] == PastJob(str(lab.owner.user_id), 4, 1200.0)
    assert len(past.arrivals) == 41
    assert past.arrivals[0] == Arrival(NOW, str(lab.owner.user_id), "td-someone", "default", 4, "", None)
    assert await read_past(lab.database, "other", NOW) == Past()
    later = await read_past(lab.database, "c", NOW + timedelta(days=8))
    assert (len(later.ended), later.arrivals) == (40, ())
