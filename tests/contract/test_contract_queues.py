"""What every backend with queues promises: what waits is told in order, and its person may change that."""

import asyncio

import pytest

from backend_client.errors import BackendError, Refused
from backend_client.gpu_nodes import Whose
from backend_client.models import JobState
from backend_client.protocol import Feature, Scope
from backend_client.queues import HasQueues
from tests.contract.support.harness import DEADLINE, needs


async def until(backend, good):
    """The board, once what waits is good: names in order, held ones in brackets."""
    last = []
    try:
        async with asyncio.timeout(DEADLINE):
            while True:
                board = await backend.queues(Scope(backend.namespace))
                last = [f"({job.name})" if job.held else job.name for job in board.waiting]
                if good(last):
                    return board
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"not within {DEADLINE} s; last seen: {last}") from None


async def test_who_has_the_feature_has_the_methods(backend):
    needs(backend, Feature.QUEUE)
    assert isinstance(backend, HasQueues)
    board = await backend.queues(Scope(backend.namespace))
    assert board.note or board.local_queues or board.cluster_queues or board.unknown


async def test_a_waiting_job_is_held_released_and_put_ahead(harness, backend):
    needs(backend, Feature.QUEUE)
    queue, priority = await harness.queue()
    if not queue:  # a cluster without Kueue: it says so, and refuses
        assert (await backend.queues(Scope(backend.namespace))).note
        return
    jobs = {}
    for name in ("runs", "a", "b"):
        spec = harness.spec("sleep 600", name=name, queue=queue)
        jobs[name] = await backend.create(spec, key=name, secrets={})
    board = await until(backend, lambda there: sorted(there) == ["a", "b"])
    assert [(job.whose, job.position, job.gpus) for job in board.waiting] == [
        (Whose.MINE, 1, 1), (Whose.MINE, 2, 1),
    ]  # fmt: skip
    first, second = (jobs[job.name] for job in board.waiting)

    held = await backend.hold(first.ref)
    assert held.state is JobState.QUEUED
    assert "held back" in held.reason
    board = await until(backend, lambda there: there == [second.name, f"({first.name})"])
    assert [(job.position, job.queue) for job in board.waiting] == [(1, queue), (None, queue)]
    await backend.release(first.ref)
    await until(backend, lambda there: there == [first.name, second.name])

    ahead = await backend.set_priority(second.ref, priority)
    assert ahead.spec.queue_priority == priority
    await until(backend, lambda there: there == [second.name, first.name])
    with pytest.raises(BackendError, match="no-such"):
        await backend.set_priority(first.ref, "no-such")
    with pytest.raises(BackendError, match="no-such"):
        await backend.move(first.ref, "no-such")
    with pytest.raises(Refused, match="does not wait"):
        await backend.hold(jobs["runs"].ref)
