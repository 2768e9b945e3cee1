"""The screen over a link of 100 ms and 50 kB/s: bytes for a key and for a log line, and from key to paint."""

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

from benchmarks.slow import SlowApp
from benchmarks.tui import ROOT, settle

SIZES = ((80, 24), (200, 50))
KEYS = 10
SECONDS = 5
FLOOD = 1000
"""Lines a second, about 90 kB: more than the link could carry."""


@contextmanager
def deck(home: str, size: tuple[int, int], rate: int = 2) -> Iterator[SlowApp]:
    """Start the program over 30 jobs, as over SSH."""
    env = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
    env |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONPATH": str(ROOT), "HOME": home}
    env |= {"SSH_CONNECTION": "far away", "TEXTUAL_ANIMATIONS": "none", "TEXTUAL_SMOOTH_SCROLL": "0"}
    with SlowApp([sys.executable, "-m", "benchmarks.link_child", str(rate)], env, size) as program:
        yield program


def start(home: str, size: tuple[int, int]) -> str:
    """Measure seconds and bytes until all that a first screen shows has come."""
    with deck(home, size) as program:
        seconds = program.until(b"step 0000099/")
        return f"{seconds:.2f} s, {(len(program.sent)) / 1000:.1f} kB"


def key(home: str, size: tuple[int, int]) -> str:
    """Measure the cursor one row down, and up again: to its paint, and all bytes that come of it."""
    waits, sizes = [], []
    with deck(home, size) as program:
        _rest(program)
        for number in range(KEYS):
            mark = len(program.sent)
            program.keys("jk"[number % 2])
            waits.append(program.until(b" > job-"))
            program.quiet(0.8)
            sizes.append(len(program.sent) - mark)
    return f"{_ms(waits)}, {median(sizes):.0f} bytes"


def lines(home: str, size: tuple[int, int], keys: str) -> str:
    """Return the bytes for each line of a log that is followed, two a second."""
    with deck(home, size) as program:
        _rest(program)
        program.keys(keys)
        program.quiet(1)
        os.kill(program.pid, signal.SIGUSR1)
        mark = len(program.sent)
        settle(program, SECONDS)
        count = SECONDS * 2
        return f"{(len(program.sent) - mark) / count:.0f} bytes"


def flood(home: str, size: tuple[int, int]) -> tuple[str, str]:
    """Follow a log that is faster than the link: bytes a second, and from a key to its paint meanwhile."""
    waits = []
    with deck(home, size, FLOOD) as program:
        _rest(program)
        os.kill(program.pid, signal.SIGUSR1)
        settle(program, 2)
        mark = len(program.sent)
        settle(program, SECONDS)
        rate = (len(program.sent) - mark) / SECONDS / 1000
        for _ in range(KEYS):
            program.keys("?")
            waits.append(program.until(b"JOB LIST"))
            program.keys("\x1b")
            settle(program, 1)
    return f"{rate:.1f} kB/s", _ms(waits)


def _rest(program: SlowApp) -> None:
    program.until(b"step 0000099/")
    program.quiet(1)


def _ms(waits: list[float]) -> str:
    return f"p50 {median(waits) * 1000:.0f} ms, worst {max(waits) * 1000:.0f} ms"


def rows() -> list[tuple[str, str, str]]:
    """Return the rows of the table: (what, measured, target)."""
    table = []
    for size in SIZES:
        with tempfile.TemporaryDirectory() as home:
            over = f"100 ms, 50 kB/s, {size[0]}x{size[1]}:"
            carried, wait = flood(home, size)
            table += [
                (f"{over} start to the whole first screen", start(home, size), ""),
                (f"{over} key to the cursor's new row", key(home, size), "p50 150 ms"),
                (f"{over} a log line beside the list", lines(home, size, ""), ""),
                (f"{over} a log line, full screen", lines(home, size, "l"), ""),
                (f"{over} a line in each of two logs beside each other", lines(home, size, "Lj"), ""),
                (f"{over} a log of {FLOOD:,} lines/s", carried, "<= 50 kB/s"),
                (f"{over} key to help meanwhile", wait, "p50 400 ms"),
            ]
    return table
