"""`b`: a watched end is told once, by a bell, a toast, and a notification where the terminal knows one."""

import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backend_client.models import JobState
from backend_client.protocol import Freshness, FreshnessState, Snapshot, Synced
from backend_client.text.sanitize import UNSAFE
from tests.support.hostile import TEXTS
from tests.support.scripted import ScriptedBackend, make_job
from tests.tui.support.deck import Deck, deck
from tui.jobs.store import JobStore
from tui.jobs.watched import WatchedJobs
from tui.ui.notify import bell_and_notification, notification, through_tmux

SAID = "\x1b]777;notify;traindeck;bert has ended: Failed: exit 1\x07"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TMUX", "STY", "TERM_PROGRAM", "LC_TERMINAL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "foot")


def backend() -> ScriptedBackend:
    return ScriptedBackend([make_job("bert"), make_job("other")])


async def watch_bert(running: Deck) -> None:
    running.app.screen.query_one("JobList").move_cursor("uid-bert")
    await running.press("b")
    await running.until("You are told when it ends: bert")


async def test_the_end_is_told_once(tmp_path: Path):
    async with deck(backend(), tmp_path=tmp_path) as running:
        await watch_bert(running)
        assert "b> bert" in running.shown
        running.backend.change("uid-bert", state=JobState.FAILED, reason="exit 1")
        await running.until("bert has ended: Failed: exit 1")
        await running.until(lambda: SAID in running.sent)
        running.backend.change("uid-bert", reason="exit 1, said again")
        running.backend.change("uid-other", state=JobState.FAILED)
        await running.quiet()
        assert running.sent.count("\x1b]777") == running.sent.count("\x07\x1b]777") == 1
        assert "b> " not in running.shown


async def test_an_end_while_nobody_was_connected_is_told_once(tmp_path: Path):
    async with deck(backend(), tmp_path=tmp_path) as running:
        await watch_bert(running)
        running.backend.set_link(FreshnessState.STALE, "no answer")
        ended = make_job("bert", JobState.FAILED, reason="exit 1")
        for _ in range(2):
            running.backend.tell(
                Snapshot((ended,)), Synced(), Freshness(FreshnessState.LIVE, datetime.now(UTC))
            )
            await running.until(lambda: SAID in running.sent)
            await running.quiet()
        assert running.sent.count("\x1b]777") == 1


async def test_an_end_in_another_context_is_told_on_the_way_back(tmp_path: Path):
    async with deck(backend(), tmp_path=tmp_path) as running:
        await watch_bert(running)
        running.app.switch_to("other")
        await running.until("No jobs yet")
        running.backend.jobs["uid-bert"] = make_job("bert", JobState.FAILED, reason="exit 1")
        running.app.switch_to("scripted")
        await running.until(lambda: SAID in running.sent)


async def test_b_again_watches_no_more_and_an_ended_job_is_not_watched(tmp_path: Path):
    async with deck(backend(), tmp_path=tmp_path) as running:
        await watch_bert(running)
        await running.press("b")
        await running.until("Watched no more: bert")
        running.backend.change("uid-bert", state=JobState.SUCCEEDED)
        await running.until("Succeeded")
        await running.press("b")
        await running.until("Ended already: bert")
        assert "\x1b]777" not in running.sent


def test_a_job_that_vanished_is_told_and_one_not_listed_yet_is_not():
    watched, store = WatchedJobs({}), JobStore()
    watched.toggle([make_job("bert")])
    assert watched.take_ended(store) == []
    store.queue([Snapshot(()), Synced()])
    store.drain()
    assert watched.take_ended(store) == ["bert is gone"]
    assert watched.take_ended(store) == []


@pytest.mark.parametrize(
    ("terminal", "starts"),
    [
        ("xterm-256color", ""),
        ("tmux tmux-256color", ""),
        ("iTerm.app", "\x1b]9;traindeck: "),
        ("xterm-kitty", "\x1b]9;traindeck: "),
        ("xterm-256color ghostty 1.1", "\x1b]9;traindeck: "),
        ("foot-extra", "\x1b]777;notify;traindeck;"),
    ],
)
def test_only_a_terminal_that_knows_it_is_notified(terminal: str, starts: str):
    told = notification("bert has ended", terminal)
    assert told == (f"{starts}bert has ended\x07" if starts else "")


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("terminal", ["kitty", "foot"])
def test_no_escape_comes_out_of_a_name(terminal: str, text: str):
    told = notification(f"{TEXTS[text]};x", terminal)
    body = told.removeprefix("\x1b]9;traindeck: ").removeprefix("\x1b]777;notify;traindeck;")
    assert not UNSAFE.search(body.removesuffix("\x07"))
    assert ";" not in body
    assert len(told) < 400


def _tmux(tmp_path: Path, says: str) -> dict[str, str]:
    fake = tmp_path / "tmux"
    fake.write_text(f"#!/bin/sh\necho '{says}'\n")
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    os.environ["PATH"] = f"{tmp_path}:{os.environ['PATH']}"
    return {"TMUX": "/tmp/tmux,1,0", "TERM": "xterm-kitty"}


@pytest.mark.parametrize(
    ("says", "passes"),
    [("on xterm-kitty kitty(0.36)", True), ("off xterm-kitty kitty", False), ("all xterm-256color ", False)],
)
async def test_tmux_is_passed_only_where_it_allows_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, passes: bool
):
    monkeypatch.setenv("PATH", os.environ["PATH"])
    told = await bell_and_notification("bert", _tmux(tmp_path, says))
    assert told == "\x07" + (through_tmux("\x1b]9;traindeck: bert\x07") if passes else "")


def test_the_way_through_tmux_doubles_every_escape():
    assert through_tmux("\x1b]9;a\x07") == "\x1bPtmux;\x1b\x1b]9;a\x07\x1b\\"
