"""The why view by keyboard, over a scripted backend: what it shows, and how an offer becomes a job."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from backend_client.errors import NotFound, Unreachable
from backend_client.models import JobState
from backend_client.protocol import AccessDecision, AccessReview, Verb
from backend_client.why import Explanation, Failure
from tests.support.scripted import ScriptedBackend, make_job
from tests.tui.support.deck import Deck, deck
from tests.tui.why.test_why_text import CHAIN, FOUND, JOB
from tui.jobs.job_list import JobList
from tui.log.log_screen import LogScreen
from tui.log.pane import LogPane
from tui.why import why_screen
from tui.why.why_screen import WhyScreen


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_CONNECTION", raising=False)


def waiting(kind: type[ScriptedBackend] = ScriptedBackend, **more: object) -> ScriptedBackend:
    backend = kind([make_job("bert", JobState.PENDING, gpus=8, reason=JOB.reason, **more)])
    backend.explanations["uid-bert"] = FOUND
    return backend


def asked(running: Deck) -> int:
    return [name for name, _ in running.backend.calls].count("explain")


async def opened(running: Deck, words: str = "What would help") -> None:
    await running.press("w")
    await running.until(words)


async def test_w_says_why_at_80_columns(tmp_path: Path):
    async with deck(waiting(), tmp_path=tmp_path) as running:
        await opened(running)
        lines = running.shown.splitlines()
        assert lines[0] == " bert  . Pending  why"
        assert lines[1] == " no node has 8 free GPUs"
        assert " > └ + no node has 8 free GPUs; the largest free block is 4, on gpu-12" in lines
        assert "   1  4 GPUs fit on gpu-12 now" in lines
        assert lines[-1].split() == ("enter open 1 offer l log r again d delete escape back ? help".split())
        await running.press("escape")
        await running.until("/ filter")
        assert not isinstance(running.app.screen, WhyScreen)


async def test_the_detail_points_to_it_and_opens_it(tmp_path: Path):
    async with deck(waiting(), tmp_path=tmp_path) as running:
        await running.press("enter")
        await running.until("no node has 8 free GPUs  (w says more)")
        await opened(running)
        await running.press("w")
        await running.until("What happened")


async def test_the_detail_has_the_way_out_in_its_footer(tmp_path: Path):
    async with deck(waiting(), tmp_path=tmp_path) as running:
        await running.press("enter")
        await running.until("What happened")
        footer = running.shown.splitlines()[-1].split()
        assert footer == "l log w why v plot y YAML r again x stop d delete escape back ? help".split()


async def test_without_an_offer_no_key_of_offers_is_shown(tmp_path: Path):
    backend = waiting()
    backend.explanations["uid-bert"] = Explanation(sentence="x", chain=CHAIN)
    async with deck(backend, tmp_path=tmp_path) as running:
        await opened(running, "no node has 8 free GPUs; the largest")
        assert running.shown.splitlines()[-1].split()[:4] == "enter open l log".split()


async def test_an_offer_taken_from_the_detail_leads_to_the_new_job_in_the_list(tmp_path: Path):
    backend = waiting()
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("enter")
        await running.until("(w says more)")
        await opened(running)
        await running.press("1")
        await running.until("changed; it was 8")
        await running.press("f2")
        await running.until("Keep both")
        await running.press("enter")
        await running.until(lambda: type(running.app.screen).__name__ == "MainScreen")
        await running.until("> bert-2")


async def test_a_job_run_again_from_the_detail_is_the_one_in_the_list(tmp_path: Path):
    backend = waiting()
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("enter")
        await running.until("What happened")
        await running.press("r")
        await running.until("Run bert again")
        await running.press("f2")
        await running.until(lambda: type(running.app.screen).__name__ == "MainScreen")
        await running.until("> bert-2")


async def test_enter_unfolds_what_the_object_says_itself(tmp_path: Path):
    async with deck(waiting(), tmp_path=tmp_path) as running:
        await opened(running)
        await running.press("enter")
        await running.until("│ 0/3 nodes are available: 3 Insufficient nvidia.com/gpu.")
        await running.press("up", "enter")
        await running.until("says no more in words")
        await running.press("down", "enter")
        await running.until(lambda: "Insufficient" not in running.shown)


async def test_an_offer_opens_the_form_with_its_change_marked_and_takes_the_jobs_place(tmp_path: Path):
    backend = waiting()
    async with deck(backend, tmp_path=tmp_path) as running:
        await opened(running)
        await running.press("1")
        await running.until("Run bert again")
        await running.until("changed; it was 8")
        form = running.app.screen
        assert form.list.fields["gpus"].text == "4"
        assert [name for name, field in form.list.fields.items() if field.has_class("marked")] == ["gpus"]
        assert running.app.focused is form.list.fields["gpus"].line
        assert not form.list.changed
        await running.press("f2")
        await running.until("Delete bert, which waits still?")
        made = next(about for name, about in backend.calls if name == "create")
        assert (made.gpus, made.command) == (4, ("python", "train.py"))
        await running.press("y")
        await running.until(lambda: list(backend.jobs) == ["uid-bert-2"])
        await running.until("> bert-2")
        assert not isinstance(running.app.screen, WhyScreen)


async def test_the_job_that_waits_stays_unless_a_person_says_yes(tmp_path: Path):
    backend = waiting()
    async with deck(backend, tmp_path=tmp_path) as running:
        await opened(running)
        await running.press("down", "enter")  # the first offer, by the cursor
        await running.until("changed; it was 8")
        await running.press("f2")
        await running.until("Keep both")
        await running.press("enter")
        await running.until(lambda: not isinstance(running.app.screen, WhyScreen))
        assert list(backend.jobs) == ["uid-bert", "uid-bert-2"]
        job_list = running.app.screen.query_one(JobList)
        await running.until(lambda: job_list.job.name == "bert-2")


async def test_a_changed_field_of_the_rest_is_unfolded(tmp_path: Path):
    async with deck(waiting(), tmp_path=tmp_path) as running:
        await opened(running)
        await running.press("2")
        await running.until("changed; it was empty")
        form = running.app.screen
        assert form.list.fields["queue"].text == "team-b"
        assert running.app.focused is form.list.fields["queue"].line
        await running.press("escape")  # nothing was typed: nothing is asked
        await running.until("What would help")


async def test_nothing_is_asked_of_a_job_that_has_ended(tmp_path: Path):
    backend = waiting()
    backend.change("uid-bert", state=JobState.FAILED)
    async with deck(backend, tmp_path=tmp_path) as running:
        await opened(running)
        await running.press("1")
        await running.until("changed; it was 8")
        await running.press("f2")
        await running.until(lambda: "uid-bert-2" in backend.jobs)
        await running.until(lambda: type(running.app.screen).__name__ == "MainScreen")
        assert "uid-bert" in backend.jobs


class ForViewers(ScriptedBackend):
    """Lets nobody make a job."""

    async def check_access(self, asks: Sequence[AccessReview]) -> Sequence[AccessDecision]:
        return [AccessDecision(ask.verb is not Verb.CREATE, VIEWER) for ask in asks]


VIEWER = "Viewers change nothing."
TOOL = "made by another tool"
BARRED = {
    "session": (waiting, "traindeck is read-only here."),
    "login": (lambda: waiting(ForViewers), VIEWER),
    "job": (lambda: waiting(read_only=TOOL), TOOL),
}


@pytest.mark.parametrize("what", BARRED)
async def test_where_nothing_may_be_made_offers_are_shown_and_say_why(tmp_path: Path, what: str):
    make, said = BARRED[what]
    async with deck(make(), tmp_path=tmp_path, read_only=what == "session") as running:
        await opened(running, f"not here: {said}")
        await running.press("1", "down", "enter")
        await running.until(lambda: running.shown.count(said) > 1)
        assert isinstance(running.app.screen, WhyScreen)


async def test_it_is_explained_anew_when_its_state_changes(tmp_path: Path):
    backend = waiting()
    async with deck(backend, tmp_path=tmp_path) as running:
        await opened(running)
        backend.explanations["uid-bert"] = Explanation()
        backend.change("uid-bert", state=JobState.RUNNING, reason="")
        await running.until("It runs, and nothing is known to be wrong.")
        assert "> Running" in running.shown.splitlines()[0]
        assert asked(running) == 2


async def test_it_is_explained_anew_after_a_while_and_the_cursor_stays(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(why_screen, "ASK_EVERY", 0.05)
    backend = waiting()
    async with deck(backend, tmp_path=tmp_path) as running:
        await opened(running)
        await running.press("up")
        backend.explanations["uid-bert"] = Explanation(sentence="x", chain=CHAIN[::-1])
        await running.until(lambda: " > └ the queue team-a holds it" in running.shown)
        await running.until(lambda: asked(running) > 5)
        backend.change("uid-bert", state=JobState.SUCCEEDED)
        await running.until("= Succeeded")
        await running.quiet()
        before = asked(running)
        await running.pilot.pause(0.3)
        assert asked(running) == before


async def test_the_last_answer_stays_with_its_age_while_the_context_is_silent(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(why_screen, "ASK_EVERY", 0.05)
    backend = waiting()
    async with deck(backend, tmp_path=tmp_path) as running:
        await opened(running)
        backend.fail["explain"] = Unreachable("lab does not answer.", "Try again.")
        await running.until("This was said <1m ago; now: lab does not answer")
        assert "4 GPUs fit on gpu-12 now" in running.shown
        del backend.fail["explain"]
        await running.until(lambda: "This was said" not in running.shown)


async def test_without_any_answer_the_sentence_of_the_list_stands(tmp_path: Path):
    backend = waiting()
    backend.fail["explain"] = Unreachable("lab does not answer.")
    async with deck(backend, tmp_path=tmp_path) as running:
        await opened(running, "Why is not known: lab does not answer")
        assert " no node has 8 free GPUs" in running.shown.splitlines()


async def test_a_job_that_goes_is_said_to_be_gone(tmp_path: Path):
    backend = waiting()
    async with deck(backend, tmp_path=tmp_path) as running:
        await opened(running)
        backend.fail["explain"] = NotFound("There is no job bert.")
        backend.remove("uid-bert")
        await running.until("deleted  why")
        assert "4 GPUs fit on gpu-12 now" in running.shown


async def test_l_opens_the_log_of_a_failed_job_at_its_first_error(tmp_path: Path):
    backend = ScriptedBackend([make_job("bert", JobState.FAILED, reason="exit 1")])
    failure = Failure(exit="exit 1", said="ValueError: bad batch")
    backend.explanations["uid-bert"] = Explanation(sentence="exit 1", failure=failure)
    lines = [b"step %d" % n for n in range(400)]
    trace = [
        b"Traceback (most recent call last):",
        b'  File "t.py", line 1, in <module>',
        b"ValueError: bad batch",
    ]
    await backend.write_log("uid-bert", *lines[:50], *trace, *lines, end=True)
    async with deck(backend, tmp_path=tmp_path) as running:
        await opened(running, "l opens its log at the first error")
        await running.press("l")
        await running.until("ValueError: bad batch")
        await running.until(lambda: "first error" in running.app.screen.query_one("LogTitle").status)
        assert isinstance(running.app.screen, LogScreen)
        assert not running.app.screen.query_one(LogPane).view.viewport.following


async def test_the_cursor_brings_what_is_out_of_sight(tmp_path: Path):
    backend = waiting()
    backend.explanations["uid-bert"] = Explanation(
        sentence="x", chain=CHAIN * 8, offers=FOUND.offers, unknown=("this stands last",)
    )
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("w")
        await running.until("Why")
        for _ in range(20):
            await running.press("down")
        await running.until("this stands last")
        for _ in range(24):
            await running.press("up")
        await running.until(" Why")


async def test_an_idle_view_sends_nothing(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(why_screen, "ASK_EVERY", 0.05)
    async with deck(waiting(), tmp_path=tmp_path) as running:
        await opened(running)
        assert await running.sent_while_idle() == ""
