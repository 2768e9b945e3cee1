"""A viewer: everything is there to see, every acting key is grey and says why."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from backend_client.errors import Unreachable
from backend_client.models import JobState
from backend_client.protocol import AccessDecision, AccessReview, Verb
from tests.support.scripted import ScriptedBackend, make_job
from tests.tui.support.deck import Deck, deck
from tui.actions import ACTIONS, Action, Place
from tui.ui.footer import Footer

WHY = "Viewers change nothing."
ACTING = [action for action in ACTIONS if action.acts and action.where in (Place.LIST, Place.DETAIL)]


class ForViewers(ScriptedBackend):
    """`verdict` is the answer to everything that changes something."""

    def __init__(self, verdict: AccessDecision) -> None:
        super().__init__([make_job("bert-ft"), make_job("done", JobState.STOPPED)], lacks={})
        self.verdict = verdict
        self.asks: list[AccessReview] = []

    async def check_access(self, asks: Sequence[AccessReview]) -> Sequence[AccessDecision]:
        self._call("may")
        self.asks = [*asks]
        return [AccessDecision(True) if ask.verb is Verb.LOGS else self.verdict for ask in asks]


def grey(running: Deck) -> set[str]:
    """The words of the footer that are grey."""
    content = running.app.screen.query_one(Footer).render()
    return {content.plain[s.start : s.end].strip() for s in content.spans if s.style == "$text-disabled"}


def test_every_acting_key_of_a_list_or_a_job_says_what_it_needs():
    assert [action.id for action in ACTING if not isinstance(action.needs, Verb)] == []


@pytest.mark.parametrize("action", ACTING, ids=lambda action: action.id)
async def test_each_is_grey_and_does_nothing(action: Action, tmp_path: Path):
    backend = ForViewers(AccessDecision(False, WHY))
    async with deck(backend, tmp_path=tmp_path, size=(120, 40)) as running:
        await running.until(lambda: "stop" in grey(running))
        if action.where is Place.DETAIL:
            if action.needs is Verb.RESUME:
                backend.change("uid-bert-ft", state=JobState.STOPPED)
            await running.press("enter")
            await running.until("What happened")
        screens = len(running.app.screen_stack)
        if action.footer:
            assert {action.key, action.label} <= grey(running)
        await running.press(action.key)
        await running.until(WHY)
        assert len(running.app.screen_stack) == screens
        assert not {"create", "stop", "resume", "delete"} & {name for name, _ in backend.calls}


async def test_a_right_that_was_given_meanwhile_counts_from_the_next_press(tmp_path: Path):
    backend = ForViewers(AccessDecision(False, WHY))
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.until(lambda: "stop" in grey(running))
        backend.verdict = AccessDecision(True)
        await running.press("x")
        await running.until(lambda: grey(running) == set())
        await running.press("x")
        await running.until("Stop bert-ft?")


async def test_help_and_the_empty_list_say_it_too(tmp_path: Path):
    backend = ForViewers(AccessDecision(False, WHY))
    backend.jobs.clear()
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.until(lambda: "stop" in grey(running))
        assert "n makes one" not in running.shown
        assert "detail" not in grey(running)
        await running.press("question_mark")
        await running.until(f"not here: {WHY}")


@pytest.mark.parametrize("verdict", [AccessDecision(None, "not known"), AccessDecision(True)])
async def test_what_is_not_known_stays(verdict: AccessDecision, tmp_path: Path):
    backend = ForViewers(verdict)
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.until(lambda: bool(backend.asks))
        await running.quiet()
        assert grey(running) == set()
        await running.press("x")
        await running.until("Stop ")


async def test_where_it_cannot_be_asked_everything_stays(tmp_path: Path):
    backend = ForViewers(AccessDecision(False, WHY))
    backend.fail["may"] = Unreachable("nobody answers")
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.quiet()
        assert grey(running) == set()
        assert ("may", None) in backend.calls
