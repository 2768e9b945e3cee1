"""A compressed week: what the rows sum up to is what the pods held, whatever became of servers and clocks."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from backend.auth.caller import Caller
from backend.clusters.hub import Owner
from backend.db.models import AttemptRow, JobRow, User
from backend.usage import queries
from backend.usage.clock import ClusterClock
from backend_client.server.roles import Role
from backend_client.usage_report import ReportQuery
from tests.backend.usage.world import CLUSTER, START, PodLife, Server, World, kube_job, pod

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
END = START + 7 * DAY
DOWN = (
    (START + 1.5 * DAY, START + 1.5 * DAY + 20 * MINUTE),
    (START + 3 * DAY, START + 3 * DAY + 90 * MINUTE),
    (START + 5 * DAY, START + 5 * DAY + 5 * MINUTE),
)
"""When no server ran: what came and went then nobody can know."""
ENDS = ("succeeded", "failed", "preempted", "evicted", "lost", "deleted", "removed", "stopped")


async def add_user(database, name="ann"):
    async with database.write() as session:
        user = User(
            name=name, name_key=name, password_hash="", role="researcher", disabled=False, created=START
        )
        session.add(user)
        await session.flush()
        return user.id


class Week:
    """Random jobs, from a seed; each pod's life is written down as it happens."""

    def __init__(self, world, database, owner, seed):
        self.world, self.database, self.owner = world, database, owner
        self.random = random.Random(seed)
        self.ends = {}

    def fill(self, jobs):
        for number in range(jobs):
            when = START + self.random.random() * 6.5 * DAY
            self.world.at(when, lambda number=number: self.create(f"job-{number:03}"))

    async def create(self, uid):
        gpus, ranks = self.random.choice((1, 2, 4, 8)), self.random.choice((1, 1, 2))
        made = self.world.now
        row = JobRow(
            uid=uid,
            key=uid,
            user_id=self.owner.user_id,
            cluster=CLUSTER,
            namespace="ns",
            name=uid,
            kind="job",
            spec=f'{{"gpus": {gpus}}}',
            state="Pending",
            gpus=gpus * ranks,
            created=made,
        )
        async with self.database.write() as session:
            session.add(row)
        for server in self.world.servers:
            server.claim(self.owner, row)
        self.world.put(kube_job(uid, made, gpus, completions=ranks, parallelism=ranks))
        self.later(2 * HOUR, lambda: self.start(uid, gpus, ranks, 1))

    def later(self, most, what, least=MINUTE):
        self.world.at(self.world.now + least + self.random.random() * (most - least), what)

    def start(self, uid, gpus, ranks, attempt):
        end = self.random.choice(ENDS if attempt < 3 else ("succeeded", "failed"))
        run = self.random.choice((20 * MINUTE, 3 * HOUR, 20 * HOUR))
        stops = self.world.now + 10 * MINUTE + self.random.random() * run
        for rank in range(ranks):
            self.pod(f"{uid}-{attempt}-{rank}", uid, rank, gpus, stops, end)
        again = stops + 5 * MINUTE
        if end in ("preempted", "evicted", "lost"):
            self.world.at(again, lambda: self.start(uid, gpus, ranks, attempt + 1))
        elif end in ("deleted", "removed"):
            self.world.at(stops, lambda: self.world.remove(uid))

    def pod(self, uid, job, rank, gpus, stops, end):
        world, made = self.world, self.world.now
        bound = made + 2 * timedelta(seconds=1)
        started = bound + MINUTE + self.random.random() * 12 * MINUTE  # it may never come to that
        told = {"bound": bound}
        world.put(pod(uid, job, rank, made))

        def bind():
            world.lives[uid] = PodLife(job, gpus, bound)
            world.put(pod(uid, job, rank, made, **told))

        def begin():
            if started < stops:
                told["started"] = started
                world.put(pod(uid, job, rank, made, **told))

        def stop():
            self.ends[uid] = end
            if end in ("succeeded", "failed") and "started" in told:
                world.lives[uid].freed = stops
                code = int(end == "failed")
                world.put(pod(uid, job, rank, made, **told, ended=(stops, code), phase=end.capitalize()))
            elif end == "evicted" and "started" in told:
                world.lives[uid].freed = stops
                more = {"ended": (stops, 137), "phase": "Failed", "reason": "Evicted"}
                world.put(pod(uid, job, rank, made, **told, **more))
            elif end == "preempted":
                told["disrupted"] = (stops, "PreemptionByScheduler")
                world.put(pod(uid, job, rank, made, **told, deleted=stops + 30 * timedelta(seconds=1)))
                self.later(30 * timedelta(seconds=1), gone, timedelta(seconds=5))
            elif end == "lost":
                gone(seen=False)
            else:
                world.put(pod(uid, job, rank, made, **told, deleted=stops + 30 * timedelta(seconds=1)))
                self.later(30 * timedelta(seconds=1), gone, timedelta(seconds=5))

        def gone(*, seen=True):
            world.lives[uid].freed = world.now
            ended = {"ended": (world.now, 143)} if seen and "started" in told else {}
            world.remove(uid, pod(uid, job, rank, made, **told, **ended) if ended else None)

        world.at(bound, bind)
        world.at(started, begin)
        world.at(stops, stop)


class Operators:
    """Who starts, stops and crashes servers, and sets their clocks."""

    def __init__(self, world, database):
        self.world, self.database = world, database

    async def up(self, skew=timedelta()):
        await Server(self.world, self.database, skew=skew).start()

    def down_between(self, since, until, *, crash, skew=timedelta()):
        async def stop():
            for server in [*self.world.servers]:
                await server.stop(crash=crash)

        self.world.at(since, stop)
        self.world.at(until, lambda: self.up(skew))

    def set_clocks(self, when, skew):
        def step():
            for server in self.world.servers:
                server.skew = skew

        self.world.at(when, step)

    def write_every(self, period):
        async def write():
            for server in self.world.servers:
                await server.write()

        when = START
        while (when := when + period) < END:
            self.world.at(when, write)


def admin(user_id=0):
    return Caller(user_id, "root", Role.ADMIN, 0, "", "", None)


@pytest.mark.parametrize(("seed", "servers"), [(1, 1), (2, 2)])
async def test_sums_are_the_lifetimes_of_the_pods(database, seed, servers):
    owner = Owner(await add_user(database), "ann")
    world = World()
    week, operators = Week(world, database, owner, seed), Operators(world, database)
    for _ in range(servers):
        await operators.up()
    week.fill(60)
    operators.write_every(7 * MINUTE)
    operators.set_clocks(START + 1 * DAY, 2 * HOUR)
    operators.down_between(*DOWN[0], crash=False, skew=-3 * HOUR)
    operators.set_clocks(START + 2 * DAY, timedelta())
    operators.down_between(*DOWN[1], crash=True)
    operators.set_clocks(START + 4 * DAY, -40 * MINUTE)
    operators.down_between(*DOWN[2], crash=True, skew=30 * MINUTE)
    await world.run(END)
    for server in world.servers:
        await server.write()

    found = await queries.report(database, admin(), ReportQuery(by="day", since=START, until=END), END)
    truth = world.truth(END)
    print(
        f"\n{len(world.lives)} pods held {truth:.1f} GPU-hours, {found.total.held:.1f} are counted, "
        f"{found.total.uncertain:.1f} of them may not have been"
    )
    assert truth > 500
    assert abs(found.total.held - truth) < 0.01 * truth
    assert sum(row.held for row in found.rows) == pytest.approx(found.total.held)
    await check_each_pod(database, world)


async def check_each_pod(database, world):
    """Every pod has one row; what is told exactly is so, what is uncertain has the truth between its ends."""
    async with database.read() as session:
        rows = (await session.scalars(select(AttemptRow))).all()
    known = [row.pod_uid for row in rows]
    assert len(known) == len(set(known))
    for uid, life in world.lives.items():
        assert uid in known or any(since <= life.bound < life.freed <= until for since, until in DOWN), uid
    unsure, kinds = 0, set()
    for row in rows:
        life = world.lives[row.pod_uid]
        assert row.allocated == life.bound
        kinds.add(row.end)
        if life.freed is None:
            assert row.released is None
            continue
        slack = timedelta(seconds=61)
        low = row.released_lo or row.released
        assert low - slack <= life.freed <= row.released + slack, row.pod_uid
        unsure += row.released_lo is not None
    assert unsure < 0.1 * len(rows)
    assert {"succeeded", "failed", "preempted", "evicted", "lost"} <= kinds


def test_the_clock_of_a_cluster_is_not_moved_by_the_servers():
    wall, steady = [datetime(2026, 3, 2, 12, tzinfo=UTC)], [100.0]
    clock = ClusterClock(lambda: wall[0], lambda: steady[0])
    wall[0] += HOUR
    steady[0] += 60
    assert clock.now() == datetime(2026, 3, 2, 12, 1, tzinfo=UTC)
    clock.note(datetime(2026, 3, 2, 11, 30, tzinfo=UTC))  # the server's clock was ahead
    assert clock.now() == datetime(2026, 3, 2, 11, 30, tzinfo=UTC)
    clock.note(datetime(2026, 3, 2, 11, 20, tzinfo=UTC))  # told late: nothing goes back
    steady[0] += 60
    assert clock.now() == datetime(2026, 3, 2, 11, 31, tzinfo=UTC)
    clock.note(datetime(2026, 4, 2, tzinfo=UTC))  # a clock that is broken
    assert clock.now() == datetime(2026, 3, 2, 11, 31, tzinfo=UTC)
