"""Beside k9s and kubectl: one control plane with 100, 1,000 and 10,000 jobs, each in a namespace.

The control plane is etcd and an API server of our own; logs need a real node, of TRAINDECK_TEST_KUBECONFIG.
"""

import asyncio
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import cluster_changes, cluster_cli, cluster_list, cluster_logs
from benchmarks.cluster_fill import connected, fill, home_of
from benchmarks.pane import Pane
from benchmarks.peers import Peers
from tests.backend_client.kubernetes.support import controlplane

COUNTS = (100, 1_000, 10_000)
GIVEN = "TRAINDECK_TEST_KUBECONFIG"

Row = tuple[str, str, str]


def rows() -> list[Row]:
    """Return the rows of the table: (what, measured, target); a row for what was left out, and why."""
    found = controlplane.binaries()
    if found is None:
        return [("Kubernetes", f"left out: {controlplane.HOW}", "")]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        home = Path(folder)
        peers = Peers(home / "plane" / "kubeconfig", home, found)
        if missing := [name for name in ("k9s", "kubectl") if not peers.find(name)]:
            return [("Kubernetes", f"left out: no {' and no '.join(missing)} here", "")]
        return [*_beside(peers), *_logs(peers)]


def _beside(peers: Peers) -> Iterator[Row]:
    with _filled(peers), Pane(peers.home, peers.environment()) as pane:
        yield from cluster_list.rows(peers, pane)
        yield from cluster_changes.rows(peers, pane)
        yield from cluster_cli.rows(peers)


@contextmanager
def _filled(peers: Peers) -> Iterator[None]:
    """Run the control plane, filled with all jobs."""
    with controlplane.running(peers.kubeconfig.parent, controllers=False):
        asyncio.run(_fill(peers.kubeconfig))
        yield


async def _fill(kubeconfig: Path) -> None:
    async with connected(kubeconfig) as transport:
        for count in COUNTS:
            await fill(transport, home_of(count), count)


def _logs(peers: Peers) -> list[Row]:
    if not (given := os.environ.get(GIVEN)):
        return [
            (
                "log lines/s beside `kubectl logs -f`",
                f"left out: {GIVEN} names no cluster with a real node",
                "",
            )
        ]
    return cluster_logs.rows(Peers(Path(given), peers.home, peers.bin))
