"""What a queue took away on a real node was ended by that, whatever exit code its container has."""

import asyncio
import contextlib
import os
from pathlib import Path

import pytest

from backend.usage.held import end_of
from backend_client.models import Job, JobState
from backend_client.protocol import Changed, Scope, Snapshot
from tests.backend_client.kubernetes.support.controlplane import GIVEN
from tests.backend_client.kubernetes.support.kueue import API
from tests.backend_client.kubernetes.support.live import Live, path_of
from tests.contract.support.cluster import ClusterHarness

DEADLINE = 60.0
pytestmark = pytest.mark.node


@pytest.fixture
async def harness(tmp_path):
    made = ClusterHarness(tmp_path, Path(os.environ[GIVEN]))
    yield made
    await made.aclose()


async def test_a_job_that_gives_way_was_preempted_and_did_not_fail(harness):
    queue, priority = await harness.queue()
    if not queue:
        pytest.skip("the cluster has no Kueue")
    path = path_of(API, "clusterqueues", name=harness.namespace)
    patch = {"spec": {"preemption": {"withinClusterQueue": "LowerPriority"}}}
    status, answer = Live(Path(os.environ[GIVEN])).call("PATCH", path, patch, "merge-patch+json")
    assert status == 200, answer
    backend = harness.backend
    low = await backend.create(harness.spec("sleep 1000", name="low", queue=queue), key="low", secrets={})
    last: Job | None = None
    urgent = False
    async with asyncio.timeout(DEADLINE), contextlib.aclosing(backend.watch([Scope()])) as batches:
        async for batch in batches:
            for event in batch:
                for job in event.jobs if isinstance(event, Snapshot | Changed) else ():
                    last = job if job.ref.uid == low.ref.uid else last
            if last and last.state is JobState.RUNNING and not urgent:
                urgent = True
                spec = harness.spec("sleep 1000", name="high", queue=queue, queue_priority=priority)
                await backend.create(spec, key="high", secrets={})
            if last and last.state is JobState.QUEUED and last.attempts and last.attempts[-1].log_gone:
                break
    assert last
    attempt = last.attempts[-1]
    assert attempt.exit_code
    assert attempt.evicted
    assert attempt.evicted.why.startswith("gave way to a job with priority over it")
    assert end_of(last, attempt) == "preempted"
