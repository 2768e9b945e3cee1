"""The rules in an open program, over a scripted watch and clock; and what only this program remembers."""

from datetime import UTC, datetime, timedelta

import pytest

from backend_client.alerts.alert import Alert, HasAlerts, HasSilence
from backend_client.errors import NotFound
from backend_client.models import Attempt, Job, JobState, JobUsage
from backend_client.protocol import Changed, Freshness, FreshnessState, Gone, Snapshot, Synced, WatchEvent
from tests.support.scripted import make_job, make_jobs
from tui.alerts.alert_watch import AlertWatch

START = datetime(2026, 11, 30, 12, tzinfo=UTC)


class Clock:
    """A watch of alerts and its time."""

    def __init__(self, **rules: str) -> None:
        self.now = START
        self.watch = AlertWatch({rule.replace("_", "-"): text for rule, text in rules.items()}, START)

    def tell(self, *events: WatchEvent) -> None:
        self.watch.observe(events, self.now)

    def listed(self, *jobs: Job) -> None:
        self.tell(Snapshot(jobs), Synced(), Freshness(FreshnessState.LIVE, self.now))

    def wait(self, minutes: float, *events: WatchEvent) -> None:
        """Let time pass in the steps in which a program looks; it is told `events` each time."""
        for _ in range(round(minutes * 2)):
            self.now += timedelta(seconds=30)
            if events:
                self.tell(*events)
            self.watch.tick(self.now)

    @property
    def alerts(self) -> list[Alert]:
        return list(self.watch.current().items)

    @property
    def said(self) -> list[tuple[str, str]]:
        return [(alert.rule, alert.state.value) for alert in self.alerts]


def running(**more: object) -> Job:
    begun = Attempt(number=1, started=START)
    fields = {"gpus": 1, "created": START, "started": START, "attempts": (begun,)} | more
    return make_job("bert-ft", JobState.RUNNING, **fields)


def failed(name: str = "bert-ft", finished: datetime = START) -> Job:
    return make_job(name, JobState.FAILED, created=START, finished=finished, reason="exit 1")


def idle(share: float = 0.0) -> Changed:
    return Changed((running(usage=JobUsage(gpu=share, gpu_min=share)),))


def test_it_keeps_the_protocols():
    watch = Clock().watch
    assert isinstance(watch, HasAlerts)
    assert isinstance(watch, HasSilence)
    assert watch.current().ends_with_program


def test_a_failure_that_was_seen_fires_and_older_ones_do_not():
    clock = Clock()
    clock.listed(running(), failed("old", START - timedelta(hours=1)))
    assert clock.said == []
    clock.tell(Changed((failed(finished=clock.now),)))
    assert clock.said == [("failed", "firing")]
    clock.tell(Changed((failed(finished=clock.now),)))
    assert len(clock.alerts) == 1
    assert clock.alerts[0].sentence == "bert-ft failed: exit 1"


def test_a_job_that_was_made_and_failed_between_two_looks_fires():
    clock = Clock()
    clock.listed()
    clock.wait(1)
    clock.tell(Changed((failed(finished=clock.now),)))
    assert clock.said == [("failed", "firing")]


def test_an_idle_job_fires_and_recovers_once_each():
    clock = Clock(gpu_idle="5m")
    clock.listed(running())
    clock.wait(5, idle(0.9))
    clock.wait(30, idle())
    assert clock.said == [("gpu-idle", "firing")]
    clock.wait(1, idle(0.9))
    assert clock.said == [("gpu-idle", "recovered")]
    clock.wait(30, idle())
    assert sorted(clock.said) == [("gpu-idle", "firing"), ("gpu-idle", "recovered")]
    assert {alert.episode for alert in clock.alerts} == {1, 2}


def test_a_rule_that_is_off_tells_nothing():
    clock = Clock(gpu_idle="off", failed="off")
    clock.listed(running())
    clock.wait(60, idle())
    clock.tell(Changed((failed(finished=clock.now),)))
    assert clock.said == []


def test_nothing_fires_while_the_link_is_down():
    clock = Clock(gpu_idle="5m")
    clock.listed(running())
    clock.wait(5, idle(0.9))
    clock.tell(idle(), Freshness(FreshnessState.STALE, clock.now, "no answer"))
    clock.wait(120)
    assert clock.said == []


async def test_seen_snoozed_and_silenced():
    clock = Clock()
    clock.listed(running())
    clock.tell(Changed((failed(finished=clock.now),)))
    alert_id = clock.alerts[0].id
    assert (await clock.watch.acknowledge(alert_id)).acknowledged == clock.now
    until = clock.now + timedelta(hours=1)
    snoozed = await clock.watch.snooze(alert_id, until)
    assert (snoozed.snoozed_until, snoozed.acknowledged) == (until, None)
    assert (await clock.watch.silence(alert_id)).acknowledged
    with pytest.raises(NotFound):
        await clock.watch.acknowledge("nope")


async def test_a_silenced_rule_tells_no_more_of_that_job_and_others_go_on():
    clock = Clock(gpu_idle="5m")
    clock.listed(running())
    clock.wait(5, idle(0.9))
    clock.wait(30, idle())
    await clock.watch.silence(clock.alerts[0].id)
    clock.wait(1, idle(0.9))
    clock.wait(60, idle())
    assert clock.said == [("gpu-idle", "recovered")]
    clock.tell(Changed((failed(finished=clock.now),)))
    assert ("failed", "firing") in clock.said


def test_it_is_called_only_while_something_runs():
    clock = Clock()
    clock.listed(failed("old", START - timedelta(hours=1)))
    assert clock.watch.due() is None
    clock.tell(Changed((running(),)))
    assert clock.watch.due() is not None
    clock.tell(Gone((running().ref,)))
    assert clock.watch.due() is None


def test_a_job_that_is_gone_fires_no_more():
    clock = Clock()
    clock.listed(running())
    clock.tell(Changed((failed(finished=clock.now),)))
    clock.tell(Gone((running().ref,)))
    assert clock.said == [("failed", "recovered")]


def test_what_has_recovered_is_forgotten_after_days():
    clock = Clock(gpu_idle="5m")
    clock.listed(running())
    clock.wait(5, idle(0.9))
    clock.wait(30, idle())
    clock.wait(1, idle(0.9))
    clock.now += timedelta(days=4)
    clock.watch.tick(clock.now)
    assert clock.alerts == []


def test_a_list_that_is_read_again_gives_the_rules_only_what_is_of_interest(monkeypatch: pytest.MonkeyPatch):
    """Thousands of ended jobs cost the rules nothing, nor do jobs that have not changed."""
    clock = Clock()
    given: list[str] = []
    observe = clock.watch._engine.observe

    def spy(events: list[WatchEvent], now: datetime) -> None:
        given.extend(
            job.name for event in events if isinstance(event, Snapshot | Changed) for job in event.jobs
        )
        observe(events, now)

    monkeypatch.setattr(clock.watch._engine, "observe", spy)
    ended = [job for job in make_jobs(2000) if job.ended]
    clock.listed(running(), *ended)
    assert given == ["bert-ft"]
    clock.tell(Changed((make_job("new", JobState.PENDING),)))
    assert given == ["bert-ft", "new"]
