"""What jobs use, added up by hour: once, whoever adds it, and only what was measured."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from backend.clusters.hub import Owner
from backend.db.models import AttemptRow, JobRow, UsageHour
from backend.usage import queries
from backend.usage.usage_recorder import UsageRecorder
from backend_client.models import JobSpec, JobUsage
from backend_client.protocol import Changed, Freshness, FreshnessState
from backend_client.usage_report import ReportQuery
from tests.backend.usage.test_week import add_user, admin
from tests.backend.usage.world import CLUSTER, START, PodLife, Server, World, kube_job, pod

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
USAGE = JobUsage(
    gpu=0.6,
    gpu_min=0.0,
    gpus_idle=1,
    gpu_memory=0.4,
    gpu_memory_max=0.5,
    gpu_memory_total=80 * 2**30,
    power=700.0,
    cpu=1.5,
    memory=2**30,
    source="test",
)


async def add_job(database, world, owner):
    row = JobRow(
        uid="j",
        key="j",
        user_id=owner.user_id,
        cluster=CLUSTER,
        namespace="ns",
        name="j",
        kind="job",
        spec='{"gpus": 2, "cpu": "8"}',
        state="Running",
        gpus=2,
        created=START,
    )
    async with database.write() as session:
        session.add(row)
    world.objects["j"] = kube_job("j", START, 2, completions=1, parallelism=1)
    world.objects["p"] = pod("p", "j", 0, START, bound=START, started=START)
    world.lives["p"] = PodLife("j", 2, START)
    return row


def use(server, usage):
    cached = server.hub.get(CLUSTER, "j")
    server.hub.apply(CLUSTER, [Changed((replace(cached.job, usage=usage),))])


@pytest.mark.parametrize("servers", [1, 2])
async def test_an_hour_is_added_up_once(database, servers):
    owner, world = Owner(await add_user(database), "ann"), World()
    row = await add_job(database, world, owner)
    recorders = []
    for _ in range(servers):
        server = Server(world, database)
        await server.start()
        use(server, USAGE)
        recorders.append(UsageRecorder(database, server.hub, server.attempts, steady=server.elapsed))
        await server.write()
    for tick in range(1, 241):  # two hours
        world.now = START + tick * timedelta(seconds=30)
        for recorder in recorders:
            recorder.sample()
        if tick % 10 == 0:
            for recorder in recorders:
                await recorder.write_due()
    async with database.read() as session:
        hours = (await session.scalars(select(UsageHour).order_by(UsageHour.hour))).all()
    assert sum(hour.seconds for hour in hours) == pytest.approx(2 * 7200, rel=0.01)
    assert sum(hour.energy for hour in hours) == pytest.approx(700 * 7200, rel=0.01)
    assert {hour.hour - START for hour in hours} == {0 * HOUR, 1 * HOUR, 2 * HOUR}
    receipt = await queries.receipt(database, row, JobSpec(gpus=2, cpu="8"), START + 2 * HOUR, ended=False)
    assert receipt.utilisation == pytest.approx(0.6)
    assert receipt.utilisation_min == pytest.approx(0.0)
    assert (receipt.gpu_memory_peak, receipt.gpu_memory_total) == (40 * 2**30, 80 * 2**30)
    assert receipt.cpu_used == pytest.approx(1.5)
    assert receipt.advice is not None
    query = ReportQuery(since=START, until=START + 2 * HOUR)
    total = (await queries.report(database, admin(), query, START + 2 * HOUR)).total
    assert total.utilisation == pytest.approx(0.6)
    assert total.idle == pytest.approx(0.5)
    assert total.coverage == pytest.approx(1.0, abs=0.01)


async def test_what_nobody_measures_is_in_no_sum(database):
    owner, world = Owner(await add_user(database), "ann"), World()
    await add_job(database, world, owner)
    server = Server(world, database)
    await server.start()
    await server.write()
    recorder = UsageRecorder(database, server.hub, server.attempts, steady=server.elapsed)

    def pass_time(*minutes):
        for minute in minutes:
            world.now = START + minute * MINUTE
            recorder.sample()

    pass_time(1, 2)  # nobody tells what it uses
    use(server, USAGE)
    pass_time(3, 33)  # the server slept for half an hour: no more than two rounds are added
    stale = Freshness(FreshnessState.STALE, world.now, "the cluster does not answer")
    server.hub.apply(CLUSTER, [stale])
    pass_time(34, 35)  # what was told last may not be so any more
    await recorder.write([(CLUSTER, "p")])
    async with database.read() as session:
        hours = (await session.scalars(select(UsageHour))).all()
        attempt = (await session.scalars(select(AttemptRow))).one()
    assert [hour.seconds for hour in hours] == [2 * (60 + 60)]
    assert attempt.sampled == START + 33 * MINUTE
