"""Every way to wait in a queue, made for real on Kueue: all together, then each is looked at.

TRAINDECK_RECORD=1 writes the objects to `support/recorded`; status/test_queue_fates.py reads those.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from fnmatch import fnmatchcase

import pytest

from backend_client.kubernetes.backend import KubernetesBackend
from backend_client.kubernetes.resources.kueue import JOB_UID
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.watch.job_cache import EVENT_REASONS
from backend_client.models import Job
from backend_client.protocol import Changed, JobQuery, Scope, Snapshot
from tests.backend_client.kubernetes.conftest import Cluster
from tests.backend_client.kubernetes.support.controlplane import GIVEN
from tests.backend_client.kubernetes.support.live import Live
from tests.backend_client.kubernetes.support.queues import FATES, Queues, has_kueue, make_fates, queues
from tests.backend_client.kubernetes.support.recording import bare, look, save
from tests.support.wait import async_until

RECORD = bool(os.environ.get("TRAINDECK_RECORD"))

pytestmark = [pytest.mark.node, pytest.mark.xdist_group("queues")]


@pytest.fixture(scope="module")
def made(shared_cluster: Cluster) -> Iterator[Queues]:
    live = Live(shared_cluster.kubeconfig)
    if not os.environ.get(GIVEN) or not has_kueue(live):
        pytest.skip(f"needs a cluster with Kueue: set {GIVEN}")
    with queues(live) as found:
        make_fates(found)
        yield found


@pytest.fixture
async def backend(shared_cluster: Cluster, made: Queues) -> AsyncIterator[KubernetesBackend]:
    target = shared_cluster.target()
    opened = KubernetesBackend("kind", KubernetesSettings(), namespace=made.namespace, target=target)
    yield opened
    await opened.aclose()


async def job_of(backend: KubernetesBackend, name: str) -> Job:
    page = await backend.list(JobQuery(namespace=backend.namespace, name=name))
    return page.items[0]


@pytest.mark.parametrize("name", FATES)
async def test_fate(backend: KubernetesBackend, made: Queues, name: str) -> None:
    fate = FATES[name]

    async def is_told() -> Job | None:
        job = await job_of(backend, name)
        seen.append(job.reason)
        told = fnmatchcase(job.reason, fate.without_place) or fnmatchcase(job.reason, fate.with_place)
        return job if job.state == fate.state and told else None

    seen: list[str] = []
    job = await async_until(is_told, 40, message=lambda: seen[-1])
    if fate.place:
        placed = await backend.get(job.ref)
        assert fnmatchcase(placed.reason, fate.with_place), placed.reason
    if RECORD:
        record(made, name)


async def test_what_its_queue_did_is_among_the_events_of_a_job(backend: KubernetesBackend) -> None:
    job = await job_of(backend, "reclaimed")

    async def reasons() -> bool:
        events = await backend.events(job.ref)
        told = {event.reason: event.message for event in events}
        assert not any("UID" in event.message for event in events)
        words = "gave way to a job of the queue lend-*"
        return fnmatchcase(told.get("Preempted", ""), words) and "Admitted" in told

    await async_until(reasons, 40)


async def test_a_visible_job_is_told_its_place(backend: KubernetesBackend) -> None:
    job = await job_of(backend, "head")
    await backend.set_visible_jobs([job.ref])
    async with asyncio.timeout(40), contextlib.aclosing(backend.watch([Scope(backend.namespace)])) as batches:
        async for batch in batches:
            jobs = [one for event in batch if isinstance(event, Snapshot | Changed) for one in event.jobs]
            places = [one.queue for one in jobs if one.ref == job.ref]
            if places and places[-1] and places[-1].position:
                break
    assert places[-1]
    assert (places[-1].position, places[-1].waiting) == (1, 2)


def record(made: Queues, name: str) -> None:
    kind = "Deployment" if name == "replicas" else "Job"
    found = look(made.live, made.manifest(kind, name, ""))
    uids = {item["metadata"]["uid"] for item in (found.root, *found.pods)}
    found.workloads = [bare(item) for item in made.workloads() if item["metadata"]["labels"][JOB_UID] in uids]
    found.events = [event for event in found.events if event["reason"] in EVENT_REASONS]
    save(f"queue-{name}", found)
