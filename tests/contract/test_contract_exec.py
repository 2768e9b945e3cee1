"""What every backend that runs commands in jobs promises: bytes and ends as they are, nothing left."""

import asyncio

import pytest

from backend_client.errors import NotFound, Refused
from backend_client.exec_session import ExecChannel, ExecQuery, HasExec, TerminalSize
from backend_client.models import JobRef, JobState
from backend_client.models.secret import Secret
from backend_client.protocol import AccessReview, Feature, Verb
from tests.contract.support.harness import finished, needs, until
from tests.support.wait import async_until

BYTES = bytes(range(256)) * 4096


async def running(harness, backend, **fields):
    needs(backend, Feature.EXEC)
    secrets = {"TOKEN": Secret("hush")} if "secrets" in fields else {}
    job = await backend.create(harness.spec("sleep 600", **fields), key="k", secrets=secrets)
    return await until(backend, job.ref, lambda job: job.state is JobState.RUNNING)


async def output(session):
    """All that it prints, by channel, and how it ended."""
    printed = dict.fromkeys(ExecChannel, b"")
    async with asyncio.timeout(60):
        while piece := await session.receive():
            printed[piece[0]] += piece[1]
    return printed[ExecChannel.STDOUT], printed[ExecChannel.STDERR], session.ending.exit_code


async def done(backend, job, *argv, given=None, **query):
    """Run a command to its end, with an input or without."""
    asked = ExecQuery(ref=job.ref, argv=argv, stdin=given is not None, **query)

    async def give(session):
        await session.send(given)
        await session.end_input()

    async with backend.open_exec(asked) as session:
        giving = asyncio.create_task(give(session)) if given is not None else None
        try:
            return await output(session)
        finally:
            if giving:
                giving.cancel()


async def test_a_command_its_output_and_its_end(harness, backend):
    job = await running(harness, backend, env={"COLOUR": "a b"})
    assert isinstance(backend, HasExec)
    assert await done(backend, job, "sh", "-c", 'echo "$COLOUR"; echo err >&2; exit 3') == (
        b"a b\n",
        b"err\n",
        3,
    )
    assert (await done(backend, job, "sh", "-c", "kill -9 $$"))[2] == 137
    assert (await done(backend, job, "no-such-command"))[2] == 127
    assert await done(backend, job, "cat") == (b"", b"", 0)
    assert await done(backend, job, "printf", "%s|", "a b", "", "ä$(x)") == ("a b||ä$(x)|".encode(), b"", 0)


async def test_bytes_go_in_and_come_back_as_they_are(harness, backend):
    job = await running(harness, backend)
    assert await done(backend, job, "cat", given=BYTES) == (BYTES, b"", 0)
    assert await done(backend, job, "head", "-c", "3", given=BYTES * 8) == (BYTES[:3], b"", 0)
    assert await done(backend, job, given=b"echo $((6*7)); exit 5\n") == (b"42\n", b"", 5)


async def test_a_shell_in_a_terminal(harness, backend):
    job = await running(harness, backend)
    query = ExecQuery(ref=job.ref, stdin=True, terminal=TerminalSize(101, 33), term="vt100")
    seen = b""

    async def shows(words):
        nonlocal seen
        async with asyncio.timeout(20):
            while words not in seen:
                piece = await session.receive()
                assert piece, seen
                seen += piece[1]
        seen = b""

    async with backend.open_exec(query) as session:
        await session.send(b"stty size; echo $TERM-ok\n")
        await shows(b"33 101\r\nvt100-ok\r\n")
        await session.resize(TerminalSize(90, 20))
        await session.send(b"sleep 0.2; stty size\n")
        await shows(b"20 90\r\n")
        await session.send(b"echo begun-; sleep 500\n")
        await shows(b"begun-\r\n")
        await session.send(b"\x03")
        await session.send(b"echo $?-after\n")
        await shows(b"130-after")
        await session.send(b"exit 7\n")
        assert (await output(session))[2] == 7


async def test_what_is_left_before_its_end_is_ended(harness, backend):
    job = await running(harness, backend)

    async def gone():
        return (await done(backend, job, "sh", "-c", "grep -la '^sleep.31415' /proc/[0-9]*/cmdline"))[
            0
        ] == b""

    command = "(trap '' HUP; sleep 31415; :) & echo begun; sleep 31415"
    async with backend.open_exec(ExecQuery(ref=job.ref, argv=("sh", "-c", command))) as session:
        assert await session.receive() == (ExecChannel.STDOUT, b"begun\n")
        assert not await gone()
    await async_until(gone)


async def test_the_values_of_secrets_are_not_shown_where_they_need_not_be(harness, backend):
    job = await running(harness, backend, secrets=("TOKEN",))
    printed = (await done(backend, job, "sh", "-c", "pwd; env"))[0]
    assert (b"hush" in printed) == (backend.context != "local")


async def test_a_job_that_does_not_run_says_its_state(harness, backend):
    needs(backend, Feature.EXEC)
    created = await backend.create(harness.spec("exit 3"), key="k", secrets={})
    job = await finished(backend, created.ref)
    with pytest.raises(Refused, match=f"Nothing of {job.name} runs now; the job is Failed: exit"):
        await done(backend, job, "true")
    gone = JobRef(backend.context, job.ref.namespace, "job", "none", "0" * 16)
    with pytest.raises(NotFound):
        async with backend.open_exec(ExecQuery(ref=gone, argv=("true",))):
            pass


async def test_a_rank_that_is_not_there(harness, backend):
    job = await running(harness, backend)
    with pytest.raises(NotFound, match="There is no rank 3"):
        await done(backend, job, "true", rank=3)


async def test_who_may(harness, backend):
    job = await running(harness, backend)
    (decision,) = await backend.check_access([AccessReview(Verb.EXEC, job.ref)])
    assert decision.allowed
