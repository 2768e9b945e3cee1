"""Who holds the GPUs of 1,000 nodes with 10,000 pods: the first count, every later look, the screen, a storm.

The API server is one of our own in another process, so that its work is none of the client's.
"""

import asyncio
import gc
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from backend_client.contexts import Contexts
from backend_client.kubernetes.api.connection import Address
from backend_client.kubernetes.api.credentials import Fixed, Login
from backend_client.kubernetes.api.kubeconfig import Target
from backend_client.kubernetes.backend import KubernetesBackend
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.protocol import Scope
from benchmarks.gpus_child import NODES, PODS
from tests.support.scripted import Way
from tui.app import TraindeckApp
from tui.gpus.gpus_screen import GpusScreen
from tui.gpus.node_list import NodeList
from tui.jobs.header import Header

LOOKS = 20
CHANGES = 500
SETTLE_SECONDS = 5.0
"""From the free GPUs in the header to the key: by then the owners of pods are known too."""
ARRIVE_SECONDS = 0.5
"""So long after a change of so many pods all of them have come by the watch."""
LIMIT = 60.0

Row = tuple[str, str, str]


class Cluster:
    """The other process."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.port = int(self._line())
        self._round = 0

    def _line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline()

    def change(self, pods: int) -> int:
        """Move so many pods to other nodes; return how many requests there were so far."""
        assert self._process.stdin
        self._round += 1
        self._process.stdin.write(f"{pods} {self._round}\n")
        self._process.stdin.flush()
        return int(self._line())


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Run the large cluster."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.gpus_child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Cluster(process)
        finally:
            process.terminate()


def opened(port: int) -> KubernetesBackend:
    """Open the cluster, with a namespace without jobs."""
    target = Target("gpus", Address("127.0.0.1", port, ""), Fixed(Login()), encrypted=False)
    return KubernetesBackend("gpus", KubernetesSettings(), namespace="idle", target=target)


def rows() -> list[Row]:
    """Return the rows of the table: (what, measured, target)."""
    with cluster() as large:
        return [*asyncio.run(_backend(large)), *asyncio.run(_screen(large))]


async def _backend(large: Cluster) -> list[Row]:
    backend, memory = opened(large.port), _megabytes()
    begin = time.perf_counter()
    await backend.capacity(Scope())
    first = time.perf_counter() - begin
    await backend.nodes(Scope())
    whole = time.perf_counter() - begin
    grown = _megabytes() - memory
    asked = large.change(0)
    unchanged = median([await _look(backend) for _ in range(LOOKS)])
    changed, looking, cpu = [], 0.0, time.process_time()
    for _ in range(LOOKS):
        large.change(CHANGES)
        await asyncio.sleep(ARRIVE_SECONDS)
        before = time.process_time()
        changed.append(await _look(backend))
        looking += time.process_time() - before
    cpu = time.process_time() - cpu
    more = large.change(0) - asked
    await backend.aclose()
    each = cpu / LOOKS / CHANGES
    return [
        (f"{PODS:,} pods on {NODES:,} nodes: the first count", f"{first:.2f} s", ""),
        ("the same, with who holds what until when", f"{whole:.2f} s", ""),
        ("memory for it, at the peak", f"{grown:.0f} MB", ""),
        ("a later look at all machines, nothing changed", f"{unchanged * 1000:.1f} ms", "<= 200 ms"),
        (
            f"a later look, {CHANGES} pods on nearly all nodes changed before",
            f"{median(changed) * 1000:.0f} ms, of which CPU {looking / LOOKS * 1000:.0f} ms",
            "<= 200 ms",
        ),
        ("CPU for one change of a pod, looks included", f"{each * 1e6:.0f} us", ""),
        (f"requests for {LOOKS * 2} looks and {LOOKS * CHANGES:,} changes", f"{more}", "0"),
    ]


async def _look(backend: KubernetesBackend) -> float:
    begin = time.perf_counter()
    found = await backend.nodes(Scope())
    assert len(found.nodes) == NODES
    return time.perf_counter() - begin


def _megabytes() -> float:
    gc.collect()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def _screen(large: Cluster) -> list[Row]:
    """Measure from the key to the machines on the screen, once the header shows how many GPUs are free."""
    backend = opened(large.port)
    with tempfile.TemporaryDirectory() as home:
        app = TraindeckApp(Contexts([Way(backend)], Path(home) / "chosen"), context="scripted")
        async with app.run_test(size=(200, 50)):
            header = app.screen.query_one(Header)
            await _until(lambda: header.capacity and header.capacity.total)
            await asyncio.sleep(SETTLE_SECONDS)
            waits, cpu = [], time.process_time()
            for _ in range(LOOKS // 2):
                begin = time.perf_counter()
                app.simulate_key("g")
                await _until(lambda: _shows_machines(app))
                waits.append(time.perf_counter() - begin)
                app.simulate_key("escape")
                await _until(lambda: not isinstance(app.screen, GpusScreen))
            cpu = (time.process_time() - cpu) / len(waits)
    words = f"first {waits[0] * 1000:.0f} ms, then {median(waits[1:]) * 1000:.0f} ms"
    return [
        ("key `g` to the machines on a 200x50 screen", words, "<= 200 ms"),
        ("CPU for that, and for the way back", f"{cpu * 1000:.0f} ms", ""),
    ]


def _shows_machines(app: TraindeckApp) -> bool:
    """Tell whether the last line of the list is painted, and a machine is in it."""
    if not isinstance(app.screen, GpusScreen):
        return False
    machines = next(iter(app.screen.query(NodeList)), None)
    return (
        machines is not None and bool(machines.nodes) and machines.lines_painted >= machines.size.height - 1
    )


async def _until(holds: Callable[[], object]) -> None:
    """Wait for a condition."""
    end = time.perf_counter() + LIMIT
    while not holds():
        if time.perf_counter() > end:
            raise TimeoutError
        await asyncio.sleep(0.002)
