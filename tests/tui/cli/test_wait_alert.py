"""`wait --alert`: it ends with a sentence and 123 when an alert fires, and with the job's own code else."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from backend_client.contexts import LocalContext
from backend_client.models import Attempt, Job, JobState, JobUsage, Loss, Progress
from backend_client.protocol import Changed, Feature, WatchEvent
from tests.support.scripted import ScriptedBackend, make_job
from tui.cli.alert_flag import AlertFired, alert_rules
from tui.cli.alerted_wait import AlertedWait
from tui.cli.wait import wait_until


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("silent", {"silent": "on"}),
        ("gpu-idle=45m, silent", {"gpu-idle": "45m", "silent": "on"}),
        ("restarts=2", {"restarts": "2"}),
    ],
)
def test_the_flag(text: str, rules: dict[str, str]):
    assert alert_rules(text) == rules


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("gpu-idel", "did you mean gpu-idle?"),
        ("gpu-idle=soon", "soon is no time"),
        ("silent=off", "cannot be off"),
        ("", "there is no alert"),
    ],
)
def test_a_wrong_flag_is_said_and_is_125(cli, text: str, says: str):
    result = cli("wait", "a", "--alert", text)
    assert result.code == 125
    assert says in result.err


class Training(ScriptedBackend):
    """A job whose log tells losses as soon as somebody watches."""

    def __init__(self, *losses: Loss, end: JobState | None = None, **more: object) -> None:
        super().__init__([make_job("a", started=datetime.now(UTC), **more)])
        self.losses, self.end = losses, end

    async def watch(self, scopes):
        async for events in super().watch(scopes):
            yield events
            while self.losses:
                loss, *self.losses = self.losses
                step = 100 - len(self.losses)
                yield [self._told(progress=Progress(step=step, loss=loss, updated=datetime.now(UTC)))]
            if self.end:
                yield [self._told(state=self.end, finished=datetime.now(UTC))]

    def _told(self, **fields: object) -> WatchEvent:
        return Changed((self.change("uid-a", **fields),))


@pytest.fixture
def trains(monkeypatch: pytest.MonkeyPatch):
    """Make the context local that of a training job."""

    def make(*losses: Loss, **more: object) -> Training:
        backend = Training(*losses, **more)
        monkeypatch.setattr(LocalContext, "open", lambda self, name: backend)
        return backend

    return make


def test_an_alert_ends_it_with_a_sentence_and_123(cli, trains):
    backend = trains(2.0, 1.9, "nan", "nan")
    result = cli("wait", "a", "--alert", "loss,gpu-idle=30m")
    assert result.code == 123
    first, last = result.err.splitlines()[0], result.err.splitlines()[-1]
    assert first.startswith("looks for loss, gpu-idle while it waits; when it ends, nothing tells")
    assert last.startswith("alert loss: ")
    assert "nan" in last
    assert ("look", (backend.jobs["uid-a"].ref,)) in backend.calls


@pytest.mark.parametrize(("end", "code"), [(JobState.SUCCEEDED, 0), (JobState.STOPPED, 143)])
def test_the_end_of_the_job_is_its_own(cli, trains, end: JobState, code: int):
    trains(2.0, 1.9, 1.8, end=end)
    assert cli("wait", "a", "--alert", "loss").code == code


def test_only_what_is_asked_for_ends_it(cli, trains):
    trains(2.0, 1.9, "nan", "nan", end=JobState.SUCCEEDED)
    assert cli("wait", "a", "--alert", "gpu-idle").code == 0


def test_where_nobody_tells_of_gpus_that_is_said(cli, trains):
    backend = trains(end=JobState.SUCCEEDED)
    backend.missing_features = {Feature.METRICS: "no figures here"}
    backend.features = frozenset(Feature) - {Feature.METRICS}
    result = cli("wait", "a", "--alert", "gpu-idle")
    assert "gpu-idle cannot be told here: no figures here" in result.err


def test_a_time_out_and_a_job_that_is_not_there_keep_their_codes(cli, trains):
    trains()
    assert cli("wait", "a", "--alert", "loss", "--timeout", "1").code == 124
    assert cli("wait", "nope", "--alert", "loss").code == 125


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 30, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=30)
        return self.now


async def test_time_alone_can_fire_it():
    """An idle job tells nothing new: the rules are run all the same."""
    clock = Clock()
    begun = clock.now
    job = make_job(
        "a",
        gpus=1,
        created=begun,
        started=begun,
        attempts=(Attempt(number=1, started=begun),),
        usage=JobUsage(gpu=0.0, gpu_min=0.0),
    )
    backend = ScriptedBackend([job])
    alerted = AlertedWait(backend, {"gpu-idle": "5m"}, [job.ref], clock, every=0.001)
    await alerted.start()

    def has_ended(job: Job) -> bool:
        return job.ended

    async with asyncio.timeout(60):
        with pytest.raises(AlertFired) as fired:
            await alerted.run(wait_until(backend, job.ref, has_ended, alerted.look))
    assert fired.value.alert.rule == "gpu-idle"
    assert backend._watchers == []
