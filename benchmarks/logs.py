"""The log's figures: the buffer in this process, the pane in the real app."""

import asyncio
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time

from backend_client.logs import LineFilter, LogBuffer, Search
from backend_client.protocol import Lines, LogSource
from benchmarks.tui import start
from tui.log.matches import Matches

COUNT = 1_000_000
BATCH = 4_000
SOURCE = LogSource(1)
LINE = b"2026-11-24 10:00:00 INFO step %07d/1000000 loss 0.4127 lr 3.0e-05 1.94 it/s gpu 71%% mem 40G"


def batches(count: int = COUNT) -> list[Lines]:
    """Return `count` lines of about 90 bytes, in batches as a backend gives them."""
    return [
        Lines(
            source=SOURCE,
            lines=[LINE % n for n in range(first, first + BATCH)],
            times=[1_800_000_000_000_000_000 + n * 1_000_000 for n in range(first, first + BATCH)],
        )
        for first in range(0, count, BATCH)
    ]


def _rss() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


def memory() -> float:
    """Return the bytes of memory for each byte of a million lines. Run it in a process of its own."""
    buffer = LogBuffer(2**30)
    before = _rss()
    for first in range(0, COUNT, BATCH):
        lines = [LINE % n for n in range(first, first + BATCH)]
        buffer.append(
            [
                Lines(
                    source=SOURCE,
                    lines=lines,
                    times=[10**18 + n * 10**6 for n in range(first, first + BATCH)],
                )
            ]
        )
    return (_rss() - before) / buffer.size


def ingest() -> tuple[float, LogBuffer]:
    """Return the million lines a second that go into the buffer, best of three."""
    taken = batches()
    best, buffer = 1e9, LogBuffer()
    for _ in range(3):
        buffer = LogBuffer(2**30)
        began = time.perf_counter()
        for batch in taken:
            buffer.append([batch])
        best = min(best, time.perf_counter() - began)
    return COUNT / best / 1e6, buffer


def find(buffer: LogBuffer, typed: str) -> float:
    """Return the ms of a search over the whole buffer, as the pane makes it, best of three."""
    best = 1e9
    for _ in range(3):
        hits, sieve = Matches(Search.parse(typed)), LineFilter()
        sieve.upto = buffer.closed
        began = time.perf_counter()
        asyncio.run(hits.scan(buffer, sieve))
        best = min(best, time.perf_counter() - began)
    return best * 1000


async def regex_delay(buffer: LogBuffer, typed: str) -> float:
    """Return the longest time in ms that the event loop is late while a regular expression is looked for."""
    search, worst, done = Search.parse(typed), 0.0, False

    def look() -> None:
        nonlocal done
        for block in buffer.blocks():
            search.lines(bytes(block.text))
        done = True

    threading.Thread(target=look, daemon=True).start()
    end = time.perf_counter() + 5
    while not done and time.perf_counter() < end:
        began = time.perf_counter()
        await asyncio.sleep(0.002)
        worst = max(worst, time.perf_counter() - began - 0.002)
    return worst * 1000


def on_screen() -> float:
    """Return the lines a second from the backend to the terminal, in the whole app at 200x50."""
    with tempfile.TemporaryDirectory() as home, start(home, "-m", "benchmarks.logs_child", str(COUNT)) as app:
        app.until(lambda sent: re.search(rb"END [\d.]+ \.", sent) is not None, 60)
        began = float(re.findall(rb"END ([\d.]+) \.", app.sent)[-1])
        return COUNT / (time.time() - began)


def rows() -> list[tuple[str, str, str]]:
    """Return the rows of the table: (what, measured, target)."""
    code = "from benchmarks.logs import memory; print(memory())"
    used = float(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    )
    speed, buffer = ingest()
    shown = on_screen()
    late = asyncio.run(regex_delay(buffer, "/(\\w|\\w\\w)+#/"))
    return [
        ("log: lines into the buffer", f"{speed:.1f}M lines/s", ">= 1M lines/s"),
        ("log: memory of 1M lines / their text", f"{used:.2f}", "<= 1.2"),
        ("log: search over 1M lines, exact case", f"{find(buffer, 'CUDA out'):.0f} ms", "<= 50 ms"),
        ("log: search over 1M lines, both cases", f"{find(buffer, 'cuda out'):.0f} ms", "<= 50 ms"),
        ("log: lines from the backend to the terminal, 200x50", f"{shown:,.0f} lines/s", ">= 100,000"),
        ("log: search that finds every line", f"{find(buffer, 'step'):.0f} ms", "-"),
        ("log: event loop late during a slow regex", f"{late:.1f} ms", "no key waits"),
    ]
