"""What stands in a form survives the end of its program; each form has its own, and nobody else reads it."""

import asyncio
import json
import os
import signal
import stat
from pathlib import Path

import pytest

from tests.support import wait
from tests.support.scripted import ScriptedBackend
from tests.tui.support.form_app import SMALL, FormApp, until
from tests.tui.test_terminal import start
from tui.form import prefill
from tui.form.autosave import Autosave, SavedForm, folder

TEXTS = {"command": "python a.py", "env": "TOKEN=hidden-value"}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefill, "SAVE_SECONDS", 0.01)


def files() -> list[Path]:
    return [*folder().iterdir()] if folder().exists() else []


def dies(form: Autosave) -> None:
    """As its program would: the lock goes, the file stays."""
    os.close(form._lock)
    form._lock = -1


async def test_kept_for_nobody_else_and_without_values():
    form = Autosave("here")
    await form.save(TEXTS)
    (file,) = files()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder().stat().st_mode) == 0o700
    assert "hidden-value" not in file.read_text()
    dies(form)
    left = await Autosave("here").take_over()
    assert left
    assert (left.texts, left.missing) == ({"command": "python a.py"}, ("env",))


async def test_a_living_form_keeps_what_is_its_own():
    mine, other = Autosave("here"), Autosave("here")
    await mine.save({"name": "a"})
    await other.save({"name": "b"})
    assert await Autosave("here").take_over() is None
    dies(mine)
    assert await Autosave("elsewhere").take_over() is None
    heir = Autosave("here")
    left = await heir.take_over()
    assert left
    assert left.texts == {"name": "a"}
    assert await Autosave("here").take_over() is None
    heir.release()
    assert await Autosave("here").take_over()


async def test_what_is_over_is_not_kept_again():
    form = Autosave("here")
    await form.save(TEXTS)
    await asyncio.gather(form.save(TEXTS), form.discard(), form.save(TEXTS))
    assert not files()


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"context": "here", "texts": 3}', b"\xff"])
async def test_a_damaged_file_brings_nothing(damage: bytes):
    folder().mkdir(parents=True)
    (folder() / "x.json").write_bytes(damage)
    assert await Autosave("here").take_over() is None


async def test_a_place_that_cannot_be_written_is_no_complaint(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_STATE_HOME", os.devnull)
    form = Autosave("here")
    await form.save(TEXTS)
    assert await form.take_over() is None
    await form.discard()


@pytest.mark.parametrize(("key", "asked"), [("f2", ""), ("escape", "Throw away")])
async def test_what_was_sent_or_thrown_away_does_not_come_back(key: str, asked: str):
    app = FormApp(ScriptedBackend())
    async with app.run_test(size=SMALL) as pilot:
        app.write(command="python a.py")
        await until(pilot, files)
        await pilot.press(key)
        if asked:
            await until(pilot, lambda: asked in app.shown)
            await pilot.press("y")
        await until(pilot, lambda: app.results and not files())


async def test_nothing_comes_over_what_was_typed_already(monkeypatch: pytest.MonkeyPatch):
    before, typed, take = Autosave("scripted"), asyncio.Event(), Autosave.take_over

    async def late(form: Autosave) -> SavedForm | None:
        await typed.wait()
        return await take(form)

    await before.save({"command": "python old.py"})
    dies(before)
    monkeypatch.setattr(Autosave, "take_over", late)
    app = FormApp(ScriptedBackend())
    async with app.run_test(size=SMALL) as pilot:
        app.write(command="python mine.py")
        typed.set()
        await until(pilot, lambda: len(files()) == 2)
        assert app.form.list.fields["command"].text == "python mine.py"


def test_a_program_killed_while_somebody_types(tmp_path: Path):
    with start("plain", tmp_path) as program:
        program.until(b"job-00002")
        program.keys("n")
        program.until(b"New job")
        program.keys("bert-large\tjust a moment")

        def saved() -> bool:
            program.read(0)  # one that nobody reads would stop writing
            return any(b"bert-large" in file.read_bytes() for file in files())

        wait.until(saved)
        os.kill(program.pid, signal.SIGKILL)
        assert program.wait() == -signal.SIGKILL
    with start("plain", tmp_path) as program:
        program.until(b"job-00002")
        program.keys("n")
        program.until(b"bert-large")
        program.until(b"is back")
    assert json.loads(files()[0].read_bytes())["texts"]["name"] == "bert-large"
