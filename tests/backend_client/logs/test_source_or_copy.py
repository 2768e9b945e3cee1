"""A log is read at its source; a copy stands in where the source has nothing, and says so."""

from collections.abc import AsyncGenerator

import pytest

from backend_client.errors import Forbidden, NotFound
from backend_client.logs import LogBuffer
from backend_client.logs.block import Notice
from backend_client.logs.follow import follow
from backend_client.logs.log_copies import LogCopies
from backend_client.logs.log_copy import CopyHead
from backend_client.logs.source_or_copy import delete_with_copy, source_or_copy
from backend_client.models import Attempt, JobState
from backend_client.protocol import Closed, Feature, Lines, LogQuery, LogSource
from tests.support.scripted import ScriptedBackend, make_job

GO = {Feature.STOPPED_LOGS: "its pods go, and their logs with them"}
THEN = 1_700_000_000 * 10**9
COPY = ["(copy)", "kept 1", "kept 2"]


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def scripted(state=JobState.STOPPED, lacks=GO, **more) -> ScriptedBackend:
    """A context with one job whose log was followed."""
    backend = ScriptedBackend([make_job("a", state, **more)], lacks=lacks)
    buffer = LogBuffer()
    buffer.append([Lines(source=LogSource(1), lines=[b"kept 1", b"kept 2"], times=[THEN, THEN + 1])])
    LogCopies().keep(backend.jobs["uid-a"].ref, buffer)
    return backend


async def shown(backend: ScriptedBackend, batches: AsyncGenerator | None = None, **more) -> list[str]:
    """Every line, and in brackets what else comes."""
    job = backend.jobs["uid-a"]
    query = LogQuery(ref=job.ref, **more)
    texts: list[str] = []
    async for batch in source_or_copy(batches or follow(backend, query), backend, query, job):
        for item in batch:
            if isinstance(item, Lines):
                texts += [line.decode() for line in item.lines]
            elif isinstance(item, CopyHead):
                texts.append("(copy)")
            elif isinstance(item, Notice | Closed):
                texts.append(f"({item.text if isinstance(item, Notice) else item.why})")
    return texts


@pytest.mark.parametrize("follows", [False, True])
async def test_a_source_with_nothing_gives_the_copy(follows):
    backend = scripted()
    backend.ended_logs.add("uid-a")
    assert await shown(backend, follow=follows) == [*COPY, "(the job has ended)"]
    assert await shown(backend, follow=follows, tail=1) == ["(copy)", "kept 2", "(the job has ended)"]


async def test_a_source_with_a_line_wins():
    backend = scripted()
    backend.logs_of["uid-a"] = [b"there"]
    assert await shown(backend) == ["there", "(the job has ended)"]


async def test_a_source_that_is_gone_gives_the_copy():
    backend = scripted()
    backend.fail["logs"] = NotFound("The log of attempt 1 of a is gone.")
    assert (await shown(backend, attempt=1))[:3] == COPY
    with pytest.raises(NotFound):
        await shown(backend, attempt=2)


async def test_other_faults_are_no_reason_for_a_copy():
    backend = scripted()
    backend.fail["logs"] = Forbidden("You may not.")
    with pytest.raises(Forbidden):
        await shown(backend)


async def test_an_attempt_that_is_still_there_and_silent_has_no_copy_of_another():
    second = (Attempt(number=2, started=make_job().created),)
    assert await shown(scripted(JobState.RUNNING, attempts=second)) == ["(the job has ended)"]
    assert (await shown(scripted(JobState.RUNNING, attempts=second), attempt=1))[:3] == COPY


async def test_where_logs_stay_there_is_no_copy():
    assert await shown(scripted(lacks={})) == ["(the job has ended)"]


async def test_of_a_job_that_waits_to_start_again_the_copy_comes_first():
    backend = scripted(JobState.PENDING, attempts=(Attempt(number=1),))
    backend.ended_logs.add("uid-a")
    assert await shown(backend, follow=True) == [*COPY, "(the job has ended)"]
    backend.logs_of["uid-a"] = [b"new"]
    again = "(here the job was started again)"
    assert await shown(backend, follow=True) == [*COPY, again, "new", "(the job has ended)"]


async def test_what_breaks_off_is_no_end():
    async def broken():
        yield [Closed("the link broke", lost=True)]

    assert await shown(scripted(), broken()) == ["(the link broke)"]


async def test_a_deletion_takes_the_copy_along():
    backend = scripted()
    ref = backend.jobs["uid-a"].ref
    steps = [step.message async for step in delete_with_copy(backend, ref)]
    assert steps == ["stopping it", "removing its log"]
    assert LogCopies().find(ref) is None


async def test_a_deletion_that_nobody_waits_for_takes_it_along():
    backend = scripted()
    ref = backend.jobs["uid-a"].ref
    deletion = delete_with_copy(backend, ref)
    await anext(deletion)
    await deletion.aclose()
    assert LogCopies().find(ref) is None


async def test_a_deletion_that_comes_too_late_takes_it_along():
    backend = scripted()
    ref = backend.jobs["uid-a"].ref
    backend.fail["delete"] = NotFound("There is no job a.")
    with pytest.raises(NotFound):
        await anext(delete_with_copy(backend, ref))
    assert LogCopies().find(ref) is None


async def test_a_deletion_that_is_refused_leaves_it():
    backend = scripted()
    ref = backend.jobs["uid-a"].ref
    backend.fail["delete"] = Forbidden("You may not.")
    with pytest.raises(Forbidden):
        await anext(delete_with_copy(backend, ref))
    assert LogCopies().find(ref) is not None


async def test_where_logs_stay_a_deletion_leaves_no_mark(tmp_path):
    backend = ScriptedBackend([make_job("a")], lacks={})
    assert [step async for step in delete_with_copy(backend, backend.jobs["uid-a"].ref)]
    assert not list(tmp_path.rglob("*"))
