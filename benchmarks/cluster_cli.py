"""`traindeck jobs` (jobs and pods) beside `kubectl get pods` (pods) as whole processes, turn by turn."""

import subprocess
import time
from statistics import median

from benchmarks.cluster_fill import home_of
from benchmarks.peers import Peers

ROUNDS = {100: 20, 1_000: 20, 10_000: 5}
TARGETS = {100: "<= 1.5", 1_000: "<= 0.8", 10_000: ""}


def seconds(argv: list[str], peers: Peers) -> float:
    """Run one command; return the seconds from its start to its exit."""
    began = time.perf_counter()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, env=peers.environment())
    return time.perf_counter() - began


def rows(peers: Peers) -> list[tuple[str, str, str]]:
    """Return the rows of the table: (what, measured, target)."""
    return [row for count in ROUNDS for row in _rows(peers, count)]


def _rows(peers: Peers, count: int) -> list[tuple[str, str, str]]:
    ours, theirs = peers.traindeck(home_of(count), "jobs"), peers.kubectl(home_of(count), "get", "pods")
    pairs = [(seconds(ours, peers), seconds(theirs, peers)) for _ in range(ROUNDS[count] + 1)][1:]
    mine, kubectl = (median(column) for column in zip(*pairs, strict=True))
    ratio = median(one / other for one, other in pairs)
    return [
        (f"`traindeck jobs`, {count:,} jobs", f"{mine * 1000:.0f} ms; kubectl {kubectl * 1000:.0f} ms", ""),
        ("that / `kubectl get pods`", f"{ratio:.2f}", TARGETS[count]),
    ]
