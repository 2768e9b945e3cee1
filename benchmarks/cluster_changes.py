"""A screen with 10,000 jobs while up to 100 pods a second change: traindeck, k9s, traindeck, k9s ...

Both show the same pod on the first screen: its container's exit code is changed, and the time until the code
stands there counts. For a key, it is the time until the cursor is on the next row.
"""

import asyncio
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from statistics import median, quantiles

import msgspec

from benchmarks import usage
from benchmarks.cluster_fill import connected, home_of, job_name, patch_pod, pod_status
from benchmarks.cluster_list import full_in_k9s, full_in_traindeck
from benchmarks.pane import Pane
from benchmarks.peers import Peers

JOBS = 10_000
RATE = 100
ROUNDS = 3
PROBES = 10
KEYS = 40
WATCHED = 5
"""The job whose pod is changed."""
CPU_SECONDS = 10.0
CODES = count(100)
"""Exit codes that stand nowhere else."""
ROOT = Path(__file__).parent.parent

Row = tuple[str, str, str]


class Program(msgspec.Struct):
    """How one of the two is started and read, and what was measured of it."""

    argv: list[str]
    full: Callable[[str], bool]
    cursor: re.Pattern[str]
    """On a screen with its escapes: the job under the cursor."""
    changes: list[float] = []
    """Seconds from the write to the screen."""
    keys: list[float] = []
    """Seconds from a key to the cursor."""
    cpu: list[float] = []
    """Seconds of CPU in a second."""
    memory: list[float] = []
    """MiB of resident memory."""


def programs(peers: Peers) -> dict[str, Program]:
    """Return both programs, over the same jobs."""
    place = home_of(JOBS)
    turned = re.compile(r"\x1b\[30m\x1b\[48;5;\d+m(\S+)")  # k9s paints the row in its own colour, turned over
    return {
        "traindeck": Program(peers.traindeck(place), full_in_traindeck, re.compile(r" > (\S+)")),
        "k9s": Program(peers.k9s(place), full_in_k9s(JOBS), turned),
    }


def measure(peers: Peers, pane: Pane) -> dict[str, Program]:
    """Measure both programs, turn by turn."""
    both = programs(peers)
    for _ in range(ROUNDS):
        for program in both.values():
            pane.start(program.argv)
            pane.until(program.full)
            program.memory.append(_memory(pane.pid()))
            with _changing(peers.kubeconfig):
                time.sleep(1)
                program.cpu.append(_cpu_share(pane.pid()))
                program.changes += asyncio.run(_changes(peers.kubeconfig, pane))
                program.keys += list(_keys(pane, program.cursor))
            pane.stop()
    return both


@contextmanager
def _changing(kubeconfig: Path) -> Iterator[None]:
    """Change pods meanwhile, from a process of its own."""
    argv = [
        sys.executable,
        "-m",
        "benchmarks.cluster_churn",
        str(kubeconfig),
        home_of(JOBS),
        str(JOBS),
        str(RATE),
    ]
    with subprocess.Popen(argv, cwd=ROOT) as churn:
        yield
        churn.terminate()


async def _changes(kubeconfig: Path, pane: Pane) -> list[float]:
    times = []
    async with connected(kubeconfig) as transport:
        for code in [next(CODES) for _ in range(PROBES)]:
            await asyncio.sleep(random.uniform(0.2, 1.2))
            began = time.perf_counter()
            await patch_pod(transport, home_of(JOBS), WATCHED, pod_status("Failed", code=code))
            row = re.compile(rf"{job_name(WATCHED)}\b.*\b{code}\b")
            times.append(pane.until(lambda screen, row=row: bool(row.search(screen))) - began)
    return times


def _keys(pane: Pane, cursor: re.Pattern[str]) -> Iterator[float]:
    """Yield the seconds from a key to its paint, down and up in turns."""
    for number in range(KEYS):
        time.sleep(random.uniform(0.05, 0.3))
        before = cursor.findall(pane.screen(colours=True))
        began = pane.keys("jk"[number % 2])
        moved = pane.until(lambda screen, before=before: _moved(cursor, screen, before), colours=True)
        yield moved - began


def _moved(cursor: re.Pattern[str], screen: str, before: list[str]) -> bool:
    """Return True where one row has the cursor, and another than before."""
    now = cursor.findall(screen)
    return len(now) == 1 and now != before


def _cpu_share(pid: int) -> float:
    before = usage.cpu(pid)
    time.sleep(CPU_SECONDS)
    return (usage.cpu(pid) - before) / CPU_SECONDS


def _memory(pid: int) -> float:
    """Return the MiB of resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def rows(peers: Peers, pane: Pane) -> list[Row]:
    """Return the rows of the table: (what, measured, target)."""
    both = measure(peers, pane)
    ours, theirs = both["traindeck"], both["k9s"]
    load = f"{JOBS:,} jobs, up to {RATE} changes/s"
    return [
        *_waits(f"change to screen, {load}", ours.changes, theirs.changes, ("<= 0.1", "<= 0.1")),
        *_waits(f"key to paint, {load}", ours.keys, theirs.keys, ("", "<= 0.3")),
        *_sizes(f"CPU, {load}", ours.cpu, theirs.cpu, "{:.0%}"),
        *_sizes(f"memory, {JOBS:,} jobs", ours.memory, theirs.memory, "{:.0f} MiB"),
    ]


def _waits(what: str, ours: list[float], theirs: list[float], targets: tuple[str, str]) -> Iterator[Row]:
    """Return the rows for the middle and the slowest twentieth of each, in ms."""
    middle, slow = ([quantiles(values, n=20)[at] * 1000 for values in (ours, theirs)] for at in (9, 18))
    words = [f"p50 {middle[at]:.0f} ms, p95 {slow[at]:.0f} ms" for at in (0, 1)]
    yield what, f"{words[0]}; k9s {words[1]}", ""
    for name, (mine, other), target in zip(("p50", "p95"), (middle, slow), targets, strict=True):
        yield f"that / k9s's, {name}", f"{mine / other:.2f}", target


def _sizes(what: str, ours: list[float], theirs: list[float], form: str) -> Iterator[Row]:
    mine, other = median(ours), median(theirs)
    yield what, f"{form.format(mine)}; k9s {form.format(other)}", ""
    yield "that / k9s's", f"{mine / other:.2f}", "<= 0.3"
