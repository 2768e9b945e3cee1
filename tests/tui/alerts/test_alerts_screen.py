"""Alerts by keyboard: listed, seen, snoozed, muted; counted in the header, told of once by the bell."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from backend_client.alerts.alert import AlertState, Delivery, DeliveryState
from backend_client.errors import NotFound, Unreachable
from backend_client.models import JobState
from backend_client.protocol import Feature, FreshnessState
from tests.support.scripted import ScriptedBackend, make_alert, make_job
from tests.tui.support.deck import Deck, deck
from tui.alerts import alert_feed
from tui.settings.model import AlertSettings, Settings

BELL = "\x07\x1b]777;notify;traindeck;"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TMUX", "STY", "TERM_PROGRAM", "LC_TERMINAL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "foot")
    monkeypatch.setattr(alert_feed, "ASK_SECONDS", 0.05)
    monkeypatch.setattr(alert_feed, "_SOON", 0.01)


def lab(*alerts: str) -> ScriptedBackend:
    backend = ScriptedBackend([make_job("bert-ft"), make_job("other")])
    backend.fire(*(make_alert(name) for name in alerts))
    return backend


def alone(**more: object) -> ScriptedBackend:
    """A context that sends no alerts itself."""
    jobs = [make_job("bert-ft", **more), make_job("other")]
    return ScriptedBackend(jobs, lacks={Feature.ALERTS: "a server sends them at any time"})


def header(running: Deck) -> str:
    return running.shown.splitlines()[0]


async def asked_again(running: Deck, times: int = 2) -> None:
    """Wait until the alerts were asked for as many times more."""

    def asked() -> int:
        return sum(name == "alerts" for name, _ in running.backend.calls)

    before = asked()
    await running.until(lambda: asked() >= before + times)


# The header and the bell, with a server


async def test_what_fires_is_counted_in_the_header_and_nothing_before_the_start_rings(tmp_path: Path):
    async with deck(lab("bert-ft", "other"), tmp_path=tmp_path) as running:
        await running.until(lambda: "  2 alerts  " in header(running))
        await asked_again(running)
        assert BELL not in running.sent
        running.backend.fired.clear()
        await running.until(lambda: "alert" not in header(running))


async def test_a_new_alert_rings_once(tmp_path: Path):
    async with deck(lab("bert-ft"), tmp_path=tmp_path) as running:
        await running.until(lambda: "1 alert " in header(running))
        running.backend.fire(make_alert("other"))
        await running.until("no GPU of other was used")
        await running.until(lambda: f"{BELL}no GPU of other was used for 30 min\x07" in running.sent)
        await asked_again(running, 3)
        assert running.sent.count(BELL) == 1


async def test_several_at_a_time_are_one_bell(tmp_path: Path):
    async with deck(lab(), tmp_path=tmp_path) as running:
        await asked_again(running)
        running.backend.fire(*(make_alert("bert-ft", rule) for rule in ("gpu-idle", "silent", "loss")))
        await running.until(lambda: ", and 2 more\x07" in running.sent)
        running.backend.fire(make_alert("other"))
        await running.until(lambda: "4 alerts" in header(running))
        await asked_again(running)
        assert running.sent.count(BELL) == 1


async def test_the_setting_takes_the_bell_away_and_the_words_stay(tmp_path: Path):
    settings = Settings(alerts=AlertSettings(bell=False))
    async with deck(lab(), tmp_path=tmp_path, settings=settings) as running:
        await asked_again(running)
        running.backend.fire(make_alert("other"))
        await running.until("no GPU of other was used")
        await asked_again(running)
        assert BELL not in running.sent


async def test_the_end_of_a_watched_job_is_one_bell(tmp_path: Path):
    """`b` tells of it at once, the server's alert comes later."""
    async with deck(lab(), tmp_path=tmp_path) as running:
        await asked_again(running)
        running.app.screen.query_one("JobList").move_cursor("uid-bert-ft")
        await running.press("b")
        await running.until("You are told when it ends: bert-ft")
        running.backend.change("uid-bert-ft", state=JobState.FAILED, reason="exit 1")
        await running.until(lambda: f"{BELL}bert-ft has ended" in running.sent)
        running.backend.fire(make_alert("bert-ft", "failed", sentence="bert-ft failed: exit 1"))
        await running.until(lambda: "1 alert" in header(running))
        await asked_again(running)
        assert running.sent.count(BELL) == 1


async def test_a_server_that_does_not_answer_is_unknown_not_none(tmp_path: Path):
    backend = lab("bert-ft")
    backend.fail["alerts"] = Unreachable("lab does not answer.")
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.until(lambda: "alerts unknown" in header(running))
        await running.press("A")
        await running.until("lab does not answer.")
        assert "Nothing has fired" not in running.shown
        del backend.fail["alerts"]
        await running.press("f5")
        await running.until("no GPU of bert-ft was used")
        await running.press("escape")
        await running.until(lambda: "1 alert" in header(running))


async def test_one_that_never_answers_holds_nothing_up(tmp_path: Path):
    backend = lab("bert-ft")
    backend.hold_alerts.clear()
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("A")
        await running.until("reading ...")
        await running.press("escape")
        await running.until("PROGRESS")
        backend.hold_alerts.set()
        await running.until(lambda: "1 alert" in header(running))


async def test_a_job_that_fails_has_the_server_asked_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(alert_feed, "ASK_SECONDS", 3600.0)
    async with deck(lab(), tmp_path=tmp_path) as running:
        await running.until(lambda: ("alerts", None) in running.backend.calls)
        running.backend.fire(make_alert("bert-ft", "failed"))
        running.backend.change("uid-bert-ft", state=JobState.FAILED)
        await running.until(lambda: "1 alert" in header(running))


# The rules here, without a server


async def test_without_a_server_the_rules_run_here_and_say_that_they_end(tmp_path: Path):
    async with deck(alone(), tmp_path=tmp_path) as running:
        assert not [name for name, _ in running.backend.calls if name == "alerts"]
        running.backend.change(
            "uid-bert-ft", state=JobState.FAILED, reason="exit 1", finished=datetime.now(UTC)
        )
        await running.until(lambda: "1 alert" in header(running))
        await running.until(lambda: f"{BELL}bert-ft failed: exit 1" in running.sent)
        await running.press("A")
        await running.until("bert-ft failed: exit 1")
        await running.until("only while it is open")
        await running.press("space")
        await running.until(" seen ")
        await running.press("escape")
        await running.until(lambda: "alert" not in header(running))
        assert running.sent.count(BELL) == 1


async def test_a_job_that_had_failed_before_is_none(tmp_path: Path):
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    async with deck(alone(state=JobState.FAILED, finished=long_ago), tmp_path=tmp_path) as running:
        await running.until("Failed")
        await running.press("A")
        await running.until("Nothing has fired.")
        assert not {"detail", "snooze", "mute"} & set(running.shown.splitlines()[-1].split())
        assert BELL not in running.sent


async def test_what_was_told_here_outlives_a_look_at_another_context(tmp_path: Path):
    async with deck(alone(), tmp_path=tmp_path) as running:
        running.backend.change("uid-bert-ft", state=JobState.FAILED, finished=datetime.now(UTC))
        await running.until(lambda: "1 alert" in header(running))
        await running.until(lambda: BELL in running.sent)
        running.app.switch_to("other")
        await running.until("No jobs yet")
        assert "alert" not in header(running)
        running.app.switch_to("scripted")
        await running.until(lambda: "1 alert" in header(running))
        await running.quiet()
        assert running.sent.count(BELL) == 1


async def test_nothing_is_loaded_or_called_while_nothing_runs(tmp_path: Path):
    backend = alone()
    backend.jobs = {job.ref.uid: job for job in [make_job("old", JobState.SUCCEEDED)]}
    async with deck(backend, tmp_path=tmp_path) as running:
        alerts = running.app.screen.feed.alerts
        assert alerts._memory.watch is None
        assert not alerts._ticks
        assert await running.sent_while_idle() == ""


async def test_the_rules_here_stand_still_while_the_link_is_down(tmp_path: Path):
    async with deck(alone(), tmp_path=tmp_path) as running:
        running.backend.set_link(FreshnessState.STALE, "no answer")
        await running.until("no answer")
        running.backend.change("uid-bert-ft", state=JobState.FAILED, finished=datetime.now(UTC))
        await running.until("Failed")
        await running.quiet()
        assert "alert" not in header(running)
        running.backend.set_link(FreshnessState.LIVE)
        await running.until(lambda: "1 alert" in header(running))


# The screen


async def test_the_list_the_detail_below_and_what_could_not_be_sent(tmp_path: Path):
    backend = lab()
    gave_up = Delivery(channel="hook", state=DeliveryState.FAILED, tries=9, why="answers 500")
    backend.fire(
        make_alert("bert-ft", deliveries=(gave_up,)),
        make_alert(
            "other", "loss", sentence="the loss of other is nan", fired=datetime(2026, 1, 1, tzinfo=UTC)
        ),
    )
    backend.fire(
        replace(backend.fired["loss-uid-other"], state=AlertState.RECOVERED, recovered=datetime.now(UTC))
    )
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("A")
        await running.until("not sent: no GPU")
        lines = running.shown.splitlines()
        assert lines[0] == " scripted  alerts"
        assert lines[1].split() == "SINCE STANDS JOB WHAT IS SO".split()
        assert lines[2].split()[:3] == ["10m", "firing", "bert-ft"]
        assert lines[3].split()[1:3] == ["recovered", "other"]
        await running.until("hook: given up after 9 tries: answers 500")
        await running.press("j")
        await running.until("rule loss")
        assert "hook:" not in running.shown


async def test_seen_snoozed_and_muted_by_key(tmp_path: Path):
    backend = lab("bert-ft")
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.until(lambda: "1 alert" in header(running))
        await running.press("A")
        await running.until("firing")
        await running.press("z")
        await running.until("Tell of it no more for")
        await running.press("down", "enter")
        await running.until("snoozed until")
        (until,) = [about[1] for name, about in backend.calls if name == "snooze"]
        assert timedelta(hours=3.9) < until - datetime.now(UTC) < timedelta(hours=4.1)
        await running.press("space")
        await running.until("seen by me")
        await running.press("m")
        await running.until("Never tell of gpu-idle for bert-ft again?")
        await running.press("escape")
        await running.until(lambda: "Never tell" not in running.shown)
        assert not [name for name, _ in backend.calls if name == "silence"]
        await running.press("m")
        await running.until("Never tell of gpu-idle")
        await running.press("y")
        await running.until(lambda: ("silence", "gpu-idle-uid-bert-ft") in backend.calls)
        await running.press("escape")
        await running.until(lambda: "alert" not in header(running))


async def test_all_that_fires_is_seen_at_once(tmp_path: Path):
    backend = lab("bert-ft", "other")
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("A")
        await running.until("no GPU of other")
        await running.press("S")
        await running.until(lambda: running.shown.count(" seen ") >= 2)
        assert all(alert.acknowledged for alert in backend.fired.values())


async def test_the_job_and_its_log_are_a_key_away_and_a_job_that_is_gone_is_said(tmp_path: Path):
    backend = lab("bert-ft", "gone")
    backend.logs_of["uid-bert-ft"] = [b"step 1"]
    async with deck(backend, tmp_path=tmp_path) as running:
        running.app.screen.query_one("JobList").move_cursor("uid-bert-ft")
        await running.press("enter")
        await running.until("What happened")
        await running.press("A")
        await running.until("no GPU of bert-ft was used")
        await running.until(lambda: running.app.screen.alert.job.name == "bert-ft")
        await running.press("l")
        await running.until("step 1")
        await running.press("escape")
        await running.until("SINCE")
        await running.press("enter")
        await running.until("What happened")
        await running.press("escape")
        await running.until("SINCE")
        running.app.screen.query_one("OptionList").highlighted = next(
            at for at, alert in enumerate(running.app.screen._alerts) if alert.job.name == "gone"
        )
        await running.press("enter")
        await running.until("gone is not in your list of jobs.")


async def test_what_fails_is_said(tmp_path: Path):
    backend = lab("bert-ft")
    backend.fail["acknowledge"] = NotFound("There is no such alert any more.")
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("A")
        await running.until("firing")
        await running.press("space")
        await running.until("It was not acknowledged")
        await running.until("There is no such alert any more.")
        await running.press("escape")
        await running.until("firing")


async def test_a_read_only_run_changes_nothing(tmp_path: Path):
    backend = lab("bert-ft")
    async with deck(backend, tmp_path=tmp_path, read_only=True) as running:
        await running.press("A")
        await running.until("firing")
        assert "seen" not in running.shown.splitlines()[-1]
        await running.press("space", "z", "m", "S")
        await asked_again(running)
    assert not {"acknowledge", "snooze", "silence"} & {name for name, _ in backend.calls}


async def test_an_idle_screen_sends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tui.alerts.alerts_screen.REFRESH_SECONDS", 0.05)
    async with deck(lab("bert-ft"), tmp_path=tmp_path) as running:
        await running.press("A")
        await running.until("firing")
        assert await running.sent_while_idle() == ""
