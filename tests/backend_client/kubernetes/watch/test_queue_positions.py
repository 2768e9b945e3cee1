"""Places in a queue: whom they are asked for, how often, and what is said where nobody may know."""

import asyncio
import json
from collections.abc import Container, Mapping
from typing import Any, cast

import msgspec
import pytest
from msgspec.structs import replace

from backend_client.errors import Unreachable
from backend_client.kubernetes.api.transport import Response, Transport
from backend_client.kubernetes.resources.kueue import Workload
from backend_client.kubernetes.status.queue_place import QueuePosition
from backend_client.kubernetes.watch.queue_positions import (
    ANEW_SECONDS,
    EVERY_SECONDS,
    KEPT_SECONDS,
    QueuePositions,
)
from backend_client.models import Job, JobRef, JobState, QueuePlace
from backend_client.protocol import Changed, Gone
from tests.support.scripted import attempt, make_job

CORE = "/apis/kueue.x-k8s.io/v1beta2"
PENDING = "/apis/visibility.kueue.x-k8s.io/v1beta2/namespaces/ns/localqueues/q/pendingworkloads"


def waiting(name: str = "a", queue: str = "q") -> Job:
    job = make_job(name, state=JobState.QUEUED)
    ref = JobRef("test", "ns", "job", name, name)
    return replace(job, ref=ref, attempts=(), queue=QueuePlace(queue=queue))


def pending(*names: str) -> dict[str, Any]:
    items = [{"metadata": {"name": name}, "positionInClusterQueue": at} for at, name in enumerate(names)]
    return {"items": items}


def workload(name: str, queue: str = "q") -> Workload:
    return msgspec.convert(
        {"metadata": {"name": name, "namespace": "ns"}, "spec": {"queueName": queue}}, Workload
    )


class Kueue:
    """A cluster with Kueue, the clock, and what was asked."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked: list[str] = []
        self.told: list[str] = []
        self.objects: dict[str, Any] = {
            "/apis/kueue.x-k8s.io": {"versions": [{"version": "v1beta1"}, {"version": "v1beta2"}]},
            "/apis/visibility.kueue.x-k8s.io": {"versions": [{"version": "v1beta2"}]},
            f"{CORE}/namespaces/ns/localqueues/q": {"spec": {"clusterQueue": "team-a"}},
            f"{CORE}/clusterqueues/team-a": {"status": {"pendingWorkloads": 12}},
            PENDING: pending("other", "w"),
        }
        self.refused: dict[str, int] = {}
        self.down = False
        self.positions = QueuePositions(self.transport, clock=lambda: self.now)

    async def transport(self) -> Transport:
        return cast("Transport", self)

    async def request(
        self, _method: str, path: str, *, query: Mapping[str, str] | None = None, allow: Container[int] = ()
    ) -> Response:
        self.asked.append(path)
        if self.down:
            raise Unreachable("no")
        status = self.refused.get(path, 200 if path in self.objects else 404)
        assert status == 200 or status in allow
        assert (query or {}).get("limit", "") == ("1000" if path.endswith("pendingworkloads") else "")
        return Response(status, {}, json.dumps(self.objects.get(path, {})).encode())

    async def after(self, seconds: float) -> list[str]:
        """What is asked by then."""
        self.now += seconds
        self.asked.clear()
        self.positions.observe([])
        async with asyncio.timeout(60):
            while self.positions._readers:
                await asyncio.sleep(0)
        return self.asked

    def place(self, name: str = "w") -> QueuePosition | None:
        return self.positions.position_of(workload(name))


@pytest.fixture
def kueue() -> Kueue:
    return Kueue()


async def test_a_visible_job_that_waits_gets_its_place(kueue: Kueue) -> None:
    job = waiting()
    with kueue.positions.subscribe(kueue.told.append):
        kueue.positions.observe([Changed((job, waiting("b", "elsewhere")))])
        assert await kueue.after(0) == []
        kueue.positions.set_visible_jobs([job.ref])
        assert PENDING in await kueue.after(0)
        assert kueue.place() == QueuePosition("team-a", 2, 12)
        assert kueue.place("new") == QueuePosition("team-a", None, 12)
        assert kueue.told == ["a"]
        assert await kueue.after(EVERY_SECONDS / 2) == []
        kueue.objects[PENDING] = pending("w")
        assert set(await kueue.after(EVERY_SECONDS / 2)) == {PENDING, f"{CORE}/clusterqueues/team-a"}
        assert kueue.place() == QueuePosition("team-a", 1, 12)
    await kueue.positions.aclose()


async def test_a_newcomer_is_not_kept_waiting_for_its_place(kueue: Kueue) -> None:
    first, late = waiting(), waiting("late")
    with kueue.positions.subscribe(kueue.told.append):
        kueue.positions.observe([Changed((first,))])
        kueue.positions.set_visible_jobs([first.ref, late.ref])
        assert await kueue.after(0)
        kueue.positions.observe([Changed((late,))])
        assert await kueue.after(0) == []
        assert PENDING in await kueue.after(ANEW_SECONDS)
        assert await kueue.after(EVERY_SECONDS / 2) == [], "it has no place, and nothing is new of it"
        kueue.positions.observe([Changed((late,))])
        assert PENDING in await kueue.after(0)
        kueue.now += ANEW_SECONDS
        assert await kueue.positions.look(late), "whoever asks for it alone asks anew"
    await kueue.positions.aclose()


async def test_no_job_stands_behind_the_end_of_its_queue(kueue: Kueue) -> None:
    kueue.objects[f"{CORE}/clusterqueues/team-a"]["status"]["pendingWorkloads"] = 1
    assert await kueue.positions.look(waiting())
    assert kueue.place() == QueuePosition("team-a", 2, 2)


async def test_nothing_is_asked_for_who_does_not_look_or_wait(kueue: Kueue) -> None:
    job = waiting()
    kueue.positions.set_visible_jobs([job.ref])
    kueue.positions.observe([Changed((job,))])
    assert await kueue.after(0) == []
    with kueue.positions.subscribe(kueue.told.append):
        kueue.positions.observe([Changed((replace(job, state=JobState.RUNNING),))])
        assert await kueue.after(0) == []
        kueue.positions.observe([Changed((job,)), Gone((job.ref,))])
        assert await kueue.after(0) == []
    await kueue.positions.aclose()


async def test_a_deployment_is_asked_for_while_a_replica_waits(kueue: Kueue) -> None:
    gated = attempt(exit_code=None)
    job = replace(waiting(), state=JobState.RUNNING, attempts=(gated,))
    part = replace(job, spec=replace(job.spec, kind="deployment"))
    with kueue.positions.subscribe(kueue.told.append):
        kueue.positions.observe([Changed((part,))])
        kueue.positions.set_visible_jobs([job.ref])
        assert await kueue.after(0)
    await kueue.positions.aclose()


async def test_who_may_not_read_cluster_queues_gets_a_place_without_a_count(kueue: Kueue) -> None:
    kueue.refused[f"{CORE}/clusterqueues/team-a"] = 403
    assert await kueue.positions.look(waiting())
    assert kueue.place() == QueuePosition("team-a", 2, None)
    kueue.asked.clear()
    assert not await kueue.positions.look(waiting())
    placed = replace(waiting(), queue=QueuePlace(queue="q", position=2))
    kueue.now += ANEW_SECONDS
    assert not await kueue.positions.look(placed)
    kueue.now += EVERY_SECONDS
    assert await kueue.positions.look(waiting())
    assert kueue.asked == [PENDING]


@pytest.mark.parametrize("status", [403, 404, 503])
async def test_a_place_that_may_not_be_read_is_none(kueue: Kueue, status: int) -> None:
    kueue.refused[PENDING] = status
    assert await kueue.positions.look(waiting())
    assert kueue.place() == QueuePosition("team-a", None, 12)


async def test_without_kueue_nothing_is_said(kueue: Kueue) -> None:
    kueue.objects.clear()
    assert await kueue.positions.look(waiting())
    assert kueue.place() == QueuePosition()
    kueue.down = True
    kueue.now += EVERY_SECONDS
    assert await kueue.positions.look(waiting())
    assert kueue.place() == QueuePosition()


async def test_old_places_are_forgotten_when_nobody_looks(kueue: Kueue) -> None:
    job = waiting()
    with kueue.positions.subscribe(kueue.told.append):
        kueue.positions.observe([Changed((job,))])
        kueue.positions.set_visible_jobs([job.ref])
        await kueue.after(0)
        kueue.positions.set_visible_jobs([])
        await kueue.after(KEPT_SECONDS - 1)
        assert kueue.place()
        kueue.told.clear()
        await kueue.after(2)
        assert kueue.place() is None
        assert kueue.told == ["a"]
    await kueue.positions.aclose()
