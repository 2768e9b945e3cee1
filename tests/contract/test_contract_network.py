"""What every backend behind a network promises of a bad one: late it may be, wrong never."""

import asyncio
import contextlib
import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from msgspec.structs import replace

from backend_client.errors import Unreachable
from backend_client.logs import follow
from backend_client.models import JobState
from backend_client.protocol import (
    Changed,
    Closed,
    Feature,
    Freshness,
    FreshnessState,
    Gap,
    Gone,
    JobQuery,
    Lines,
    LogQuery,
    Opened,
    Scope,
    Snapshot,
)
from tests.backend_client.kubernetes.support.controlplane import GIVEN
from tests.backend_client.kubernetes.support.live import Live
from tests.contract.support.harness import DEADLINE, finished, log_text, text, until
from tests.support.faults import Wire

HURRY = {"backend_client.backoff.LONGEST_SECONDS": 0.4, "backend_client.server.watch.LONGEST_PAUSE": 0.4}
"""Pauses in tenths of seconds; the true limits are tested where a clock can jump."""
SILENCE = {
    "backend_client.kubernetes.watch.reflector.SILENCE_SECONDS": 0.5,
    "backend_client.kubernetes.watch.reflector.PROBE_SECONDS": 0.5,
    "backend_client.server.connection.SILENCE_SECONDS": 1.0,
}
"""For the case of it alone: in the others a busy server, which is late, is not taken for a dead one."""


@contextlib.asynccontextmanager
async def kubernetes(request, folder: Path):
    from tests.contract.support.cluster import ClusterHarness  # noqa: PLC0415  where a case needs it

    admin = Path(os.environ[GIVEN])
    server = urlsplit(Live(admin).server)
    async with Wire(server.hostname, server.port) as wire:
        harness = ClusterHarness(folder, admin, wire.port)
        harness.wire = wire
        yield harness
        await harness.aclose()


@contextlib.asynccontextmanager
async def server(request, folder: Path):
    from tests.contract.support.server import ServerHarness  # noqa: PLC0415  where a case needs it

    running = request.getfixturevalue("local_server")
    async with Wire("127.0.0.1", running.port) as wire:
        harness = ServerHarness(folder, running, wire.port)
        harness.wire = wire
        yield harness
        await harness.aclose()


FAR = {"kubernetes": kubernetes, "server-local": server}


@pytest.fixture(params=[pytest.param("kubernetes", marks=pytest.mark.node), "server-local"])
async def harness(request, tmp_path, monkeypatch):
    """`near` is the same place by a good network."""
    for name, seconds in HURRY.items():
        monkeypatch.setattr(name, seconds)
    async with FAR[request.param](request, tmp_path) as made:
        yield made


@pytest.fixture
def quickly_impatient(monkeypatch):
    for name, seconds in SILENCE.items():
        monkeypatch.setattr(name, seconds)


@pytest.fixture
def wire(harness):
    return harness.wire


class Look:
    """What a watch has told so far."""

    def __init__(self, backend):
        self.jobs, self.link = {}, None
        self._backend, self._news = backend, asyncio.Condition()

    async def run(self):
        async with contextlib.aclosing(self._backend.watch([Scope()])) as batches:
            async for batch in batches:
                for event in batch:
                    match event:
                        case Snapshot() | Changed():
                            self.jobs.update((job.name, job) for job in event.jobs)
                        case Gone():
                            for ref in event.refs:
                                del self.jobs[ref.name]
                        case Freshness():
                            self.link = event
                async with self._news:
                    self._news.notify_all()

    async def until(self, holds):
        async with asyncio.timeout(DEADLINE), self._news:
            await self._news.wait_for(lambda: self.link and holds())

    def live(self):
        return self.link.state == FreshnessState.LIVE

    def states(self):
        return {name: job.state for name, job in self.jobs.items()}


@pytest.fixture
async def look(backend):
    made = Look(backend)
    task = asyncio.create_task(made.run())
    yield made
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def delete(backend, ref):
    return [step async for step in backend.delete(ref)]


async def test_all_is_as_ever_where_it_is_slow(harness, backend, wire):
    wire.latency, wire.bandwidth, wire.piece = 0.01, 400_000, 1400
    spec = harness.spec("seq 3000; sleep 600", name="slow")
    assert (await backend.plan(spec)).errors == ()
    job = await backend.create(spec, key="k", secrets={})
    await until(backend, job.ref, lambda job: job.state == JobState.RUNNING)
    assert await log_text(backend, job.ref) == b"".join(b"%d\n" % number for number in range(1, 3001))
    await backend.stop(job.ref)
    assert (await finished(backend, job.ref)).state == JobState.STOPPED
    await delete(backend, job.ref)
    assert (await backend.list(JobQuery())).items == ()


async def test_a_refresh_does_not_wait_for_the_next_try(harness, backend, wire, look, monkeypatch):
    await backend.create(harness.spec("sleep 600", name="job"), key="k", secrets={})
    await look.until(lambda: look.live() and "job" in look.jobs)
    monkeypatch.setattr("backend_client.backoff.Backoff.next", lambda _: 0.05 if look.live() else 9999)
    await wire.down()
    await look.until(lambda: not look.live())
    await wire.up()
    await backend.refresh()
    await look.until(look.live)
    assert look.jobs.keys() == {"job"}


async def test_a_watch_that_is_cut_anywhere_tells_the_truth_again(harness, wire, look):
    """Notes make the events long: they come in many pieces, and most cuts are within a line."""
    near = harness.near
    wire.piece, wire.limits = 5000, [40_000, 1, 90_000, 33_333, 150_000, 71, 200_000, 99_999, 5, 250_000]
    specs = [harness.spec("sleep 600", name=f"n{n}", annotations={"note": "x" * 40_000}) for n in range(6)]
    jobs = [await near.create(spec, key=spec.name, secrets={}) for spec in specs]
    running = lambda job: job.state == JobState.RUNNING  # noqa: E731  short
    await asyncio.gather(*(until(near, job.ref, running) for job in jobs))
    await near.stop(jobs[0].ref)
    await asyncio.gather(delete(near, jobs[1].ref), delete(near, jobs[2].ref))
    await finished(near, jobs[0].ref)
    wanted = {"n0": JobState.STOPPED} | dict.fromkeys(("n3", "n4", "n5"), JobState.RUNNING)
    while wire.cuts < 5:  # of what changes quickly a busy server tells less often than it changes
        await look.until(lambda: look.live() and look.states() == wanted)
        more = replace(specs[0], name=f"n{len(specs)}")
        specs.append(more)
        wanted[more.name] = JobState.RUNNING
        await near.create(more, key=more.name, secrets={})
    wire.limits.clear()
    await look.until(lambda: look.live() and look.states() == wanted)


async def test_a_log_that_is_cut_anywhere_has_every_line_once(harness, backend, wire):
    ranks = 2 if Feature.RANKS in backend.features else 1
    script = "for i in $(seq 40); do seq $((i * 1000)) $((i * 1000 + 499)); sleep 0.05; done"
    job = await backend.create(harness.spec(script, nodes=ranks), key="k", secrets={})
    wire.limits = [30_000, 41_000, 100, 52_000, 3_000, 77_777, 20_001, 90_000, 64_000, 33_333, 121_212]
    items = []
    async with asyncio.timeout(100):
        async for batch in follow(backend, LogQuery(ref=job.ref, follow=True), random_part=lambda: 0.05):
            items += batch
    whole = b"".join(b"%d\n" % number for i in range(1, 41) for number in range(i * 1000, i * 1000 + 500))
    for rank in range(ranks):
        assert text([i for i in items if isinstance(i, Lines) and i.source.rank == rank]) == whole
    ends = [item for item in items if isinstance(item, Closed)]
    assert not any(isinstance(item, Gap) for item in items)
    assert sum(isinstance(item, Opened) for item in items) == ranks
    assert wire.cuts >= 5
    assert [end.lost for end in ends] == [True] * (len(ends) - 1) + [False]


@pytest.mark.usefixtures("quickly_impatient")
async def test_silence_is_noticed_and_what_is_known_stays(harness, wire, look):
    job = await harness.near.create(harness.spec("sleep 600", name="one"), key="1", secrets={})
    await look.until(lambda: look.live() and look.states() == {"one": JobState.RUNNING})
    wire.silence()
    await look.until(lambda: look.link.state == FreshnessState.STALE)
    assert "no answer" in look.link.why
    assert look.states() == {"one": JobState.RUNNING}
    await harness.near.create(harness.spec("sleep 600", name="two"), key="2", secrets={})
    await delete(harness.near, job.ref)
    wire.speak()
    await look.until(lambda: look.live() and look.states() == {"two": JobState.RUNNING})


async def test_what_is_down_is_said_in_words_and_comes_back(harness, backend, wire, look):
    spec = harness.spec("sleep 600", name="one")
    await look.until(look.live)
    await wire.down()
    for act in (backend.list(JobQuery()), backend.plan(spec), backend.create(spec, key="k", secrets={})):
        with pytest.raises(Unreachable, match="cannot be reached") as caught:
            await act
        assert caught.value.hint
    await look.until(lambda: look.link.state == FreshnessState.STALE)
    await wire.up()
    job = await backend.create(spec, key="k", secrets={})
    await look.until(lambda: look.live() and "one" in look.jobs)
    assert [one.ref.uid for one in (await harness.near.list(JobQuery())).items] == [job.ref.uid]
