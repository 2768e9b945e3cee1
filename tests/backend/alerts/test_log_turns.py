"""Whose log is read: every running job whose rules need it, in turn, and never at the cost of who looks."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from backend.alerts.log_turns import TURN_SECONDS, LogTurns, needs_log
from backend.clusters.hub import Hub
from backend.jobs.visible_jobs import WATCHED_AT_LEAST, VisibleJobsRegistry
from backend_client.models import JobSpec, JobState, JobUsage
from backend_client.progress.sampler import MOST_JOBS
from backend_client.protocol import Changed
from backend_client.server.bodies import VisibleJobs
from tests.backend.clusters.test_hub import ANN, job
from tests.backend.jobs.test_visible_jobs import Clock, caller
from tests.support.scripted import ScriptedBackend

START = datetime(2026, 11, 30, 9, tzinfo=UTC)
OFF = dict.fromkeys(("silent", "loss", "max-runtime", "gpu-idle"), "off")


class Lab:
    """A cluster of many running jobs, and a machine, which reads its jobs itself."""

    def __init__(self):
        self.hub, self.clock, self.wishes = Hub(), Clock(), {}
        self.backend = ScriptedBackend()
        clusters = [SimpleNamespace(name="c", backend=self.backend)]
        self.visible_jobs = VisibleJobsRegistry(self.hub, clusters, self.clock)
        self.turns = LogTurns(
            self.hub, self.visible_jobs, lambda _: self.wishes, lambda cluster: cluster == "local", self.time
        )

    def time(self):
        return START + timedelta(seconds=self.clock.now)

    def run(self, count):
        for number in range(count):
            self.hub.claim(ANN, job(f"j{number:03}"))

    def last(self):
        """Return the jobs that the cluster was last told to read, as far as it does."""
        refs = [refs for name, refs in self.backend.calls if name == "look"][-1]
        return [ref.uid for ref in refs[:MOST_JOBS]]


@pytest.fixture
def lab():
    return Lab()


async def test_everybody_has_a_turn(lab):
    lab.run(120)
    read = set()
    for turn in range(1, 4):
        await lab.turns.turn()
        read |= set(lab.last())
        assert len(read) == min(120, turn * MOST_JOBS)
        lab.clock.now += TURN_SECONDS


async def test_who_looks_comes_first_and_alerts_have_their_places(lab):
    lab.run(120)
    looked_at = tuple(f"j{number:03}" for number in range(60))
    await lab.visible_jobs.set_visible_jobs(caller(ANN), VisibleJobs("s", looked_at))
    await lab.turns.turn()
    told = lab.last()
    assert told[: MOST_JOBS - WATCHED_AT_LEAST] == [*looked_at[: MOST_JOBS - WATCHED_AT_LEAST]]
    assert not {*told[MOST_JOBS - WATCHED_AT_LEAST :]} & {*looked_at}
    await lab.visible_jobs.set_visible_jobs(caller(ANN), VisibleJobs("s", looked_at[:5]))
    assert lab.last()[:5] == [*looked_at[:5]]
    assert len(lab.last()) == MOST_JOBS


async def test_only_running_jobs_with_a_rule_that_needs_it(lab):
    lab.run(2)
    lab.hub.claim(ANN, job("waits", state=JobState.QUEUED))
    lab.hub.claim(ANN, job("here", cluster="local"))
    await lab.turns.turn()
    assert lab.last() == ["j000", "j001"]
    lab.wishes = OFF
    await lab.turns.turn()
    assert lab.last() == []


async def test_a_log_has_been_read_when_its_turn_is_over(lab):
    lab.run(MOST_JOBS + 1)
    first, last = job("j000"), job(f"j{MOST_JOBS:03}")
    begins = []
    for turn in range(4):
        begins.append(lab.time())
        await lab.turns.turn()
        read = [lab.turns.read_until(one, lab.time()) for one in (first, last)]
        assert read == [begins[turn - 1] if turn else None, begins[1] if turn > 1 else None]
        lab.clock.now += TURN_SECONDS
    lab.hub.apply("c", [Changed((job("j000", state=JobState.SUCCEEDED),))])
    await lab.turns.turn()
    assert lab.turns.read_until(first, lab.time()) is None
    assert lab.turns.read_until(job("x", cluster="local"), lab.time()) == lab.time()


@pytest.mark.parametrize(
    ("more", "on", "needed"),
    [
        ({}, {"silent": 1.0}, True),
        ({}, {"loss": 0.0}, True),
        ({}, {"failed": 0.0, "max-runtime": 0.1, "gpu-idle": 1800.0}, False),
        ({"usage": JobUsage(gpu=0.0)}, {"gpu-idle": 1800.0}, True),
        ({"usage": JobUsage(gpu=0.9)}, {"gpu-idle": 1800.0}, False),
        ({"usage": JobUsage(gpu=0.0)}, {"failed": 0.0}, False),
        ({"spec": JobSpec(command=("x",), max_runtime=3600)}, {"max-runtime": 0.1}, True),
    ],
)
def test_a_log_is_read_for_a_rule_that_it_can_change(more, on, needed):
    assert needs_log(replace(job("j"), **more), on) is needed
