"""A training job of another tool on the screen: what can be done, and what is said."""

from pathlib import Path
from typing import Any

import pytest

from backend_client.models import Job, JobState
from backend_client.protocol import Verb
from backend_client.text.questions import why_left_out
from tests.support.scripted import ScriptedBackend, make_job
from tests.tui.support.deck import Deck, deck
from tui.jobs.bulk_actions import DELETE, RESUME, STOP

WHY = "made by JobSet, not by traindeck: all you can do here is stop or delete it"


def jobset(**more: Any) -> Job:
    known = {"kind": "jobset", "namespace": "team-a", "gpus": 8, "read_only": WHY, "made_by": "JobSet"}
    return make_job("llama", **{**known, "allows": ("stop", "delete"), **more})


def called(running: Deck, method: str) -> list[Any]:
    return [about for name, about in running.backend.calls if name == method]


async def test_it_is_stopped_after_the_question_and_no_more_is_done_to_it(tmp_path: Path):
    backend = ScriptedBackend([jobset()], lacks={})
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("u")
        await running.until("all you can do here")
        await running.press("r")
        await running.until("made by JobSet: no spec")
        await running.press("y")
        await running.quiet()
        assert len(running.app.screen_stack) == 2
        await running.press("x")
        await running.until("Stop llama?")
        await running.press("y")
        await running.until(lambda: len(called(running, "stop")) == 1)
        assert called(running, "resume") == called(running, "create") == []


async def test_the_detail_says_what_it_is(tmp_path: Path):
    async with deck(ScriptedBackend([jobset()], lacks={}), tmp_path=tmp_path) as running:
        await running.press("enter")
        await running.until("made by JobSet, not by traindeck")


@pytest.mark.parametrize(
    ("more", "left_out"),
    [
        ({}, {Verb.RESUME}),
        ({"allows": ("delete",)}, {Verb.STOP, Verb.RESUME}),
        ({"allows": (), "made_by": ""}, {Verb.STOP, Verb.RESUME, Verb.DELETE}),
        ({"allows": (), "read_only": ""}, set()),
    ],
)
def test_of_marked_ones_it_takes_part_in_what_it_allows(more: dict[str, Any], left_out: set[Verb]):
    job = jobset(state=JobState.RUNNING, **more)
    assert {action.verb for action in (STOP, RESUME, DELETE) if why_left_out(action.verb, job)} == left_out
