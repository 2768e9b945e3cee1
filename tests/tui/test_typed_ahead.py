"""Keys that arrive in one burst, before what the first of them opens is there."""

from pathlib import Path

import pytest
from textual import events
from textual.keys import _character_to_key

from backend_client.contexts import Contexts
from tests.support.pty_app import PtyApp
from tests.support.scripted import ScriptedBackend, Way, make_jobs
from tests.tui.support.deck import Deck, Recorder, deck
from tests.tui.test_terminal import start
from tui.app import TraindeckApp
from tui.form.form_screen import FormScreen
from tui.ui.filter_line import FilterLine


def send(app: TraindeckApp, *typed: str) -> None:
    """Post keys (and pastes, in angle quotes) as the driver does: all at once."""
    for key in typed:
        if key.startswith("«"):
            app.post_message(events.Paste(key.strip("«»")))
        else:
            name = _character_to_key(key) if len(key) == 1 and not key.isalnum() else key
            app.post_message(events.Key(name, key if len(key) == 1 else None))


def field(running: Deck, name: str) -> str:
    return running.app.screen.list.fields[name].text


async def test_what_is_typed_behind_n_is_the_name(tmp_path: Path):
    async with deck(ScriptedBackend(make_jobs(3)), tmp_path=tmp_path) as running:
        send(running.app, "n", *"dxq-u", "tab", "tab", "tab", "tab", *"echo")
        await running.until(lambda: isinstance(running.app.screen, FormScreen) and field(running, "name"))
        await running.until(lambda: field(running, "name") == "dxq-u")
        assert running.app.is_running
        assert {method for method, _ in running.backend.calls} & {"stop", "delete", "resume"} == set()


@pytest.mark.parametrize("words", [tuple("job-00001"), ("«job-00001»",), ("j", "«ob-00001»")])
async def test_what_is_typed_behind_the_slash_is_the_filter(words, tmp_path: Path):
    async with deck(ScriptedBackend(make_jobs(3)), tmp_path=tmp_path) as running:
        send(running.app, "/", *words)
        await running.until(lambda: running.app.screen.query_one(FilterLine).value == "job-00001")
        await running.until("1 of 3 jobs")


async def test_keys_go_where_the_keys_before_have_led(tmp_path: Path):
    """Into the form and out again, to the filter, and the cursor of the list."""
    async with deck(ScriptedBackend(make_jobs(3)), tmp_path=tmp_path) as running:
        send(running.app, "n", "escape", "/", *"0000", "enter", "down", "question_mark", "escape", "enter")
        await running.until(lambda: type(running.app.screen).__name__ == "DetailScreen")
        assert running.app.screen_stack[1].query_one(FilterLine).value == "0000"


async def test_a_key_that_is_held_goes_as_far_as_it_is_held(tmp_path: Path):
    async with deck(ScriptedBackend(make_jobs(200)), tmp_path=tmp_path) as running:
        first = running.app.screen.job.name
        send(running.app, *["down"] * 150, *["up"] * 149, "enter")
        await running.until(lambda: type(running.app.screen).__name__ == "DetailScreen")
        assert running.app.screen.job.name != first
        send(running.app, *["escape"] * 3, "up", "enter")
        await running.until(lambda: getattr(running.app.screen, "job", None).name == first)


async def test_keys_behind_the_one_that_leaves_are_nobodys(tmp_path: Path):
    async with deck(ScriptedBackend(make_jobs(3)), tmp_path=tmp_path) as running:
        send(running.app, "q", "c", "n", "d", "question_mark")
        await running.until(lambda: not running.app.is_running)
        assert running.app.return_code == 0
        assert running.app.last_words == ""


async def test_keys_before_there_is_a_screen_are_kept(tmp_path: Path):
    backend = ScriptedBackend(make_jobs(3))
    app = TraindeckApp(Contexts([Way(backend)], tmp_path / "chosen"), context="scripted")
    app.driver_class = Recorder
    send(app, "n", *"early")
    async with app.run_test(headless=False, size=(80, 24)) as pilot:
        running = Deck(app, pilot, backend)
        send(app, *"-bird")
        await running.until(lambda: isinstance(app.screen, FormScreen))
        await running.until(lambda: field(running, "name").endswith("-bird"))


async def test_a_terminal_that_lost_its_focus_types_into_the_field(tmp_path: Path):
    async with deck(ScriptedBackend(make_jobs(3)), tmp_path=tmp_path) as running:
        send(running.app, "n")
        await running.until(lambda: isinstance(running.app.screen, FormScreen))
        running.app.post_message(events.AppBlur())
        send(running.app, "«pasted»", *"typed")
        await running.until(lambda: field(running, "name") == "pastedtyped")


def test_one_packet_in_a_real_terminal(tmp_path: Path):
    with start("plain", tmp_path, size=(80, 24)) as program:
        program.keys("/job-00001")  # before there is a screen
        program.until(b"1 of 3 jobs")
        program.keys("\rndxq\t\t\t")
        program.until(b"New job")
        _shows(program, b"dxq")


def _shows(program: PtyApp, words: bytes) -> None:
    program.quiet(0.2)
    program.resize(79, 24)
    program.until(words)
