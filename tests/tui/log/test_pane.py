"""The log pane by keyboard, in the whole app over a scripted backend, with the bytes it sends."""

import asyncio
import base64
import re
import stat
import time
from pathlib import Path

import pytest
from textual import constants

from backend_client.errors import Forbidden, NotFound, Unreachable
from backend_client.models import JobState
from backend_client.protocol import Closed, Lines, LogSource, Opened
from tests.support.scripted import ScriptedBackend, make_job
from tests.tui.support.deck import Deck, deck
from tui.log import feed
from tui.log.feed import LogFeed
from tui.log.pane import LogPane
from tui.log.view import LogView
from tui.settings.model import LogSettings, Settings

UID = "uid-bert-ft"
SOURCE = LogSource(1)


@pytest.fixture(autouse=True)
def _environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    monkeypatch.chdir(tmp_path)


def backend_with(*lines: bytes) -> ScriptedBackend:
    backend = ScriptedBackend([make_job("bert-ft")])
    backend.logs_of[UID] += lines
    return backend


def numbered(count: int) -> list[bytes]:
    return [b"line %d" % n for n in range(count)]


def view(running: Deck) -> LogView:
    return running.app.screen.query_one(LogView)


def title(running: Deck) -> str:
    return running.shown.splitlines()[0]


async def test_follows_scrolls_and_follows_again(tmp_path):
    backend = backend_with(*numbered(100))
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("l")
        await running.until("line 99")
        assert "line 78" in running.shown
        assert "line 77" not in running.shown
        assert "following" in title(running)
        await running.press("up", "up")
        await running.until("scrolled: 2 lines below")
        await backend.write_log(UID, b"new line")
        await running.until("scrolled: 3 lines below")
        assert "line 97" in running.shown
        assert "new line" not in running.shown
        await running.press("f")
        await running.until("new line")
        await running.press("pageup", "g")
        await running.until("line 0")
        await running.press("pagedown", "pagedown", "pagedown", "pagedown", "pagedown")
        await running.until("following")
        await running.press("escape")
        await running.until("filter")


async def test_the_pane_is_under_the_list_and_takes_the_focus(tmp_path):
    backend = backend_with(*numbered(100))
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.until("line 99")
        await running.press("tab")
        await running.until("search")
        await running.press("k")
        await running.until("scrolled: 1 line below")


async def test_wrap_and_sideways(tmp_path):
    backend = backend_with(b"A" * 100 + b"B" * 100 + b"end", b"last")
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("l")
        await running.until("BBend")
        await running.press("z")
        await running.until(lambda: "Bend" not in running.shown and "AAA" in running.shown)
        await running.press("right", "right", "right", "right")
        await running.until("Bend")
        assert "AAA" not in running.shown
        await running.press("left", "left", "left", "left", "z")
        await running.until(lambda: "Bend" in running.shown and "AAA" in running.shown)


async def test_a_line_taller_than_the_screen_can_be_read(tmp_path):
    backend = backend_with(b"begin " + b"x" * 1990, *numbered(3))
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("l")
        await running.until("line 2")
        assert "begin" not in running.shown
        await running.press(*["up"] * 10)
        await running.until("begin")
        await running.press(*["down"] * 10)
        await running.until("following")
        assert "line 2" in running.shown


async def test_times(tmp_path):
    async with deck(backend_with(b"hello"), tmp_path=tmp_path) as running:
        await running.press("l")
        await running.until("hello")
        await running.press("t")
        await running.until(lambda: re.search(r"\d\d:\d\d:\d\d hello", running.shown) is not None)


async def test_search(tmp_path):
    lines = numbered(300)
    lines[5], lines[150] = b"an Error here", b"error: [31m not an escape"
    async with deck(backend_with(*lines), tmp_path=tmp_path) as running:
        await running.press("l")
        await running.until("line 299")
        await running.press("slash", *"error")
        await running.until("2 of 2")
        assert "error: [31m" in running.shown
        await running.press("enter", "n")
        await running.until("1 of 2")
        assert "an Error here" in running.shown
        await running.press("N")
        await running.until("2 of 2")
        await running.press("slash", "home", "slash", "end", *"$/")
        await running.until("no match")
        await running.press("escape")
        await running.until(lambda: "match" not in title(running))
        await running.press("slash", *"/(/")
        await running.until("Not a regular expression")
        await running.press("backspace", "backspace", *"line 29\\d$/")
        await running.until("1 of 10")
        await running.press("enter", "escape")
        await running.until(lambda: " of " not in title(running))
        assert running.app.screen.query_one(LogPane)
        await running.press("escape")
        await running.until("filter")


async def test_a_search_goes_on_in_new_lines(tmp_path):
    backend = backend_with(b"loss 1")
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("l", "slash", *"loss", "enter")
        await running.until("1 of 1")
        await backend.write_log(UID, b"loss 2", b"x", b"loss 3")
        await running.until("1 of 3")


async def test_save_asks_before_it_overwrites(tmp_path):
    backend = backend_with(b"\x1b[31mraw\r bytes\xff", b"two")
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.press("l", "S")
        await running.until("bert-ft.log")
        await running.press("enter")
        backend.ended_logs.add(UID)
        await running.until("Saved")
        saved = tmp_path / "bert-ft.log"
        assert saved.read_bytes() == b"\x1b[31mraw\r bytes\xff\ntwo\n"
        assert stat.S_IMODE(saved.stat().st_mode) == 0o600
        saved.write_bytes(b"precious")
        await running.press("S", "enter")
        await running.until("overwrites")
        assert saved.read_bytes() == b"precious"
        await running.press("escape", "S", "enter")
        await running.until("overwrites")
        assert saved.read_bytes() == b"precious"
        await running.press("enter")
        await running.until(lambda: saved.read_bytes() != b"precious")
        await running.press("S", *"/x", "enter")
        await running.until("not written")
        await running.press("escape", "S", "home", *"~nobody-here/", "enter")
        await running.until("home")


async def test_copy_sends_what_is_seen(tmp_path):
    async with deck(backend_with(b"\x1b[31mred", b"two"), tmp_path=tmp_path) as running:
        await running.press("l")
        await running.until("two")
        await running.press("Y")
        await running.until("Asked the terminal")
        (sent,) = re.findall("\x1b\\]52;c;([^\x07]*)\x07", running.sent)
        assert base64.b64decode(sent) == b"red\ntwo"


async def test_an_empty_pane_says_why(tmp_path):
    backend = ScriptedBackend([make_job("bert-ft", JobState.QUEUED, reason="waits for 2 GPUs")])
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.until("Queued: waits for 2 GPUs.")
        backend.change(UID, state=JobState.RUNNING, reason="")
        await running.until("No output yet.")
        await backend.write_log(UID, end=True)
        backend.change(UID, state=JobState.SUCCEEDED)
        await running.until("It wrote nothing.")


async def test_a_key_held_down_opens_few_streams(tmp_path, monkeypatch):
    monkeypatch.setattr(feed, "_REST", 2.0)  # longer than a press takes beside a busy machine
    jobs = [make_job(f"job-{n:02}") for n in range(40)]
    backend = ScriptedBackend(jobs)
    for job in jobs:
        backend.logs_of[job.ref.uid].append(b"log of " + job.name.encode())
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.until("log of job-")
        await running.press(*["down"] * 30)
        name = running.app.screen.job.name
        await running.until(f"log of {name}")
        assert sum(method == "logs" for method, _ in backend.calls) < 12


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (NotFound("no such job"), "Its log was deleted."),
        (Forbidden("You may not read [/x] this log.", "Ask."), "You may not read [/x] this log."),
    ],
)
async def test_errors_are_said_and_the_lines_stay(tmp_path, error, words):
    backend = backend_with(b"before")
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.until("before")
        pane = running.app.screen.query_one(LogPane)
        pane.post_message(LogFeed.Failed(pane.feed.serial, error))
        await running.until(words)
        assert "before" in running.shown
        pane.post_message(LogFeed.Failed(pane.feed.serial - 1, Forbidden("an old one")))
        await running.quiet()
        assert "an old one" not in running.shown


async def test_a_broken_link_is_said_until_it_is_back(tmp_path, monkeypatch):
    backend = backend_with(b"before")
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.until("before")
        backend.fail["logs"] = Unreachable("The server does not answer.")
        pane = running.app.screen.query_one(LogPane)
        items = [Closed("reset by peer", lost=True)]
        pane.post_message(LogFeed.Arrived(pane.feed.serial, items))
        await running.until("reset by peer; trying again")
        assert "before" in running.shown
        pane.post_message(LogFeed.Arrived(pane.feed.serial, []))
        await running.until("following")


async def test_a_job_that_goes_on_is_read_on(tmp_path):
    backend = backend_with(b"first")
    backend.ended_logs.add(UID)
    async with deck(backend, tmp_path=tmp_path) as running:
        await running.until("the job has ended")
        assert "ended" in running.shown
        backend.change(UID, state=JobState.STOPPED)
        await running.until("Stopped")
        backend.ended_logs.clear()
        backend.change(UID, state=JobState.RUNNING)
        await running.until("following")
        await backend.write_log(UID, b"second")
        await running.until("second")


def arrive(running: Deck, *lines: bytes, **more) -> None:
    pane = running.app.screen.query_one(LogPane)
    items = [Lines(source=SOURCE, lines=list(lines), times=[1_800_000_000 * 10**9] * len(lines), **more)]
    pane.post_message(LogFeed.Arrived(pane.feed.serial, items))


async def test_bytes(tmp_path):
    """Nothing while nothing comes; one row for a bar; one row for a new line on a screen with room."""
    async with deck(backend_with(*numbered(3)), tmp_path=tmp_path, size=(200, 50)) as running:
        await running.press("l")
        await running.until("line 2")
        assert await running.sent_while_idle() == ""
        arrive(running, b" 10%|#   |", open=True)
        await running.until("10%")
        await running.quiet()
        before = len(running.sent)
        arrive(running, b"\r 20%|##  |", continues=True, open=True)
        await running.until("20%")
        await running.quiet()
        assert len(running.sent) - before < 350
        before = len(running.sent)
        arrive(running, b"\r100%|####|", continues=True)
        await running.quiet()
        assert len(running.sent) - before < 350


async def test_nothing_but_colours_comes_through(tmp_path):
    hostile = [
        b"\x1b]52;c;ZXZpbA==\x07clip \x1b]0;evil title\x1b\\ \x1b[2J\x1b[1;1H\x1b[?1049l \x1bPq\x1b\\ \x9b5n",
        "\u009b31m \u202e rtl \u2066 \u200b zero".encode(),
        b"[/x] [@click=app.quit]quit[/] [b]bold",
        b"\x00\x01\x07\x08\x0b\x0c\x7f nul",
        b"\xff\xfe\xc3 invalid",
        b"x" * 1_000_000,
        "漢字".encode() * 1000,
        b"\x1b[31mred\x1b[0m",
        b"the last one",
    ]
    async with deck(backend_with(*hostile), tmp_path=tmp_path, size=(120, 60)) as running:
        before = len(running.sent)
        await running.press("l")
        await running.until("the last one")
        await running.press("g", "t", "z", "right", "z", "slash", *"nul", "enter", "n", "N", "escape", "up")
        await running.quiet()
        sent = running.sent[before:]
        rest = re.sub(r"\x1b\[[0-9;]*[mH]|\x1b\[\?2026[hl]|\x1b\]22;\w+\x07|\n", "", sent)
        assert not re.findall("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", rest)
        assert "[@click=app.quit]quit[/]" in rest
        assert "evil title" not in rest


@pytest.mark.parametrize(
    ("system", "code", "sent"),
    [("truecolor", 31, "38;2;"), ("256", 32, "38;5;"), ("standard", 33, "91;"), ("none", 34, "")],
)
async def test_colours_of_every_terminal(tmp_path, monkeypatch, system, code, sent):
    """Another colour in each case: Rich remembers a style's bytes for the life of the process."""
    monkeypatch.setattr(constants, "COLOR_SYSTEM", "truecolor" if system == "none" else system)
    if system == "none":
        monkeypatch.setenv("NO_COLOR", "1")
    async with deck(backend_with(b"\x1b[%dmCOLOUR\x1b[0m" % code), tmp_path=tmp_path) as running:
        await running.press("l")
        await running.until("COLOUR")
        (style,) = set(re.findall("\x1b\\[([0-9;]*)mCOLOUR", running.sent)) or {""}
        assert sent in style
        if not sent:
            assert all(len(set(rgb)) == 1 for rgb in re.findall(r"[34]8;2;(\d+);(\d+);(\d+)", style))


async def test_a_flood_does_not_hold_the_keys(tmp_path):
    async with deck(backend_with(b"start"), tmp_path=tmp_path) as running:
        await running.press("l")
        await running.until("start")
        lines = [
            b"step %d loss 0.4 and some more words to make it a line of usual length" % n for n in range(4000)
        ]
        for _ in range(50):
            arrive(running, *lines)
        start = time.process_time()
        await running.press("up")
        await running.until("scrolled")
        assert time.process_time() - start < 3
        await running.until(lambda: view(running).buffer.end == 200_001)


async def test_what_was_dropped_is_said(tmp_path):
    settings = Settings(log=LogSettings(buffer=1))
    async with deck(backend_with(b"start"), tmp_path=tmp_path, settings=settings) as running:
        await running.press("l")
        await running.until("start")
        for _ in range(5):
            arrive(running, *[b"a line of some forty characters, number %d" % n for n in range(10_000)])
        await running.until(lambda: view(running).buffer.end == 50_001)
        await running.press("g")
        await running.until("older ones dropped")


async def test_a_stream_is_closed_when_the_screen_is_left(tmp_path):
    closed = []

    class Watched(ScriptedBackend):
        async def logs(self, query, *, after=""):
            try:
                yield [Opened(SOURCE), Lines(source=SOURCE, lines=[b"hello"], times=[1])]
                await asyncio.Event().wait()
            finally:
                closed.append(query.tail)

    async with deck(Watched([make_job("bert-ft")]), tmp_path=tmp_path) as running:
        await running.until("hello")
        await running.press("l")
        await running.until(lambda: len(running.app.screen_stack) == 3)
        await running.until("hello")
        await running.press("escape")
        await running.until(lambda: bool(closed))


async def test_a_second_rank_brings_the_ranks_to_every_line(tmp_path):
    second = asyncio.Event()

    class Two(ScriptedBackend):
        async def logs(self, query, *, after=""):
            yield [Opened(SOURCE), Lines(source=SOURCE, lines=[b"one"], times=[1])]
            await second.wait()
            yield [Lines(source=LogSource(1, rank=1), lines=[b"two"], times=[2])]
            await asyncio.Event().wait()

    async with deck(Two([make_job("bert-ft")]), tmp_path=tmp_path) as running:
        await running.press("l")
        await running.until("one")
        second.set()
        await running.until("  1 two")
        assert "  0 one" in running.shown
