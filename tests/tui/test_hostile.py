"""Everything from outside is hostile: each screen is fed with it, and every byte it sends is read."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from textual.screen import Screen

import tui
from backend_client.contexts import Contexts
from backend_client.models import JobState
from backend_client.protocol import Scope
from backend_client.server.accounts import Account
from backend_client.server.contexts import ServerContexts
from backend_client.text.sanitize import UNSAFE
from tests.support.hostile import (
    TEXTS,
    Hostile,
)
from tests.tui.support.deck import Deck, deck
from tui.form.form_screen import FormScreen
from tui.form.plan_screen import PlanScreen
from tui.form.templates_screen import TemplatesScreen
from tui.history.history_screen import HistoryScreen
from tui.login.login_screen import LoginScreen
from tui.queue.queue_screen import QueueScreen
from tui.session import Session
from tui.ui import prompt
from tui.ui.pick_screen import Pick, PickScreen

# Colours, cursor moves, the synchronised frame, and Textual's own shape of the mouse pointer.
_OURS = re.compile(r"\x1b\[[0-9;]*[mH]|\x1b\[\?(?:25|2026)[hl]|\x1b\]22;[a-z-]+\x07|[\r\n]")


Drive = Callable[[Deck, Hostile], Awaitable[object]]


def pressing(*keys: str) -> Drive:
    async def drive(running: Deck, _backend: Hostile) -> None:
        for key in keys:
            await running.press(key)
            await running.pilot.pause()

    return drive


def pushing(make: Callable[[Hostile], Screen]) -> Drive:
    async def drive(running: Deck, backend: Hostile) -> None:
        running.app.push_screen(make(backend))
        await running.pilot.pause()

    return drive


def _form(backend: Hostile) -> Screen:
    return FormScreen(backend, spec=backend.job.spec)


def _plan(backend: Hostile) -> Screen:
    return PlanScreen(backend, backend.job.spec)


def _asking(name: str) -> Callable[[Hostile], Screen]:
    def make(backend: Hostile) -> Screen:
        return getattr(prompt, name)(backend.text, backend.text, backend.text)

    return make


def _contexts(backend: Hostile) -> Screen:
    picks = [Pick(backend.text, backend.text), Pick("b", backend.text, False)]
    return PickScreen(backend.text, picks, backend.text, note=backend.text)


def _templates(backend: Hostile) -> Screen:
    text = backend.text.replace("\0", "")  # the settings take none
    return TemplatesScreen({text: {"image": "a", "workdir": "/x"}, "b": {"command": ["echo", text]}})


def _login(backend: Hostile) -> Screen:
    """Its server is nobody: what it answers is in `tests/tui/test_login.py`."""
    account = Account(name=backend.text, url="http://127.0.0.1:1", user=backend.text)
    session = Session(Contexts([], Path("/nowhere")), context=backend.text)
    return LoginScreen(session, ServerContexts(Path("/nowhere"), Path("/nowhere")), account, backend.text)


async def _main(running: Deck, backend: Hostile) -> None:
    backend.put(msgspec.structs.replace(backend.job, state=JobState.QUEUED))
    await pressing("L", "u", "slash", "z", "escape", "d", "y")(running, backend)
    await running.quiet()


async def _ports(running: Deck, backend: Hostile) -> None:
    text = backend.text.replace("\r", "")  # else what stands before it does not count
    line = f"http://localhost:6006/{text}?token={text}".encode(errors="replace")
    for uid in backend.jobs:
        backend.logs_of[uid].append(line)
    await running.press("p")
    await running.until("TensorBoard")
    await running.press("enter")
    await running.until("on your own machine")
    await running.press("d")


async def _gpu_jobs(running: Deck, _backend: Hostile) -> None:
    await running.press("g")
    await running.until("0 of 8 free")
    await running.press("enter")


async def _wishes(running: Deck, _backend: Hostile) -> None:
    await running.press("A")
    await running.until("firing")
    await running.press("r")
    await running.until("Quiet hours")
    await running.press("f2", "f4")
    await running.quiet()


CASES: dict[str, Drive] = {
    "MainScreen": _main,
    "DetailScreen": pressing("enter"),
    "LogScreen": pressing(
        "l",
        "t",
        "z",
        "slash",
        "a",
        "enter",
        "n",
        "m",
        "e",
        "m",
        "ampersand",
        "b",
        "enter",
        "right_square_bracket",
        "L",
    ),
    "ConfirmScreen": pressing("d"),
    "PickScreen": pushing(_contexts),
    "TemplatesScreen": pushing(_templates),
    "HelpScreen": pressing("question_mark"),
    "PlotScreen": pressing("enter", "v", "t"),
    "CompareScreen": pressing("space", "down", "space", "v", "d", "t", "l"),
    "RanksScreen": pressing("enter", "R"),
    "TextScreen": pressing("y"),
    "FormScreen": pushing(_form),
    "PlanScreen": pushing(_plan),
    "GpusScreen": pressing("g", "slash", "x", "escape", "o"),
    "GpuJobsScreen": _gpu_jobs,
    "WhyScreen": pressing("w", "enter", "down", "up", "enter"),
    "HistoryScreen": pushing(HistoryScreen),
    "ReportScreen": pressing("dollar_sign", "g", "g", "p"),
    "AlertsScreen": pressing("A", "j", "z", "escape", "m", "escape", "space"),
    "WishesScreen": _wishes,
    "PortsScreen": _ports,
    "QueueScreen": pushing(lambda backend: QueueScreen(backend, Scope(backend.text))),
    "LoginScreen": pushing(_login),
    "AskText": pushing(_asking("AskText")),
    "AskSecret": pushing(_asking("AskSecret")),
}


def screens() -> set[str]:
    """The screens of all of `tui`, less the bases that show nothing by themselves."""
    found = set()
    for module in pkgutil.walk_packages(tui.__path__, "tui."):
        if module.name.endswith("__main__"):
            continue
        for name, value in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            own = value.__module__ == module.name and not name.startswith("_")
            if own and issubclass(value, Screen) and value.compose is not Screen.compose:
                found.add(name)
    return found


def test_every_screen_has_a_case():
    assert screens() == set(CASES)


def stray(sent: str) -> str:
    """What was sent and is neither plain text nor a sequence of ours."""
    return "".join(UNSAFE.findall(_OURS.sub("", sent)))


def test_the_reader_sees_what_is_not_ours():
    assert stray("\x1b[1;31mred\x1b[0m\x1b[2;5Hx") == ""
    for text in TEXTS.values():
        assert bool(stray(text)) == bool(UNSAFE.search(_OURS.sub("", text)))
    assert stray(TEXTS["clipboard"])


@pytest.mark.parametrize("screen", CASES)
async def test_nothing_hostile_reaches_the_terminal(screen: str, tmp_path: Path):
    backend = Hostile()
    async with deck(backend, tmp_path=tmp_path, size=(200, 50)) as running:
        await CASES[screen](running, backend)
        await running.until(lambda: type(running.app.screen).__name__ == screen or screen == "MainScreen")
        await running.quiet()
        assert stray(running.sent) == ""
        assert running.app.is_running
