"""Two people in one cohort of a real Kueue: what each sees of the queues, and may do to what waits."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from backend_client.errors import Invalid, Refused
from backend_client.gpu_nodes import Whose
from backend_client.kubernetes.backend import KubernetesBackend
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.models import Job, JobSpec, JobState
from backend_client.protocol import Scope
from backend_client.queues import Loan, QueueBoard, WaitingJob, lenders, loan
from tests.backend_client.kubernetes.conftest import Cluster
from tests.backend_client.kubernetes.support.kueue import GPU, Cohort, cohort, need_kueue
from tests.backend_client.kubernetes.support.live import Live, path_of

pytestmark = pytest.mark.node
SECONDS = 20


@pytest.fixture(scope="module")
def live(shared_cluster: Cluster) -> Live:
    found = Live(shared_cluster.kubeconfig)
    need_kueue(found)
    return found


@pytest.fixture(scope="module")
def home(live: Live) -> Iterator[Cohort]:
    with cohort(live) as made:
        yield made


class Person:
    """Somebody at the cluster, and where they work."""

    def __init__(self, cluster: Cluster, name: str, namespace: str) -> None:
        self.namespace = namespace
        site = KubernetesSettings(gpu_resource=GPU)
        self.backend = KubernetesBackend(name, site, namespace=namespace, target=cluster.target(name))

    async def submit(self, name: str, queue: str = "q", gpus: int = 2, **more: str) -> Job:
        spec = JobSpec(name=name, kind="job", image="i", command=("true",), gpus=gpus, queue=queue, **more)
        return await self.backend.create(spec, key=name, secrets={})

    async def board(self) -> QueueBoard:
        return await self.backend.queues(Scope(self.namespace))

    async def until(
        self, good: Callable[[list[str]], object], also: Callable[[QueueBoard], object] = bool
    ) -> QueueBoard:
        """The board, once the names of what waits are good."""
        async with asyncio.timeout(SECONDS):
            while not (good(names(board := await self.board())) and also(board)):
                await asyncio.sleep(0.1)
        return board


def names(board: QueueBoard) -> list[str]:
    """What waits, in order; held ones in brackets."""
    return [f"({job.name})" if job.held else job.name for job in board.waiting]


def waiting(board: QueueBoard, name: str) -> WaitingJob:
    return next(job for job in board.waiting if job.name == name)


@pytest.fixture
async def people(live: Live, home: Cohort, shared_cluster: Cluster) -> AsyncIterator[dict[str, Person]]:
    """alice and bob in their namespaces, admin and nobody in alice's; their jobs go with the test."""
    first = home.teams[0].namespace
    places = {team.person: team.namespace for team in home.teams} | {"admin": first, "nobody": first}
    found = {name: Person(shared_cluster, name, place) for name, place in places.items()}
    yield found
    for team in home.teams:
        path = path_of("batch/v1", "jobs", team.namespace)
        live.call("DELETE", path, {"propagationPolicy": "Background"})
    await asyncio.gather(*(person.backend.aclose() for person in found.values()))


async def test_each_sees_what_they_may(home: Cohort, people: dict[str, Person]):
    alice, bob, admin = people["alice"], people["bob"], people["admin"]
    for name in ("runs", "borrows", "first", "second"):
        await alice.submit(name)
    counted = lambda board: [  # noqa: E731  short
        (queue.cluster_queue, queue.waiting, [use.used for use in queue.usage])
        for queue in board.local_queues
        if queue.name == "q"
    ]
    seen = await alice.until(
        lambda there: sorted(there) == ["first", "second"],
        lambda board: counted(board) == [(alice.namespace, 2, [4])],
    )
    assert [(job.position, job.gpus, job.owner, job.whose) for job in seen.waiting] == [
        (1, 2, "alice", Whose.MINE), (2, 2, "alice", Whose.MINE),
    ]  # fmt: skip
    assert not seen.cluster_queues
    assert any(sentence.startswith("you may not list clusterqueues, so") for sentence in seen.unknown)

    assert names(await bob.board()) == []

    used = lambda board: [  # noqa: E731  short
        quota.used
        for queue in board.cluster_queues
        if queue.name == alice.namespace
        for quota in queue.quotas
    ]
    everything = await admin.until(bool, lambda board: used(board) == [4])
    assert not everything.unknown
    theirs = {queue.name: queue for queue in everything.cluster_queues}
    borrower, lender = (theirs[team.namespace] for team in home.teams)
    (borrowed,), (lent,) = borrower.quotas, lender.quotas
    assert (borrowed.nominal, borrowed.used, borrowed.borrowed) == (2, 4, 2)
    assert lenders(everything, borrower, borrowed) == [lender.name]
    assert loan(everything, lender, lent) == Loan(2, (borrower.name,), True)
    mine = [job for job in everything.waiting if job.cluster_queue == borrower.name]
    assert [job.name for job in mine] == names(seen)
    assert {(job.owner, job.whose) for job in mine} == {("alice", Whose.OTHER)}
    assert {home.high, home.low} <= {priority.name for priority in everything.priorities}

    nothing = await people["nobody"].board()
    assert (nothing.local_queues, nothing.waiting) == ((), ())
    assert any("so the queues there are not known" in sentence for sentence in nothing.unknown)

    offered = {choice.value: choice.about for choice in await alice.backend.choices("queue")}
    assert offered["q"].startswith(f"its jobs hold 4 {home.name}")
    offered = {choice.value: choice.about for choice in await admin.backend.choices("queue")}
    assert offered["q"].startswith(f"0 of 2 {home.name} free")
    values = {choice.value: choice.about for choice in await admin.backend.choices("queue_priority")}
    assert values[home.high] == "1000"


async def test_a_person_orders_what_waits(home: Cohort, people: dict[str, Person]):
    alice = people["alice"]
    jobs = {name: await alice.submit(name, gpus=4) for name in ("runs", "a", "b", "c")}
    backend = alice.backend
    board = await alice.until(lambda there: sorted(there) == ["a", "b", "c"])
    before = names(board)  # made within one second, they stand as Kueue likes
    first, second, third = before
    last = [second, third, first]

    held = await backend.hold(jobs[first].ref)
    assert (held.state, held.reason) == (
        JobState.QUEUED, "held back; release puts it into the queue q again, at its place",
    )  # fmt: skip
    board = await alice.until(lambda there: there == [second, third, f"({first})"])
    assert waiting(board, first).gpus == 4
    assert (await backend.hold(jobs[first].ref)).state is JobState.QUEUED
    for _ in range(2):
        await backend.release(jobs[first].ref)
        await alice.until(lambda there: there == before)

    assert (await backend.set_priority(jobs[first].ref, home.low)).spec.queue_priority == home.low
    await alice.until(lambda there: there == last)
    with pytest.raises(Invalid, match=f"Kueue knows no priority {home.name}-no"):
        await backend.set_priority(jobs[first].ref, f"{home.name}-no")
    assert (await backend.get(jobs[first].ref)).spec.queue_priority == home.low
    with pytest.raises(Invalid, match=f"there are .*{home.high}, {home.low}"):
        await people["admin"].backend.set_priority(jobs[first].ref, f"{home.name}-no")

    moved = await backend.move(jobs[second].ref, "q2")
    assert moved.spec.queue == "q2"
    queues_of = lambda board: [job.queue for job in board.waiting]  # noqa: E731  short
    board = await alice.until(lambda there: there == last, lambda board: queues_of(board) == ["q2", "q", "q"])
    with pytest.raises(Invalid, match=r"there is no queue q9 in .*; there are q, q2"):
        await backend.move(jobs[second].ref, "q9")

    for change in (backend.hold, lambda ref: backend.set_priority(ref, home.high)):
        with pytest.raises(Refused, match="runs does not wait"):
            await change(jobs["runs"].ref)


async def test_who_must_give_way_waits_first(home: Cohort, people: dict[str, Person]):
    alice, bob = people["alice"], people["bob"]
    for name in ("runs", "borrows"):
        await alice.submit(name)
    await alice.submit("waits")
    await alice.until(lambda there: there == ["waits"])
    await bob.submit("mine")
    there = await alice.until(lambda there: len(there) == 2)
    assert {*names(there)} < {"runs", "borrows", "waits"}
    assert "waits" in names(there)
    urgent = await alice.submit("urgent", queue_priority=home.high)
    await alice.until(lambda there: "urgent" not in there and len(there) == 3)
    assert (await alice.backend.get(urgent.ref)).spec.queue_priority == home.high
    held = lambda board: [  # noqa: E731  short
        (quota.used, quota.borrowed)
        for queue in board.cluster_queues
        if queue.cohort == home.name
        for quota in queue.quotas
    ]
    await people["admin"].until(bool, lambda board: held(board) == [(2, 0), (2, 0)])


async def test_a_deployment_is_not_held(home: Cohort, people: dict[str, Person]):
    alice = people["alice"]
    spec = JobSpec(name="d", kind="deployment", image="i", command=("true",), gpus=1, queue="q")
    job = await alice.backend.create(spec, key="d", secrets={})
    with pytest.raises(Refused, match="d is a deployment") as refused:
        await alice.backend.hold(job.ref)
    assert "each replica of a deployment by itself" in refused.value.hint
    async for _ in alice.backend.delete(job.ref):
        pass
