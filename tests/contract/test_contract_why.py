"""What every backend promises about why a job waits or failed, and about the machines with GPUs."""

import pytest
from msgspec.structs import replace

from backend_client.errors import NotFound
from backend_client.models import Job, JobState
from backend_client.protocol import Scope
from backend_client.why import Explanation
from tests.contract.support.harness import finished, until
from tests.support.wait import async_until

MORE_THAN_ANYWHERE = 1024
"""GPUs that no machine has; a job asks for no more."""


async def waiting(harness, backend) -> Job:
    """A job that waits: for one that holds all GPUs, or for more than any machine has."""
    total = (await backend.capacity(Scope())).total
    if total:
        holds = await backend.create(
            replace(harness.spec("sleep 600", name="holds"), gpus=total), key="h", secrets={}
        )
        await until(backend, holds.ref, lambda job: job.state is JobState.RUNNING)
    spec = replace(harness.spec("exit 0", name="waits"), gpus=total or MORE_THAN_ANYWHERE)
    job = await backend.create(spec, key="w", secrets={})
    return await until(
        backend, job.ref, lambda job: job.state in (JobState.QUEUED, JobState.PENDING) and job.reason
    )


async def test_where_all_is_well_there_is_nothing_to_explain(harness, backend):
    job = await backend.create(harness.spec("sleep 600"), key="k", secrets={})
    await until(backend, job.ref, lambda job: job.state is JobState.RUNNING)
    assert await backend.explain(job.ref) == Explanation()


async def test_a_job_that_waits_has_its_reason_and_a_chain_down_to_what_blocks(harness, backend):
    job = await waiting(harness, backend)

    async def explained() -> Explanation | None:
        """Both as they are at one time: a reason may still get better."""
        found = await backend.explain(job.ref)
        return found if found.sentence == (await backend.get(job.ref)).reason else None

    found = await async_until(explained)
    assert found.sentence
    assert found.chain
    assert all(cause.sentence and cause.object for cause in found.chain)
    assert found.failure is None
    for offer in found.offers:
        assert offer.sentence
        assert offer.changes


async def test_a_job_that_failed_says_how_it_ended(harness, backend):
    job = await backend.create(harness.spec("echo No such file: data.csv >&2; exit 3"), key="k", secrets={})
    done = await finished(backend, job.ref)
    found = await backend.explain(job.ref)
    assert found.sentence == done.reason == "exit 3: No such file: data.csv"
    assert found.failure
    assert "exit 3" in found.failure.exit


async def test_a_job_that_is_gone_is_not_explained(harness, backend):
    job = await backend.create(harness.spec("exit 0"), key="k", secrets={})
    await finished(backend, job.ref)
    with pytest.raises(NotFound):
        await backend.explain(replace(job.ref, uid="00000000-0000-0000-0000-000000000000"))
    async for _ in backend.delete(job.ref):
        pass
    with pytest.raises(NotFound):
        await backend.explain(job.ref)


async def test_the_machines_add_up_to_the_capacity(harness, backend):
    job = await backend.create(replace(harness.spec("sleep 600"), gpus=1), key="k", secrets={})
    await until(backend, job.ref, lambda job: job.state is JobState.RUNNING)
    nodes, capacity = await backend.nodes(Scope()), await backend.capacity(Scope())
    assert bool(nodes.unknown_because) == bool(capacity.unknown_because)
    if nodes.unknown_because:
        return
    assert sum(node.total for node in nodes.nodes) == capacity.total > 0
    assert sum(node.free for node in nodes.nodes) == capacity.free < capacity.total
    for node in nodes.nodes:
        assert node.free + node.broken + sum(holder.gpus for holder in node.holders) <= node.total
    if holders := [holder for node in nodes.nodes for holder in node.holders]:
        assert [holder.gpus for holder in holders if holder.uid == job.ref.uid] == [1]
