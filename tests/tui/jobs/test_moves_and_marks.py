"""The cursor and the marks of the list by keyboard, and the order that stays."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from backend_client.job_order import Order
from backend_client.models import JobState
from tests.support.scripted import ScriptedBackend, make_job
from tests.tui.support.deck import Deck, deck
from tui.jobs.job_list import JobList
from tui.jobs.kept_order import keep_order, last_order, order_path

BORN = datetime(2026, 1, 5, tzinfo=UTC)
NAMES = ("ant", "bee", "cat", "dog", "eel", "fox")


def six() -> ScriptedBackend:
    """Six running jobs, in this order: the newest is first."""
    return ScriptedBackend(
        make_job(name, JobState.RUNNING, created=BORN - timedelta(hours=hours))
        for hours, name in enumerate(NAMES)
    )


def rows(running: Deck) -> JobList:
    return running.app.screen_stack[1].query_one(JobList)


def cursor(running: Deck) -> str:
    job = rows(running).job
    return job.name if job else ""


def marked(running: Deck) -> list[str]:
    return [job.name for job in rows(running).marked]


async def test_a_filter_that_is_dropped_gives_the_cursor_back_to_its_job(tmp_path: Path):
    async with deck(six(), tmp_path=tmp_path) as running:
        await running.press("down", "down", "down", "slash", "b", "e", "e")
        assert cursor(running) == "bee"
        await running.press("escape")
        assert cursor(running) == "dog"
        await running.press("slash", *"nothing")
        assert cursor(running) == ""
        await running.press("escape")
        assert cursor(running) == "dog"


async def test_the_job_chosen_under_a_filter_stays_the_chosen_one(tmp_path: Path):
    async with deck(six(), tmp_path=tmp_path) as running:
        await running.press("down", "down", "down", "slash", "b", "e", "e", "enter", "slash", "escape")
        assert cursor(running) == "bee"


async def test_a_chosen_job_that_is_deleted_is_no_longer_waited_for(tmp_path: Path):
    backend = six()
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("down", "down", "slash", "c", "a", "t", "enter")
        backend.remove("uid-cat")
        await running.until(lambda: cursor(running) == "")
        await running.press("slash", "escape")
        await running.until(lambda: cursor(running) != "")
        assert cursor(running) == "ant"


async def test_the_ends_of_the_list_are_a_key_away(tmp_path: Path):
    async with deck(six(), tmp_path=tmp_path) as running:
        await running.press("G")
        assert cursor(running) == "fox"
        await running.press("home")
        assert cursor(running) == "ant"
        await running.press("end", "k")
        assert cursor(running) == "eel"


async def test_help_names_the_keys_that_move(tmp_path: Path):
    async with deck(six(), tmp_path=tmp_path, size=(100, 60)) as running:
        await running.press("question_mark")
        await running.until("JOB LIST")
        for keys in ("up k", "down j", "pageup", "pagedown", "home", "end G"):
            await running.until(keys)


async def test_a_range_is_marked_from_the_last_mark_in_either_direction(tmp_path: Path):
    async with deck(six(), tmp_path=tmp_path) as running:
        await running.press("down", "space", "down", "M")
        assert marked(running) == ["bee", "cat", "dog"]
        await running.press("home", "M")
        assert marked(running) == ["ant", "bee", "cat", "dog"]
        assert "4 marked" in running.shown
        await running.press("escape", "M")
        assert marked(running) == ["ant"]


async def test_all_shown_jobs_are_marked_and_unmarked_and_hidden_marks_stay(tmp_path: Path):
    async with deck(six(), tmp_path=tmp_path) as running:
        await running.press("end", "space", "slash", "e", "e", "enter", "asterisk")
        assert marked(running) == ["bee", "eel", "fox"]  # bee and eel have "ee"
        await running.press("asterisk")
        assert marked(running) == ["fox"]


async def test_the_order_chosen_last_holds_for_the_next_start(tmp_path: Path):
    async with deck(six(), tmp_path=tmp_path) as running:
        await running.press("o", "o")
        await running.until(lambda: last_order() is Order.NAME)
    async with deck(six(), tmp_path=tmp_path) as running:
        assert "by name" in running.shown


def test_an_order_that_cannot_be_read_is_the_usual_one(home: Path):
    assert last_order() is Order.ATTENTION
    keep_order(Order.NEWEST)
    assert last_order() is Order.NEWEST
    order_path().write_text("sideways")
    assert last_order() is Order.ATTENTION
    order_path().write_bytes(b"\xff\x00")
    assert last_order() is Order.ATTENTION
