"""What every backend promises about logs: the job's own bytes, none lost, none twice."""

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pytest

from backend_client.errors import BackendError, NotFound
from backend_client.protocol import Closed, Feature, Lines, LogQuery, Opened
from tests.contract.support.harness import DEADLINE, finished, log_items, log_text, text


async def ended(harness, script):
    job = await harness.backend.create(harness.spec(script), key=script, secrets={})
    return (await finished(harness.backend, job.ref)).ref


async def test_following_gives_all_and_ends_with_the_job(harness, backend):
    job = await backend.create(harness.spec("echo one; sleep 0.5; echo two"), key="k", secrets={})
    items = await log_items(backend, job.ref, follow=True)
    assert isinstance(items[0], Opened)
    assert isinstance(items[-1], Closed)
    assert not items[-1].lost
    assert sum(isinstance(item, Closed) for item in items) == 1
    assert text(items) == b"one\ntwo\n", items
    assert items == [*items[:-1], Closed(items[-1].why)]


async def test_both_streams_are_there_in_order(harness, backend):
    ref = await ended(harness, "echo one; sleep 0.2; echo two >&2; sleep 0.2; echo three")
    assert await log_text(backend, ref) == b"one\ntwo\nthree\n"


async def test_times_never_go_back(harness, backend):
    ref = await ended(harness, "for i in 1 2 3 4 5; do echo $i; sleep 0.05; done")
    job = await backend.get(ref)
    times = [time for item in await log_items(backend, ref) if isinstance(item, Lines) for time in item.times]
    assert times == sorted(times)
    assert job.created.timestamp() - 2 <= times[0] / 1e9 <= job.finished.timestamp() + 2


@pytest.mark.parametrize("count", [0, 1, 2, 7, 2000, 100_000])
async def test_tail(harness, backend, count):
    ref = await ended(harness, "seq 5000; printf unfinished")
    lines = [b"%d" % number for number in range(1, 5001)] + [b"unfinished"]
    assert await log_text(backend, ref, tail=count) == b"\n".join(lines[-count:] if count else [])


async def test_since(harness, backend):
    ref = await ended(harness, "echo early; sleep 2.5; echo late")
    first, *_ = [item for item in await log_items(backend, ref) if isinstance(item, Lines)]
    job = await backend.get(ref)
    assert first.lines[0] == b"early"
    assert await log_text(backend, ref, since=job.created - timedelta(hours=1)) == b"early\nlate\n"
    between = datetime.fromtimestamp(first.times[0] / 1e9, UTC) + timedelta(seconds=1.2)
    assert await log_text(backend, ref, since=between) == b"late\n"
    assert await log_text(backend, ref, since=job.finished + timedelta(hours=1)) == b""


async def test_going_on_behind_any_cursor_loses_and_repeats_nothing(harness, backend):
    script = "for i in 1 2 3 4 5 6 7 8; do printf 'a%s ' $i; sleep 0.3; echo b$i; seq 50; done"
    ref = await ended(harness, script)
    items = await log_items(backend, ref)
    whole = text(items)
    assert whole.count(b"\n") == 8 * 51
    for place, item in enumerate(items):
        if isinstance(item, Lines):
            rest = await log_items(backend, ref, after=item.cursor)
            assert text(items[: place + 1]) + text(rest) == whole
            assert not any(isinstance(item, Opened) for item in rest)


async def test_going_on_while_the_job_writes(harness, backend):
    job = await backend.create(
        harness.spec("for i in $(seq 40); do echo $i; sleep 0.02; done"), key="k", secrets={}
    )
    got, cursor = b"", ""
    while got.count(b"\n") < 40:
        for item in await log_items(backend, job.ref, after=cursor):
            if isinstance(item, Lines):
                cursor = item.cursor
                got += text([item])
    assert got.split() == [b"%d" % number for number in range(1, 41)]


UNFINISHED = {
    "a bar": "PAD; i=0; while :; do printf '\\r%5d%%' $i; i=$((i+1)); sleep 0.05; done",
    "dots": "PAD; while :; do printf .; sleep 0.4; done",
    "a prompt": "PAD; printf 'password: '; sleep 600",
    "behind whole lines": "echo one; PAD; printf two; sleep 600",
}


@pytest.mark.parametrize("what", UNFINISHED)
async def test_an_unfinished_line_is_there_while_the_job_goes_on(harness, backend, what):
    """Where a node keeps the beginning of a line back, more than it keeps is written first (PAD)."""
    pad = ":" if Feature.UNFINISHED_LINES in backend.features else "printf '%040000d' 0"
    script = UNFINISHED[what].replace("PAD", pad)
    job = await backend.create(harness.spec(script), key="k", secrets={})
    items: list = []
    async with (
        asyncio.timeout(DEADLINE),
        aclosing(backend.logs(LogQuery(ref=job.ref, follow=True))) as batches,
    ):
        async for batch in batches:
            items += batch
            if any(isinstance(item, Lines) and item.lines and item.open for item in items):
                break
    seen = text(items)
    for tail in (None, 5):
        now = await log_items(backend, job.ref, tail=tail)
        assert text(now).startswith(seen)
        last = [item for item in now if isinstance(item, Lines) and item.lines][-1]
        assert last.open


ODD = {
    "nothing at all": b"",
    "no newline at the end": b"a\nb",
    "empty lines": b"\n\n\na\n\n",
    "carriage returns": b"\r 10%|#   |\r 20%|##  |\r100%|####|\ndone\r\n",
    "NUL and escapes": b"a\0b\x1b[2J\x1b]0;title\x07\n",
    "invalid UTF-8": b"\xff\xfe\x80 caf\xe9\n",
    "a very long line": b"x" * 1_000_000 + b"\nend\n",
    "a very long line, unfinished": b"y" * 300_000,
    "what looks like a record": b"2026-11-24T22:53:48.123456789Z stdout P text\n",
}


@pytest.mark.parametrize("what", ODD)
async def test_bytes_come_back_as_they_were(harness, backend, tmp_path, what):
    (tmp_path / "odd").write_bytes(ODD[what])
    ref = await ended(harness, f"cat {tmp_path}/odd")
    assert await log_text(backend, ref) == harness.kept(ODD[what])


async def test_no_such_attempt_and_no_such_cursor(harness, backend):
    ref = await ended(harness, "echo hello")
    with pytest.raises(NotFound):
        await log_items(backend, ref, attempt=7)
    with pytest.raises(BackendError):
        await log_items(backend, ref, after="rubbish")
