"""The detail of one job: what is on its page, and what its footer offers."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from backend_client.models import Event, JobState
from tests.support.scripted import ScriptedBackend, make_job
from tests.tui.support.deck import Deck, deck

LONG = (
    "cannot start: 0/12 nodes are available: 4 Insufficient nvidia.com/gpu, 8 node(s) had untolerated taint"
)


def footer(running: Deck) -> str:
    return running.shown.splitlines()[-1]


async def test_a_long_reason_and_a_long_event_go_on_below_their_beginning(tmp_path: Path):
    backend = ScriptedBackend([make_job(state=JobState.PENDING, reason=LONG)])
    backend.events_of["uid-bert-ft"] = [
        Event(time=datetime.now(UTC), reason="FailedScheduling", message=LONG)
    ]
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("enter")
        await running.until("FailedScheduling")
        lines = running.shown.splitlines()
        reason = next(number for number, line in enumerate(lines) if line.startswith(" reason"))
        assert lines[reason + 1].startswith(" " * 15 + "nvidia.com/gpu")
        event = next(number for number, line in enumerate(lines) if "FailedScheduling" in line)
        assert lines[event + 1].startswith(" " * 18 + "Insufficient")


async def test_what_is_known_at_once_is_seen_whole_when_the_detail_opens(tmp_path: Path):
    backend = ScriptedBackend([make_job(state=JobState.FAILED)])
    backend.events_of["uid-bert-ft"] = [
        Event(time=datetime.now(UTC), reason="Told", message=f"event {number}") for number in range(8)
    ]
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("enter")
        await running.until("event 7")


@pytest.mark.parametrize(
    ("state", "offered", "not_offered"),
    [
        (JobState.RUNNING, {"stop"}, {"resume"}),
        (JobState.FAILED, set(), {"stop", "resume"}),
        (JobState.STOPPED, {"resume"}, {"stop"}),
    ],
)
async def test_the_footer_offers_what_the_job_has_a_use_for(
    state: JobState, offered: set[str], not_offered: set[str], tmp_path: Path
):
    async with deck(ScriptedBackend([make_job(state=state)]), tmp_path=tmp_path) as running:
        await running.press("enter")
        await running.until("What happened")
        words = set(footer(running).split())
        assert offered <= words
        assert not words & not_offered


async def test_the_footer_follows_the_state_of_the_job(tmp_path: Path):
    backend = ScriptedBackend([make_job()])
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("enter")
        await running.until(lambda: "x stop" in footer(running))
        backend.change("uid-bert-ft", state=JobState.STOPPED)
        await running.until(lambda: "u resume" in footer(running) and "x stop" not in footer(running))


async def test_what_changes_in_the_list_below_sends_nothing(tmp_path: Path):
    backend = ScriptedBackend([make_job("seen"), make_job("hidden")])
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("home", "enter")
        await running.until("What happened")
        job = running.app.screen.job.name
        other = {"seen": "hidden", "hidden": "seen"}[job]
        await running.quiet()
        before = len(running.sent)
        backend.change(f"uid-{other}", reason="is another now")
        store = running.app.screen_stack[1].store
        await running.until(lambda: store.jobs[f"uid-{other}"].reason != "")
        await running.quiet()
        assert running.sent[before:] == ""
        await running.press("escape")
        await running.until("is another now")
