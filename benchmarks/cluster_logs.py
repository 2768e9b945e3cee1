"""`traindeck logs -f` beside `kubectl logs -f`, turn by turn: the whole log of a container that has ended."""

import asyncio
import os
import subprocess
import time
import uuid
from statistics import median
from typing import Any

from backend_client.kubernetes.resources.resource_types import NAMESPACES, PODS
from benchmarks.cluster_fill import connected, send
from benchmarks.peers import Peers

LINES = 60_000
"""Less than a kubelet keeps in one file (10 MiB)."""
ROUNDS = 15
POD = "talks"
SCRIPT = (
    f"awk 'BEGIN {{ for (i = 1; i <= {LINES}; i++)"
    ' printf "step %d/60000 loss 0.4127 lr 3.0e-05 grad_norm 0.812 1.9 it/s gpu 71%% mem 40G\\n", i }\''
)

Row = tuple[str, str, str]


def rows(peers: Peers) -> list[Row]:
    """Return the rows of the table: (what, measured, target)."""
    namespace = f"bench-{uuid.uuid4().hex[:8]}"
    asyncio.run(_write(peers, namespace))
    words = ("logs", POD, "-f")
    ours, theirs = peers.traindeck(namespace, *words), peers.kubectl(namespace, *words)
    pairs = [(_run(ours, peers), _run(theirs, peers)) for _ in range(ROUNDS + 1)][1:]
    asyncio.run(_remove(peers, namespace))
    rates, times = ([(mine[at], other[at]) for mine, other in pairs] for at in (0, 1))
    speed, whole = ([median(column) for column in zip(*values, strict=True)] for values in (rates, times))
    ratio = median(mine / other for mine, other in rates)
    return [
        (
            "log of a pod, `traindeck logs -f`",
            f"{speed[0]:,.0f} lines/s; kubectl {speed[1]:,.0f} lines/s",
            "",
        ),
        ("that / `kubectl logs -f`", f"{ratio:.2f}", ">= 1.0"),
        (
            f"the same, all {LINES:,} lines, with start and end",
            f"{whole[0]:.2f} s; kubectl {whole[1]:.2f} s",
            "",
        ),
    ]


async def _write(peers: Peers, namespace: str) -> None:
    """Run a pod on the real node that writes its log."""
    async with connected(peers.kubeconfig) as transport:
        await send(transport, "POST", NAMESPACES.path(), {"metadata": {"name": namespace}})
        await send(transport, "POST", PODS.path(namespace), _pod())
        phase = ""
        while phase != "Succeeded":
            answer = await transport.request("GET", PODS.path(namespace, POD))
            phase = PODS.decode_object(answer.body).status.phase


async def _remove(peers: Peers, namespace: str) -> None:
    async with connected(peers.kubeconfig) as transport:
        await transport.request("DELETE", NAMESPACES.path(name=namespace))


def _pod() -> dict[str, Any]:
    gpu = {"limits": {"nvidia.com/gpu": "1"}}
    container = {"name": "main", "image": "traindeck.dev/busybox:1", "command": ["sh", "-c", SCRIPT]}
    spec = {
        "restartPolicy": "Never",
        "nodeSelector": {"type": "real"},
        "containers": [container | {"resources": gpu}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": POD}, "spec": spec}


def _run(argv: list[str], peers: Peers) -> tuple[float, float]:
    """Return the lines a second over the last nine tenths of the log, and the seconds from start to exit."""
    began = time.perf_counter()
    marks, text = [], b""
    with subprocess.Popen(argv, stdout=subprocess.PIPE, env=peers.environment()) as program:
        assert program.stdout is not None
        while data := os.read(program.stdout.fileno(), 1 << 16):
            text += data
            marks.append((len(text), time.perf_counter()))
    assert text.count(b"\n") == LINES
    size, first = next(mark for mark in marks if mark[0] >= len(text) / 10)
    return LINES * (1 - size / len(text)) / (marks[-1][1] - first), time.perf_counter() - began
