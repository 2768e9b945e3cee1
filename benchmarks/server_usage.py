"""What it costs a server that 1,000 jobs of 8 GPUs use something else every 30 s, once the figures are read.

One tick: figures joined to the watch, each job encoded, told to 25 open watches, and looked at by what is
recorded. Every figure of every job is another one each time, the worst case: changes too small to see
are not told. What reading them costs is measured over a real Prometheus by `gpu_usage`.
"""

import asyncio
import random
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from sqlalchemy import insert

from backend.clusters.event_log import Audience
from backend.clusters.hub import Hub, Owner
from backend.db.engine import Database, database_url, open_database
from backend.db.models import JobRow, User
from backend.jobs.history_recorder import HistoryRecorder
from backend.metrics.job_metrics import job_families
from backend.metrics.text_format import render
from backend.usage.recorder import AttemptRecorder
from backend_client.models import Attempt, Job, JobRef, JobSpec, JobState, JobUsage
from backend_client.protocol import Snapshot, Synced, WatchEvent
from backend_client.usage_feed import UsageFeed
from backend_client.usage_pace import EVERY_SECONDS

JOBS, GPUS, PEOPLE, ADMINS, TICKS = 1_000, 8, 20, 5, 7
NOW = datetime.now(UTC)

Row = tuple[str, str, str]


def rows() -> list[Row]:
    """Return the rows of the table: (what, measured, target)."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        return asyncio.run(_measure(Path(folder)))


def _job(number: int) -> Job:
    name, node = f"job-{number}", f"gpu-{number}"
    attempt = Attempt(
        number=1, node=node, pod=f"{name}-0-x7k2p", uid=f"pod-{number}", started=NOW, allocated=NOW
    )
    spec = JobSpec(
        name=name, kind="job", image="ghcr.io/lab/train:1", command=("python", "train.py"), gpus=GPUS
    )
    return Job(
        ref=JobRef("lab", f"td-p{number % PEOPLE}", "job", name, f"uid-{number}"),
        state=JobState.RUNNING,
        spec=spec,
        created=NOW,
        started=NOW,
        attempts=(attempt,),
    )


class _Figures:
    """Figures of each job, made up before they are read."""

    def __init__(self) -> None:
        self.of: dict[str, JobUsage] = {}

    def renew(self, jobs: Sequence[Job]) -> None:
        """Make up others."""
        self.of = {job.ref.uid: _usage() for job in jobs}

    async def read(self, _jobs: Sequence[Job]) -> dict[str, JobUsage]:
        """Return them, as a reading does."""
        return self.of


def _usage() -> JobUsage:
    share, power = random.random(), random.random() * 5000
    return JobUsage(
        gpu=share,
        gpu_min=share / 2,
        gpu_memory=random.random(),
        gpu_memory_max=random.random(),
        power=power,
        cpu=random.random() * 64,
        memory=random.randrange(2**40),
        xid=0,
        source="Prometheus monitoring/prometheus-operated",
        as_of=datetime.now(UTC),
    )


async def _measure(folder: Path) -> list[Row]:
    jobs = [_job(number) for number in range(JOBS)]
    database = await open_database(database_url("", folder))
    hub = Hub()
    hub.add("lab")
    attempts = AttemptRecorder(database, hub)
    recorder = HistoryRecorder(database, attempts)
    for observe in (attempts.observe, recorder.observe):
        hub.subscribe(observe)
    await _add_rows(database, jobs)
    for number, job in enumerate(jobs):
        hub.claim(Owner(number % PEOPLE + 1, f"p{number % PEOPLE}"), job)
    await recorder.write()
    figures = _Figures()
    feed = UsageFeed(figures.read, lambda: EVERY_SECONDS)
    audiences = [Audience(frozenset({person + 1})) for person in range(PEOPLE)] + [Audience(None)] * ADMINS
    told = [0] * len(audiences)
    tasks = [
        asyncio.ensure_future(_read(hub, audience, told, place)) for place, audience in enumerate(audiences)
    ]
    batches = feed.follow(_watch(jobs))
    hub.apply("lab", await anext(batches))
    costs = []
    for _ in range(TICKS):
        await asyncio.sleep(0.5)  # until every watch has told what there was
        figures.renew(jobs)
        before = [*told]
        feed.hurry()
        began = time.process_time()
        hub.apply("lab", await anext(batches))
        while any(now == then for now, then in zip(told, before, strict=True)):  # noqa: ASYNC110  streams wake only readers
            await asyncio.sleep(0.01)
        await recorder.write()
        costs.append(time.process_time() - began)
    cached = [one.job for one in hub.all()]
    assert all(job.usage for job in cached)
    began = time.process_time()
    text = render(job_families(cached, ["lab"], NOW))
    scrape = time.process_time() - began
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await batches.aclose()
    await database.aclose()
    what = f"{JOBS:,} jobs of {GPUS} GPUs, {len(audiences)} watches"
    return [
        (f"{what}: CPU of one tick, without the reading", f"{median(costs) * 1000:.0f} ms", ""),
        (f"{JOBS:,} jobs in one scrape of /metrics: CPU", f"{scrape * 1000:.0f} ms", f"{len(text):,} bytes"),
    ]


async def _watch(jobs: Sequence[Job]) -> AsyncIterator[Sequence[WatchEvent]]:
    yield [Snapshot(tuple(jobs)), Synced()]
    await asyncio.Event().wait()


async def _read(hub: Hub, audience: Audience, told: list[int], place: int) -> None:
    async for part in hub.frames(audience):
        told[place] += len(part)


async def _add_rows(database: Database, jobs: Sequence[Job]) -> None:
    person = {"password_hash": "", "role": "researcher", "created": NOW, "disabled": False}
    people = [{"id": n + 1, "name": f"p{n}", "name_key": f"p{n}", **person} for n in range(PEOPLE)]
    columns = [
        {
            "uid": job.ref.uid,
            "key": job.ref.uid,
            "user_id": number % PEOPLE + 1,
            "cluster": "lab",
            "namespace": job.ref.namespace,
            "name": job.ref.name,
            "kind": "job",
            "spec": "{}",
            "state": "Running",
            "created": NOW,
        }
        for number, job in enumerate(jobs)
    ]
    async with database.write() as session:
        await session.execute(insert(User), people)
        await session.execute(insert(JobRow), columns)
