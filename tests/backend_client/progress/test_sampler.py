"""Short looks at logs: how many at once, how often, and at which jobs."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

import pytest
from msgspec.structs import replace

from backend_client.errors import BackendError, Forbidden, NotFound, Unreachable
from backend_client.models import Job, JobState
from backend_client.progress.sampler import AT_ONCE, EVERY_SECONDS, MOST_JOBS, ProgressSampler
from backend_client.protocol import Changed, Closed, Gone, Lines, LogItem, LogQuery, LogSource, Snapshot
from tests.support.scripted import attempt, make_job
from tests.support.wait import async_until


def running(name: str = "a", **more: object) -> Job:
    job = make_job(name, **more)
    return replace(job, attempts=(attempt(exit_code=None, started=job.created),))


def ended(job: Job, state: JobState = JobState.SUCCEEDED) -> Job:
    return replace(job, state=state, finished=job.created, attempts=(replace(job.attempts[0], exit_code=0),))


class Logs:
    """A cluster's logs, the clock, and what was asked of them."""

    def __init__(self) -> None:
        self.now = 0.0
        self.lines: dict[str, str] = {}
        self.fail: BackendError | None = None
        self.asked: list[LogQuery] = []
        self.open = self.most = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.told: list[str] = []
        self.glances = ProgressSampler(self.read, clock=lambda: self.now)

    async def read(self, query: LogQuery) -> AsyncGenerator[Sequence[LogItem], None]:
        self.asked.append(query)
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            await self.gate.wait()
            if self.fail:
                raise self.fail
            line = self.lines.get(query.ref.uid, "step 3/10 loss 0.25").encode()
            yield [Lines(source=LogSource(1, query.rank or 0), lines=[line], times=[int(self.now) + 1])]
            yield [Closed("this is all so far")]
        finally:
            self.open -= 1

    @property
    def names(self) -> list[str]:
        """Whose logs were asked for since the last time."""
        names = [query.ref.name for query in self.asked]
        self.asked.clear()
        return names

    async def settle(self) -> None:
        """Until nothing is being read."""
        async with asyncio.timeout(60):
            while self.glances._readers:
                await asyncio.sleep(0)

    async def after(self, seconds: float) -> list[str]:
        """Whose logs are asked for by then."""
        self.now += seconds
        self.glances.observe([])
        await self.settle()
        return self.names


@pytest.fixture
async def logs() -> AsyncIterator[Logs]:
    made = Logs()
    with made.glances.subscribe(made.told.append):
        yield made
    await made.glances.aclose()
    assert not made.open


async def test_what_is_looked_at_is_read_and_told(logs: Logs):
    one, two = running("one"), running("two")
    logs.glances.observe([Snapshot((one, two))])
    logs.glances.set_visible_jobs([two.ref])
    await logs.settle()
    assert (logs.names, logs.told) == (["two"], [two.ref.uid])
    seen = logs.glances.progress[two.ref.uid]
    assert (seen.step, seen.total, seen.loss) == (3, 10, 0.25)


async def test_a_look_may_come_before_the_list(logs: Logs):
    job = running()
    logs.glances.set_visible_jobs([job.ref])
    assert await logs.after(0) == []
    logs.glances.observe([Snapshot((job,))])
    assert await logs.after(0) == ["a"]


async def test_a_few_at_once_the_first_first_and_none_again_before_its_time(logs: Logs):
    jobs = [running(f"job-{n:02}") for n in range(MOST_JOBS + 20)]
    logs.gate.clear()
    logs.glances.observe([Snapshot(tuple(jobs))])
    logs.glances.set_visible_jobs([job.ref for job in jobs])
    while logs.open < AT_ONCE:
        await asyncio.sleep(0)
    logs.gate.set()
    await logs.settle()
    assert (logs.most, logs.names) == (AT_ONCE, [job.name for job in jobs[:MOST_JOBS]])
    assert await logs.after(EVERY_SECONDS - 0.1) == []
    assert sorted(await logs.after(0.1)) == [job.name for job in jobs[:MOST_JOBS]]


@pytest.mark.parametrize("error", [Forbidden("no"), NotFound("gone"), Unreachable("away")])
async def test_a_failure_is_silent_and_comes_no_sooner(logs: Logs, error: BackendError):
    job = running()
    logs.fail = error
    logs.glances.observe([Snapshot((job,))])
    logs.glances.set_visible_jobs([job.ref])
    assert await logs.after(0) == ["a"]
    logs.glances.set_visible_jobs([])
    logs.glances.set_visible_jobs([job.ref])
    logs.glances.observe([Changed((replace(job, restarts=1),))])
    assert (await logs.after(EVERY_SECONDS - 1), logs.told) == ([], [])
    logs.fail = None
    assert (await logs.after(1), logs.told) == (["a"], [job.ref.uid])


async def test_nothing_is_read_of_what_nobody_looks_at_or_watches(logs: Logs):
    job = running()
    logs.glances.observe([Snapshot((job,))])
    assert await logs.after(0) == []
    logs.glances.set_visible_jobs([job.ref])
    await logs.settle()
    logs.glances.set_visible_jobs([])
    assert (await logs.after(0), await logs.after(1000)) == (["a"], [])
    quiet = ProgressSampler(logs.read)
    quiet.observe([Snapshot((job,))])
    quiet.set_visible_jobs([job.ref])
    assert not quiet._readers
    assert quiet._wake is None


@pytest.mark.parametrize("state", [s for s in JobState if s is not JobState.RUNNING and not s.ended])
async def test_only_what_runs_has_news(logs: Logs, state: JobState):
    job = replace(running(), state=state)
    logs.glances.observe([Snapshot((job,))])
    logs.glances.set_visible_jobs([job.ref])
    assert await logs.after(0) == []


async def test_the_last_lines_are_read_once_after_the_end(logs: Logs):
    job = running()
    logs.glances.observe([Snapshot((job,))])
    logs.glances.set_visible_jobs([job.ref])
    assert await logs.after(0) == ["a"]
    logs.lines[job.ref.uid] = "step 10/10 loss 0.125"
    logs.glances.observe([Changed((ended(job),))])
    assert await logs.after(EVERY_SECONDS) == ["a"]
    assert logs.glances.progress[job.ref.uid].loss == 0.125
    assert await logs.after(EVERY_SECONDS) == []


async def test_an_end_that_could_not_be_read_is_tried_again(logs: Logs):
    job = ended(running())
    logs.fail = Unreachable("away")
    logs.glances.observe([Snapshot((job,))])
    logs.glances.set_visible_jobs([job.ref])
    assert [await logs.after(0), await logs.after(EVERY_SECONDS)] == [["a"], ["a"]]
    logs.fail = NotFound("its pod is gone")
    assert [await logs.after(EVERY_SECONDS), await logs.after(EVERY_SECONDS)] == [["a"], []]


async def test_a_followed_log_is_listened_to_instead(logs: Logs):
    job = running()
    logs.glances.observe([Snapshot((job,))])
    with logs.glances.tap(job.ref) as hear:
        logs.glances.set_visible_jobs([job.ref])
        hear([Lines(source=LogSource(1), lines=[b"step 7/10 loss 0.5"], times=[1])])
        await async_until(lambda: logs.told)
        assert await logs.after(EVERY_SECONDS) == []
        assert logs.glances.progress[job.ref.uid].step == 7
        hear([Lines(source=LogSource(1), lines=[b"saved"], times=[2])])
    assert await logs.after(EVERY_SECONDS - 1) == []
    assert await logs.after(1) == ["a"]


async def test_of_many_ranks_one_is_read_the_first_or_the_last(logs: Logs):
    job = running()
    job = replace(job, spec=replace(job.spec, nodes=8))
    logs.lines[job.ref.uid] = "waiting"
    logs.glances.observe([Snapshot((job,))])
    logs.glances.set_visible_jobs([job.ref])
    for rank in (0, 7, 0, 7, 7):
        await logs.settle()
        assert logs.asked[-1].rank == rank
        if len(logs.asked) == 3:
            logs.lines[job.ref.uid] = "step 3/10 loss 0.25"
        logs.now += EVERY_SECONDS
        logs.glances.observe([])


async def test_what_is_gone_is_forgotten(logs: Logs):
    job = running()
    logs.glances.observe([Snapshot((job,))])
    logs.glances.set_visible_jobs([job.ref])
    await logs.settle()
    logs.glances.observe([Gone((job.ref,))])
    assert not logs.glances.progress


async def test_all_ends_with_aclose(logs: Logs):
    logs.gate.clear()
    job = running()
    logs.glances.observe([Snapshot((job,))])
    logs.glances.set_visible_jobs([job.ref])
    while not logs.open:
        await asyncio.sleep(0)
    await logs.glances.aclose()
    assert not logs.open
