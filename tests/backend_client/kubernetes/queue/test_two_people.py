"""Two people in one queue of a real Kueue: who waits is told its place, who gives way is told to whom."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from fnmatch import fnmatchcase

import pytest
from msgspec import Struct

from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.backend import KubernetesBackend
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.models import Job, JobSpec, JobState
from backend_client.protocol import Changed, JobBackend, Scope, Snapshot
from tests.backend_client.kubernetes.conftest import Cluster
from tests.backend_client.kubernetes.support.kueue import RUNS, Line, line, need_kueue
from tests.backend_client.kubernetes.support.live import Live
from tests.support.wait import async_until

pytestmark = pytest.mark.node
SECONDS = 40


class Both(Struct):
    """The two, each as the cluster knows them, and a second program of the first one that watches nothing."""

    alice: KubernetesBackend
    bob: KubernetesBackend
    looks: KubernetesBackend


@pytest.fixture(scope="module")
def home(shared_cluster: Cluster) -> Iterator[Line]:
    live = Live(shared_cluster.kubeconfig)
    need_kueue(live)
    with line(live) as made:
        yield made


@pytest.fixture
async def people(shared_cluster: Cluster, home: Line) -> AsyncIterator[Both]:
    def of(person: str) -> KubernetesBackend:
        target = shared_cluster.target(person)
        return KubernetesBackend(person, KubernetesSettings(), namespace=home.namespace, target=target)

    both = Both(of("alice"), of("bob"), of("alice"))
    yield both
    await asyncio.gather(both.alice.aclose(), both.bob.aclose(), both.looks.aclose())


async def submit(backend: JobBackend, name: str, priority: str = "") -> Job:
    spec = JobSpec(
        name=name,
        kind="job",
        image="i",
        command=("true",),
        gpus=2,
        queue="q",
        queue_priority=priority,
        annotations=RUNS,
    )
    return await backend.create(spec, key=name, secrets={})


class Watched:
    """What an open watch has said of each job last."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}

    async def follow(self, backend: JobBackend, namespace: str) -> None:
        async with contextlib.aclosing(backend.watch([Scope(namespace)])) as batches:
            async for batch in batches:
                for event in batch:
                    if isinstance(event, Snapshot | Changed):
                        self.jobs |= {job.name: job for job in event.jobs}

    async def until(self, name: str, state: JobState, reason: str = "*") -> Job:
        """The job, once it is in a state for a reason; * stands for anything."""

        def found() -> Job | None:
            job = self.jobs.get(name)
            return job if job and job.state is state and fnmatchcase(job.reason, reason) else None

        return await async_until(found, SECONDS, message=lambda: self.jobs)


@contextlib.asynccontextmanager
async def watching(backend: JobBackend, namespace: str) -> AsyncIterator[Watched]:
    """An open watch."""
    watched = Watched()
    task = asyncio.create_task(watched.follow(backend, namespace))
    yield watched
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of all requests from now on, those of open watches not among them."""
    seen: list[str] = []
    request = Transport.request

    def recorded(self: Transport, method: str, path: str, **more: object) -> object:
        seen.append(path)
        return request(self, method, path, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Transport, "request", recorded)
    return seen


async def test_the_second_waits_and_the_first_gives_way(home: Line, people: Both, requests: list[str]):
    queue = home.namespace
    async with watching(people.alice, queue) as watched:
        first = await submit(people.alice, "first")
        await watched.until("first", JobState.RUNNING)
        second = await submit(people.bob, "second")
        await people.alice.set_visible_jobs([first.ref, second.ref])
        waits = f"needs 2 more GPUs in {queue}; "
        placed = await watched.until("second", JobState.QUEUED, f"{waits}1st in {queue}")
        assert placed.queue
        assert (placed.queue.position, placed.queue.cluster_queue) == (1, queue)
        assert (await people.alice.explain(second.ref)).sentence == placed.reason
        assert (await people.looks.explain(second.ref)).sentence == f"{waits}waits in the queue q"
        assert (await people.looks.get(second.ref)).reason == placed.reason
        assert (await people.looks.explain(second.ref)).sentence == placed.reason, "its place is known now"

        third = await submit(people.bob, "third", home.urgent)
        await watched.until("third", JobState.RUNNING)
        way, rest = "gave way to {} with priority over it at ??:?? UTC, after *; ", f"{waits}??? in {queue}"
        told = await watched.until("first", JobState.QUEUED, way.format("a job") + rest)
        assert told.queue
        assert {told.queue.position, watched.jobs["second"].queue.position} <= {1, 2}  # type: ignore[union-attr]
        found = await people.alice.explain(first.ref)
        assert fnmatchcase(found.sentence, way.format("third") + rest), found.sentence
        assert [cause.sentence for cause in found.chain] == ["has none of its 1 pod", found.sentence]
        assert found.chain[-1].id == "queue.preempted"
        assert found.chain[-1].raw.startswith("Preempted to accommodate a workload (UID: ")

    requests.clear()
    found = await people.looks.explain(first.ref)
    assert fnmatchcase(found.sentence, way.format("third") + "*"), found.sentence
    asked = [path.rpartition("/")[2] for path in requests]
    assert asked.count("workloads") <= 2, "its own, and that of the other"
    async for _ in people.bob.delete(third.ref):
        pass
