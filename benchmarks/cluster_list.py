"""From the start of a program to the whole list on its screen: traindeck, k9s, traindeck, k9s ..."""

import subprocess
import time
from collections.abc import Callable
from statistics import median

from benchmarks.cluster_fill import LAST, home_of
from benchmarks.pane import Pane
from benchmarks.peers import Peers

ROUNDS = {100: 10, 1_000: 10, 10_000: 5}
TARGETS = {100: "<= 0.75", 1_000: "<= 1.0 of its fast mode", 10_000: "<= 0.5"}
FAST = 1.5
"""k9s fills a list at once, or only at its next refresh, 2 s later: fast is what took less than so many times
its quickest start."""

Row = tuple[str, str, str]


def full_in_k9s(count: int) -> Callable[[str], bool]:
    """Return True when the title of k9s has the number of jobs."""
    return lambda screen: f"[{count:,}]" in screen


def full_in_traindeck(screen: str) -> bool:
    """Return True when the job that comes last stands first."""
    return LAST in screen


def starts(peers: Peers, pane: Pane, count: int) -> dict[str, list[float]]:
    """Measure the starts of each in seconds, turn by turn, after one start of each that nobody counts."""
    place = home_of(count)
    programs = {
        "traindeck": (peers.traindeck(place), full_in_traindeck),
        "k9s": (peers.k9s(place), full_in_k9s(count)),
    }
    times: dict[str, list[float]] = {}
    for _ in range(ROUNDS[count] + 1):
        for name, (argv, full) in programs.items():
            began = pane.start(argv)
            times.setdefault(name, []).append(pane.until(full) - began)
            pane.stop()
        began = time.perf_counter()
        argv = peers.kubectl(place, "get", "pods")
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, env=peers.environment())
        times.setdefault("kubectl", []).append(time.perf_counter() - began)
    return {name: values[1:] for name, values in times.items()}


def rows(peers: Peers, pane: Pane) -> list[Row]:
    """Return the rows of the table: (what, measured, target)."""
    return [row for count in ROUNDS for row in _rows(count, starts(peers, pane, count))]


def _rows(count: int, times: dict[str, list[float]]) -> list[Row]:
    fast = median(value for value in times["k9s"] if value < FAST * min(times["k9s"]))
    usual = {name: median(values) for name, values in times.items()}
    theirs = fast if "fast" in TARGETS[count] else usual["k9s"]
    words = f"{usual['traindeck']:.2f} s; k9s {usual['k9s']:.2f} s, its fast mode {fast:.2f} s"
    return [
        (
            f"start to a full list of {count:,} jobs",
            f"{words}; `kubectl get pods` {usual['kubectl']:.2f} s",
            "",
        ),
        ("that / k9s's", f"{usual['traindeck'] / theirs:.2f}", TARGETS[count]),
    ]
