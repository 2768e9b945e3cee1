"""Ranks, the first error, pause, marks and the filter, by keyboard in the whole app."""

import asyncio
import re

import pytest

from backend_client.logs import search
from backend_client.protocol import Closed, Lines, LogSource
from tests.support.scripted import ScriptedBackend, make_job
from tests.tui.support.deck import Deck, deck
from tui.log import status
from tui.log.pane import LogPane

NOON = 1_800_000_000 * 10**9
SECOND = 10**9


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_CONNECTION", raising=False)


class Ranked(ScriptedBackend):
    """Its log has what `say` was told, by rank."""

    def __init__(self) -> None:
        super().__init__([make_job("bert-ft")])
        self.queue: asyncio.Queue[list[Lines]] = asyncio.Queue()
        self.written = 0

    def say(self, rank: int, *lines: bytes) -> None:
        times = [NOON + (self.written + n) * SECOND for n in range(len(lines))]
        self.written += len(lines)
        self.queue.put_nowait([Lines(source=LogSource(1, rank), lines=list(lines), times=times)])

    async def logs(self, query, *, after=""):
        while True:
            yield await self.queue.get()


async def started(running: Deck, backend: Ranked, until: str) -> None:
    await running.press("tab")
    await running.until(until)


def log_of(running: Deck) -> str:
    """The text of the pane's rows."""
    return "\n".join(line.text for line in running.app.screen.query_one(LogPane).view.viewport.lines())


def state(running: Deck) -> str:
    return running.app.screen.query_one("LogTitle").status


async def test_one_rank_at_a_time(tmp_path):
    backend = Ranked()
    for n in range(300):
        backend.say(n % 3, b"line %d of %d" % (n, n % 3))
    async with deck(backend, tmp_path=tmp_path, size=(120, 30)) as running:
        await started(running, backend, "line 299 of 2")
        await running.press("]", "]")
        await running.until(lambda: "rank 1" in state(running) and "line 298 of 1" in log_of(running))
        assert not re.search("of [02]", log_of(running))
        await running.press("up", "up")
        await running.until(lambda: "2 lines below" in state(running))
        backend.say(1, b"new of 1")
        backend.say(2, b"new of 2")
        await running.until(lambda: "3 lines below" in state(running))
        await running.press("f")
        await running.until(lambda: "new of 1" in log_of(running))
        assert "new of 2" not in log_of(running)
        await running.press("[")
        await running.until(lambda: "line 297 of 0" in log_of(running))
        await running.press("[")
        await running.until(lambda: "new of 2" in log_of(running))
        assert "rank" not in state(running).replace("ranks silent", "")


async def test_a_search_finds_in_the_chosen_rank_only(tmp_path):
    backend = Ranked()
    for n in range(90):
        backend.say(n % 3, b"loss %d" % n)
    async with deck(backend, tmp_path=tmp_path, size=(120, 30)) as running:
        await started(running, backend, "loss 89")
        await running.press("slash", *"loss", "enter")
        await running.until(lambda: "90 of 90" in state(running))
        await running.press("]")
        await running.until(lambda: "30 of 30" in state(running))


async def test_a_silent_rank_is_told_and_costs_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(status.time, "time", lambda: NOON / 10**9 + 700)
    backend = Ranked()
    backend.say(0, b"zero")
    backend.written = 650
    backend.say(1, b"one")
    async with deck(backend, tmp_path=tmp_path, size=(120, 30)) as running:
        await started(running, backend, "one")
        await running.until(lambda: "rank 0 silent 10m" in state(running))
        assert await running.sent_while_idle() == ""
        backend.queue.put_nowait([Closed("the job has ended")])
        await running.until(lambda: "silent" not in state(running))


async def test_the_first_error(tmp_path):
    backend = Ranked()
    backend.say(0, *[b"step %d" % n for n in range(100)], b"RuntimeError: CUDA error: misaligned address")
    backend.say(1, *[b"step %d" % n for n in range(100)], b"KeyError: 'x'", *[b"more"] * 100)
    async with deck(backend, tmp_path=tmp_path, size=(120, 30)) as running:
        await started(running, backend, "more")
        await running.press("e")
        await running.until(lambda: "first error: CUDA" in state(running))
        assert "misaligned" in running.shown
        await running.press("[", "e")
        await running.until(lambda: "first error of rank 1: exception" in state(running))
        assert "KeyError" in running.shown
        await running.press("&", *"more", "enter", "e")
        await running.until(lambda: "KeyError" in log_of(running))
        await running.press("[", "[", "&", *"step", "enter", "escape", "escape")
        await running.until("filter")


async def test_the_first_error_is_seen_among_long_lines(tmp_path):
    backend = Ranked()
    long = [b"a long line " * 20] * 30
    backend.say(0, *long, b"KeyError: 'x'", *long)
    async with deck(backend, tmp_path=tmp_path) as running:
        await started(running, backend, "a long line")
        await running.press("e")
        await running.until("KeyError: 'x'")


async def test_no_error_is_said(tmp_path):
    backend = Ranked()
    backend.say(0, b"fine")
    async with deck(backend, tmp_path=tmp_path) as running:
        await started(running, backend, "fine")
        await running.press("e")
        await running.until("no error found")
        await running.press("escape")
        await running.until(lambda: "no error" not in running.shown)


async def test_space_pauses_and_goes_on(tmp_path):
    backend = Ranked()
    backend.say(0, *[b"line %d" % n for n in range(50)])
    async with deck(backend, tmp_path=tmp_path) as running:
        await started(running, backend, "line 49")
        await running.press("space")
        await running.until("paused")
        backend.say(0, *[b"new %d" % n for n in range(5)])
        await running.until("paused: 5 lines below")
        assert "new" not in log_of(running)
        await running.press("space")
        await running.until("new 4")
        assert state(running) == "following"


async def test_the_time_between_two_marks(tmp_path):
    backend = Ranked()
    backend.say(0, *[b"line %d" % n for n in range(100)])
    async with deck(backend, tmp_path=tmp_path) as running:
        await started(running, backend, "line 99")
        await running.press("m", "slash", *"line 9", "enter", *["n"] * 1)
        await running.until(lambda: "1 of 11" in state(running))
        await running.press("m")
        await running.until(lambda: "marks 1m 30s apart, 90 lines" in state(running))
        await running.press("m")
        await running.until(lambda: "1 mark" in state(running))


async def test_only_some_lines(tmp_path):
    backend = Ranked()
    backend.say(0, *[b"step %d loss %d" % (n, n % 10) for n in range(200)])
    async with deck(backend, tmp_path=tmp_path) as running:
        await started(running, backend, "step 199")
        await running.press("&", *"/loss [34]$/", "enter")
        await running.until(lambda: "step 194 loss 4\n" in log_of(running) + "\n")
        assert "loss 5" not in log_of(running)
        assert "only /loss [34]$/" in state(running)
        backend.say(0, b"loss 3", b"loss 9")
        await running.until(lambda: log_of(running).endswith("\nloss 3"))
        await running.press("&", *"x", "enter")
        await running.until("No line is let through.")
        await running.press("&", *["backspace"] * 20, *"/(/")
        await running.until("Not a regular expression")
        await running.press("escape")
        await running.until(lambda: log_of(running).endswith("\nloss 9"))


async def test_a_filter_that_takes_too_long_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(search, "BLOCK_SECONDS", 0.01)
    backend = Ranked()
    backend.say(0, b"a" * 5000 + b"!")
    async with deck(backend, tmp_path=tmp_path, size=(200, 50)) as running:
        await started(running, backend, "aaa")
        await running.press("&", *"/(a+a+)+b/", "enter")
        await running.until(lambda: "too slow: lines are missing" in state(running))
