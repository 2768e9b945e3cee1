"""One's own code: a folder goes with a job, as it was; it is given back, and runs again."""

import asyncio
import contextlib

import pytest
from msgspec.structs import replace

from backend_client.code.prepare import with_code
from backend_client.code_bundle import HasCode
from backend_client.errors import NotFound
from backend_client.models import JobState
from backend_client.protocol import Feature, LogQuery, Use
from tests.contract.support.harness import DEADLINE, finished, log_text, needs, text, until

SCRIPT = "cat sub/word"


@pytest.fixture
def code(tmp_path):
    folder = tmp_path / "code of mine"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "word").write_text("first\n")
    return folder


async def test_a_job_runs_in_its_folder(harness, backend, code):
    if backend.fields["code"].use is Use.REFUSED:
        assert backend.missing_features[Feature.CODE] == backend.fields["code"].why
        return
    spec = await with_code(backend, harness.spec(SCRIPT, code=str(code)))
    assert "code" in {notice.field for notice in (await backend.plan(spec)).warnings}
    job = await backend.create(spec, key="k", secrets={})
    await finished(backend, job.ref)
    assert await log_text(backend, job.ref) == b"first\n"
    assert (await backend.get(job.ref)).code is not None


async def test_all_ranks_and_all_tries_have_it(harness, backend, code):
    """Nobody of ours is there when a pod comes: it brings all that it needs."""
    needs(backend, Feature.CODE)
    script = 'cat sub/word; echo "$NODE_RANK" >>sub/word; exit $((NODE_RANK * 3))'
    spec = await with_code(backend, harness.spec(script, code=str(code), nodes=2, retries=1))
    job = await backend.create(spec, key="k", secrets={})
    ended = await finished(backend, job.ref)
    assert ended.state is JobState.FAILED
    assert len(ended.attempts) >= 3
    assert {rank.number for rank in ended.attempts if rank.rank == 1} == {1, 2}
    for rank in ended.attempts:
        printed = await log_text(backend, job.ref, rank=rank.rank, attempt=rank.number)
        assert printed == b"first\n", rank


async def test_a_job_that_is_resumed_has_it_again(harness, backend, code):
    needs(backend, Feature.CODE)
    needs(backend, Feature.RESUME)
    spec = await with_code(backend, harness.spec("cat sub/word; sleep 600", code=str(code)))
    job = await backend.create(spec, key="k", secrets={})
    await until(backend, job.ref, lambda job: job.state is JobState.RUNNING)
    await backend.stop(job.ref)
    await until(backend, job.ref, lambda job: job.state is JobState.STOPPED)
    (code / "sub" / "word").write_text("second\n")
    await backend.resume(job.ref)
    again = await until(backend, job.ref, lambda job: job.state is JobState.RUNNING)
    assert f"sha256:{again.code.sha256}" == spec.code
    log = backend.logs(LogQuery(ref=job.ref, follow=True))
    async with asyncio.timeout(DEADLINE), contextlib.aclosing(log) as batches:
        async for batch in batches:
            if printed := text(list(batch)):
                assert printed == b"first\n"
                break


async def test_a_copy_stays_as_it_was(harness, backend, code):
    assert isinstance(backend, HasCode) or Feature.CODE in backend.missing_features
    needs(backend, Feature.CODE)
    spec = await with_code(backend, harness.spec(SCRIPT, code=str(code)))
    first = await backend.create(spec, key="first", secrets={})
    (code / "sub" / "word").write_text("second\n")
    old = await finished(backend, first.ref)
    assert old.code.files == 1
    assert f"sha256:{old.code.sha256}" == old.spec.code
    data = await backend.code_of(first.ref)
    again = await backend.create(replace(old.spec, name=""), key="again", secrets={})
    await finished(backend, again.ref)
    assert await log_text(backend, again.ref) == b"first\n"
    assert await backend.code_of(again.ref) == data
    without = await backend.create(harness.spec("true"), key="without", secrets={})
    with pytest.raises(NotFound):
        await backend.code_of(without.ref)
