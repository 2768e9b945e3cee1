"""Several logs beside each other: by keyboard, by the room there is, and back at the next start."""

import json

import pytest

from tests.support.scripted import ScriptedBackend, make_job
from tests.tui.support.deck import Deck, deck
from tui.jobs.job_list import JobList
from tui.log.pane import LogPane
from tui.log.tile_layout import grid, keep, load, tiles_path

NAMES = ("ant", "bee", "cat", "dog", "eel")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_CONNECTION", raising=False)


def zoo() -> ScriptedBackend:
    backend = ScriptedBackend([make_job(name) for name in NAMES])
    for name in NAMES:
        backend.logs_of[f"uid-{name}"] += [b"%s says %d" % (name.encode(), n) for n in range(50)]
    return backend


def tiles(running: Deck) -> list[str]:
    """Whose logs are shown, the cursor's first."""
    panes = running.app.screen.query(LogPane)
    return [pane.job.name if pane.job else "" for pane in panes if pane.display]


async def point(running: Deck, name: str) -> None:
    running.app.screen.query_one(JobList).move_cursor(f"uid-{name}")
    await running.until(lambda: running.app.screen.job.name == name)


async def tile(running: Deck, *names: str) -> None:
    for name in names:
        await point(running, name)
        await running.press("L")
    await running.until(lambda: [name for name in tiles(running)[1:] if name in names] == [*names])


@pytest.mark.parametrize(
    ("count", "width", "height", "shape"),
    [
        (1, 10, 3, (1, 1)),
        (2, 80, 7, (2, 1)),
        (2, 60, 12, (1, 2)),
        (2, 60, 7, (1, 1)),
        (3, 80, 8, (2, 1)),
        (3, 80, 16, (2, 2)),
        (3, 200, 8, (3, 1)),
        (4, 200, 24, (2, 2)),
        (4, 200, 8, (4, 1)),
        (4, 80, 8, (2, 1)),
        (9, 200, 50, (2, 2)),
    ],
)
def test_as_many_as_fit(count, width, height, shape):
    assert grid(count, width, height) == shape


async def test_logs_beside_each_other_scroll_and_search_by_themselves(tmp_path):
    async with deck(zoo(), tmp_path=tmp_path, size=(120, 40)) as running:
        await tile(running, "ant", "bee")
        await point(running, "cat")
        await running.until(lambda: tiles(running) == ["cat", "ant", "bee"])
        await running.until(lambda: all(f"{name} says 49" in running.shown for name in ("ant", "bee", "cat")))
        await running.press("tab", "tab", "up", "up")
        await running.until("scrolled: 2 lines below")
        assert ">ant" in running.shown
        await running.press("tab", "slash", *"says 1", "enter")
        await running.until("11 of 11")
        assert running.shown.count("scrolled") == 2
        await running.press("tab", "tab")
        await running.until("> cat")
        await point(running, "ant")
        await running.until("The log of ant is beside this.")


async def test_a_log_is_taken_away_where_it_was_put_or_where_it_is(tmp_path):
    async with deck(zoo(), tmp_path=tmp_path, size=(120, 40)) as running:
        await tile(running, "ant", "bee")
        await running.press("L")
        await running.until(lambda: tiles(running) == ["bee", "ant"])
        await running.press("tab", "tab", "L")
        await running.until(lambda: tiles(running) == ["bee"])
        await running.press("L")
        await running.until(lambda: tiles(running) == ["", "bee"])
        await running.press("escape")
        assert isinstance(running.app.screen.focused, JobList)


async def test_there_is_room_for_so_many(tmp_path):
    async with deck(zoo(), tmp_path=tmp_path, size=(200, 50)) as running:
        await tile(running, "ant", "bee", "cat")
        await point(running, "dog")
        await running.press("L")
        await running.until("4 logs at most")
        await running.until(lambda: tiles(running) == ["dog", "ant", "bee", "cat"])
        await running.pilot.resize_terminal(80, 15)
        await running.until(lambda: tiles(running) == ["dog", "ant"])
        await running.pilot.resize_terminal(200, 50)
        await running.until(lambda: tiles(running) == ["dog", "ant", "bee", "cat"])
    keep("scripted", [])
    async with deck(zoo(), tmp_path=tmp_path, size=(60, 16)) as running:
        await running.press("L")
        await running.until("no room")


async def test_what_was_open_comes_back(tmp_path):
    async with deck(zoo(), tmp_path=tmp_path, size=(120, 40)) as running:
        await tile(running, "ant", "bee")
        await running.until(lambda: load("scripted") == ["uid-ant", "uid-bee"])
    keep("other", ["x"])
    backend = zoo()
    del backend.jobs["uid-bee"]
    async with deck(backend, tmp_path=tmp_path, size=(120, 40)) as running:
        await running.until(lambda: tiles(running)[1:] == ["ant"])
        await point(running, "dog")
        await running.until("dog says 49")
        await running.until("ant says 49")
        await tile(running, "dog")
        await running.until(lambda: load("scripted") == ["uid-ant", "uid-dog"])
    assert load("other") == ["x"]


@pytest.mark.parametrize("text", ["", "[]", '{"scripted": 3}', '{"scripted": [1, null]}'])
def test_a_damaged_file_keeps_nothing(text):
    tiles_path().parent.mkdir(parents=True)
    tiles_path().write_text(text)
    assert load("scripted") == []
    keep("scripted", ["a"])
    assert json.loads(tiles_path().read_text())["scripted"] == ["a"]
    keep("scripted", [])
    assert load("scripted") == []


async def test_a_job_that_goes_on_is_followed_in_its_tile(tmp_path):
    backend = zoo()
    async with deck(backend, tmp_path=tmp_path, size=(120, 40)) as running:
        await tile(running, "ant")
        await point(running, "bee")
        await backend.write_log("uid-ant", b"last words", end=True)
        await running.until("the job has ended")
        backend.remove("uid-ant")
        await running.quiet()
        assert "last words" in running.shown
