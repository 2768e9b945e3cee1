"""The screen in a real pseudo-terminal of 200x50, truecolor: starts, keys under load, and bytes."""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

from benchmarks.tui_child import LAST
from tests.support.pty_app import PtyApp

SIZE = (200, 50)
ROUNDS = 7
KEYS = 200
ROOT = Path(__file__).parent.parent


BARE = """
from textual.app import App
from textual.widgets import Static
class Bare(App):
    def compose(self):
        yield Static("ready")
Bare().run()
"""

# As tui.cli.main does: nothing to collect among imports.
CHILD = "import gc; gc.disable(); from benchmarks.tui_child import main; main()"


def start(home: str, *words: str, size: tuple[int, int] = SIZE) -> PtyApp:
    """Start Python in its terminal, with a state folder of its own."""
    env = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
    env |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONPATH": str(ROOT), "HOME": home}
    return PtyApp([sys.executable, *words], env, size)


def deck(home: str, *words: str) -> PtyApp:
    """Start the program over so many jobs, and with so many changes a second."""
    return start(home, "-c", CHILD, *words)


def starts(home: str) -> dict[str, list[float]]:
    """Measure each start in seconds, the variants turn by turn."""
    times: dict[str, list[float]] = {}
    for _ in range(ROUNDS + 1):
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import textual.app"], check=True)
        times.setdefault("import", []).append(time.perf_counter() - begin)
        with start(home, "-c", BARE) as program:
            times.setdefault("bare", []).append(program.until(b"ready"))
        for jobs in (100, 1_000, 10_000):
            with deck(home, str(jobs)) as program:
                first = program.until(b"traindeck")
                times.setdefault(f"first {jobs}", []).append(first)
                times.setdefault(f"full {jobs}", []).append(
                    first if LAST.encode() in program.sent else first + program.until(LAST.encode())
                )
    return {name: values[1:] for name, values in times.items()}  # the first round compiles and warms


def key_to_paint(home: str) -> list[float]:
    """Measure seconds from a key to the cursor's new row, with 10,000 jobs and 500 changes a second."""
    waits = []
    with deck(home, "10000", "500") as program:
        program.until(LAST.encode())
        settle(program, 3)
        for number in range(KEYS):
            program.keys("jk"[number % 2])
            waits.append(program.until(b" > job-" if number % 2 == 0 else b" > " + LAST.encode()))
            settle(program, random.uniform(0.02, 0.15))
    return waits


def settle(program: PtyApp, seconds: float) -> None:
    """Take what comes for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        program.read(end - time.monotonic())


def sizes(home: str) -> dict[str, int]:
    """Measure bytes to the terminal: idle for 2 s, one changed row, the cursor one row down."""
    with deck(home, "100") as program:
        program.until(LAST.encode())
        program.quiet(1)
        found = {"idle": len(program.quiet(2, 2))}
        os.kill(program.pid, signal.SIGUSR1)
        found["row"] = len(program.quiet(0.5))
        program.keys("j")
        program.until(b" > job-")
        mark = len(program.sent)
        program.keys("j")
        program.until(b" > job-")
        found["down"] = len(program.sent[mark:])
        found["down and its log"] = found["down"] + len(program.quiet(0.5))
    return found


def rows() -> list[tuple[str, str, str]]:
    """Return the rows of the table: (what, measured, target)."""
    with tempfile.TemporaryDirectory() as home:
        times = {name: median(values) for name, values in starts(home).items()}
        waits = quantiles(key_to_paint(home), n=100)
        count = sizes(home)
    ms = {name: f"{seconds * 1000:.0f} ms" for name, seconds in times.items()}
    ratio = times["full 100"] / times["bare"]
    table = [
        ("`python3 -c 'import textual.app'`", ms["import"], ""),
        ("a bare Textual app, start to its first frame", ms["bare"], ""),
        ("start to a full list of 100 jobs", f"{ms['full 100']}, {ratio:.2f} x bare", "1.4 x bare"),
    ]
    table += [
        (f"start to the first frame, {jobs:,} jobs", ms[f"first {jobs}"], "the same for all")
        for jobs in (100, 1_000, 10_000)
    ]
    table += [(f"start to a full list of {jobs:,} jobs", ms[f"full {jobs}"], "") for jobs in (1_000, 10_000)]
    return [
        *table,
        (
            "key to paint, 10,000 jobs and 500 changes/s",
            f"p50 {waits[49] * 1000:.0f} ms, p99 {waits[98] * 1000:.0f} ms",
            "p99 50 ms",
        ),
        ("bytes to a 200x50 terminal, idle", str(count["idle"]), "0"),
        ("bytes for one changed row", str(count["row"]), "300"),
        ("bytes for the cursor one row down", str(count["down"]), "600"),
        ("the same with the log of the other job", str(count["down and its log"]), ""),
    ]
