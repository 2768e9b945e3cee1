"""What every backend that tells what jobs use promises: by rank, with source and age; unknown is not 0."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from backend_client.errors import NotFound
from backend_client.models import JobRef, JobState
from backend_client.protocol import Feature, Scope
from backend_client.usage import HasUsage
from tests.contract.support.harness import finished, needs, until

FIRST_FIGURES = 60.0
"""Seconds until a cluster has measured a new pod."""
BUSY = "while :; do :; done"


async def running(harness, backend, script=BUSY):
    needs(backend, Feature.METRICS)
    job = await backend.create(harness.spec(script), key="k", secrets={})
    return await until(backend, job.ref, lambda job: job.state is JobState.RUNNING)


async def test_who_has_the_feature_has_the_methods(backend):
    needs(backend, Feature.METRICS)
    assert isinstance(backend, HasUsage)
    table = await backend.usages(Scope(backend.namespace))
    assert table.jobs == {}
    for source in table.sources:
        assert source.name
        assert source.gives or source.missing


async def test_what_a_busy_rank_uses_is_told(harness, backend):
    job = await running(harness, backend)
    async with asyncio.timeout(FIRST_FIGURES):
        while True:
            usage = await backend.usage(job.ref)
            (rank,) = usage.ranks
            if rank.memory or not any(source.gives for source in usage.sources):
                break
            await asyncio.sleep(0.5)
    assert rank.rank == 0
    assert usage.sources
    if rank.memory:
        assert rank.as_of is not None
        assert rank.cpu is None or rank.cpu >= 0
        async with asyncio.timeout(FIRST_FIGURES):  # a server tells what its last reading found
            while not (told := (await backend.usages(Scope(backend.namespace))).jobs.get(job.ref.uid)):
                await asyncio.sleep(0.5)
        assert told.memory
        assert told.source


async def test_history_begins_where_it_says(harness, backend):
    job = await running(harness, backend)
    since = datetime.now(UTC) - timedelta(hours=1)
    history = await backend.usage_history(job.ref, since)
    assert history.step > 0
    assert history.start.tzinfo is not None
    for series in history.series:
        assert len(series.values) <= 121
        assert all(value is None or value >= 0 for value in series.values)


async def test_an_ended_job_uses_nothing_now(harness, backend):
    needs(backend, Feature.METRICS)
    job = await backend.create(harness.spec("true"), key="k", secrets={})
    await finished(backend, job.ref)
    usage = await backend.usage(job.ref)
    assert all(rank.cpu is None and rank.gpus == () for rank in usage.ranks)
    assert job.ref.uid not in (await backend.usages(Scope(backend.namespace))).jobs


async def test_a_job_that_is_not_there_is_not_found(backend):
    needs(backend, Feature.METRICS)
    ref = JobRef(backend.context, backend.namespace, "job", "nope", "0000")
    for question in (backend.usage(ref), backend.usage_history(ref, datetime.now(UTC))):
        with pytest.raises(NotFound):
            await question
