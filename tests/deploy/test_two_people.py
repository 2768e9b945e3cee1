"""Two people of a server in one queue of a real Kueue; the server has the rights of account.yaml, no more."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path

import httpx
import msgspec
import pytest
import yaml
from sqlalchemy import select

from backend.db.engine import Database, database_url
from backend.db.models import JobRow, User
from backend_client.gpu_nodes import Whose
from backend_client.kubernetes.api.transport import Transport
from backend_client.models import Job, JobSpec, JobState
from backend_client.models.secret import Secret
from backend_client.protocol import Changed, JobQuery, Scope, Snapshot
from backend_client.server.backend import ServerBackend
from backend_client.server.bodies import Clusters
from backend_client.server.capabilities import merge
from tests.backend_client.kubernetes.conftest import Cluster
from tests.backend_client.kubernetes.support.kueue import RUNS, Line, line, need_kueue
from tests.backend_client.kubernetes.support.live import Live
from tests.contract.support.server import RunningServer, registration
from tests.support.wait import async_until

pytestmark = pytest.mark.node
SECONDS = 40
HOUR = timedelta(hours=1)


@pytest.fixture
def home_line(cluster: Cluster) -> Iterator[Line]:
    live = Live(cluster.kubeconfig)
    need_kueue(live)
    with line(live, {"traindeck.dev/server": ""}) as made:
        yield made


@pytest.fixture
async def token(transport: Transport, home: str) -> str:
    """Of the account that deploy/kubernetes makes."""
    path = f"/api/v1/namespaces/{home}/serviceaccounts/traindeck/token"
    answer = await transport.request("POST", path, body=b'{"spec": {"expirationSeconds": 3600}}')
    return str(json.loads(answer.body)["status"]["token"])


@pytest.fixture
def served(tmp_path: Path, cluster: Cluster, home_line: Line, token: str) -> Iterator[RunningServer]:
    """The server, in front of the namespace of the line."""
    settings = {
        "QUEUE_PRIORITIES": f'["{home_line.urgent}"]',
        "ANNOTATIONS": '["test.traindeck.dev"]',
    }
    server = RunningServer(tmp_path / "server", **settings)
    config = yaml.safe_load(cluster.kubeconfig.read_text())["clusters"][0]["cluster"]
    authority = (cluster.kubeconfig.parent / config["certificate-authority"]).read_bytes()
    config["certificate-authority-data"] = base64.b64encode(authority).decode()
    server.admin("POST", "clusters", registration(home_line.namespace, config, {"token": token}))
    yield server
    server.stop()


class Person:
    """Somebody at the server, with an open watch."""

    def __init__(self, server: RunningServer, token: str) -> None:
        asked = httpx.get(f"{server.url}/api/clusters", headers={"Authorization": f"Bearer {token}"})
        rules = merge(msgspec.json.decode(asked.content, type=Clusters).items)
        self.backend = ServerBackend("lab", server.url, lambda: Secret(token), capabilities=rules)
        self.jobs: dict[str, Job] = {}
        self._watch = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        async with contextlib.aclosing(self.backend.watch([Scope()])) as batches:
            async for batch in batches:
                for event in batch:
                    if isinstance(event, Snapshot | Changed):
                        self.jobs |= {job.name: job for job in event.jobs}

    async def submit(self, name: str, gpus: int = 2, priority: str = "") -> Job:
        spec = JobSpec(
            name=name,
            kind="job",
            image="i",
            command=("true",),
            gpus=gpus,
            queue="q",
            queue_priority=priority,
            annotations=RUNS,
        )
        return await self.backend.create(spec, key=name, secrets={})

    async def until(self, name: str, state: JobState, reason: str = "*") -> Job:
        """A job, once it is in a state for a reason; * stands for anything."""

        def found() -> Job | None:
            job = self.jobs.get(name)
            return job if job and job.state is state and fnmatchcase(job.reason, reason) else None

        return await async_until(found, SECONDS, message=lambda: self.jobs)

    async def why(self, job: Job) -> str:
        return (await self.backend.explain(job.ref)).sentence

    async def aclose(self) -> None:
        self._watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._watch
        await self.backend.aclose()


@contextlib.asynccontextmanager
async def at(server: RunningServer, *tokens: str) -> AsyncIterator[list[Person]]:
    """The people of these tokens."""
    people = [Person(server, token) for token in tokens]
    try:
        yield people
    finally:
        await asyncio.gather(*(person.aclose() for person in people))


async def remember(folder: Path, cluster: str) -> None:
    """Make forty rows of jobs that ran for 20 minutes each."""
    database = Database(database_url("", folder))
    before = datetime.now(UTC) - 2 * HOUR
    try:
        async with database.write() as session:
            user = (await session.scalars(select(User).where(User.name == "person-0"))).one()
            session.add_all(
                JobRow(
                    uid=f"old-{number}",
                    key=f"old-{number}",
                    user_id=user.id,
                    cluster=cluster,
                    namespace=cluster,
                    name=f"old-{number}",
                    kind="job",
                    spec='{"queue":"q","gpus":2}',
                    state="Succeeded",
                    gpus=2,
                    created=before,
                    started=before,
                    finished=before + HOUR / 3,
                    deleted=before + HOUR,
                )
                for number in range(40)
            )
    finally:
        await database.aclose()


async def test_one_waits_and_one_gives_way(tmp_path: Path, served: RunningServer, home_line: Line):
    queue = home_line.namespace
    tokens = served.person(), served.person()
    await remember(tmp_path / "server", queue)
    waits, way = (
        f"needs 2 more GPUs in {queue}; ",
        "gave way to {} with priority over it at ??:?? UTC, after *",
    )
    async with at(served, *tokens) as (ann, ben):
        first, mine = await ann.submit("first", 1), await ben.submit("mine", 1)
        await asyncio.gather(ann.until("first", JobState.RUNNING), ben.until("mine", JobState.RUNNING))
        second = await ben.submit("second")
        await ben.until("second", JobState.QUEUED)
        await ben.backend.set_visible_jobs([second.ref])
        placed = await ben.until("second", JobState.QUEUED, f"{waits}1st of 1 in {queue}")
        await async_until(lambda: ben.jobs["second"].queue.starts, SECONDS)  # type: ignore[union-attr]
        listed = (await ben.backend.list(JobQuery(name="second"))).items[0]
        for job in (ben.jobs["second"], listed, await ben.backend.get(second.ref)):
            assert job.queue
            assert (job.queue.position, job.queue.waiting, job.reason) == (1, 1, placed.reason)
            assert job.queue.starts
            assert job.queue.starts.earliest <= job.queue.starts.latest < datetime.now(UTC) + 6 * HOUR
        assert await ben.why(second) == placed.reason
        assert "second" not in ann.jobs

        board = await ben.backend.queues(Scope())
        (info,) = [each for each in board.cluster_queues if each.name == queue]
        assert [(quota.flavor, quota.nominal, quota.used) for quota in info.quotas] == [(queue, 2, 2)]
        rows = [(job.name, job.position, job.whose) for job in board.waiting if job.cluster_queue == queue]
        assert (rows, board.unknown) == ([("second", 1, Whose.MINE)], ())
        theirs = (await ann.backend.queues(Scope())).waiting
        assert [(job.name, job.whose) for job in theirs if job.cluster_queue == queue] == [("", Whose.OTHER)]

        await ben.submit("third", 2, home_line.urgent)
        await ben.until("third", JobState.RUNNING)
        await ann.until("first", JobState.QUEUED, f"{way.format('a job')}")
        await ann.backend.set_visible_jobs([first.ref])
        told = await ann.until("first", JobState.QUEUED, f"{way.format('a job')}; ??? of 3 in {queue}")
        assert await ann.why(first) == told.reason
        await ben.until("mine", JobState.QUEUED, way.format("a job"))
        assert fnmatchcase(await ben.why(mine), way.format("third"))

    served.stop()
    served.set(SHOW_OTHERS="true")
    served.start(f"127.0.0.1:{served.port}")
    async with at(served, tokens[0]) as (ann,):
        await ann.until("first", JobState.QUEUED)
        assert fnmatchcase(await ann.why(first), way.format("third"))
