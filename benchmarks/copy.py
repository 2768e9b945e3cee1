"""`traindeck cp` beside `kubectl cp`: 500 MB from a pod and into it; and over a line that is cut.

Needs a cluster with a real node, of TRAINDECK_TEST_KUBECONFIG.
"""

import asyncio
import os
import random
import subprocess
import tempfile
import time
import uuid
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import yaml

from backend_client.kubernetes.resources.resource_types import NAMESPACES, PODS
from benchmarks.cluster_fill import connected, send
from benchmarks.peers import Peers
from tests.backend_client.kubernetes.support import controlplane
from tests.support.faults import Wire

GIVEN = "TRAINDECK_TEST_KUBECONFIG"
SIZE = 500_000_000
ROUNDS = 3
CUTS = 200
POD = "holds"

Row = tuple[str, str, str]


def rows() -> list[Row]:
    """Return the rows of the table: (what, measured, target); a row for what was left out, and why."""
    given, found = os.environ.get(GIVEN), controlplane.binaries()
    if not given or found is None:
        return [("copies", f"left out: {GIVEN} names no cluster with a real node", "")]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        peers = Peers(Path(given), Path(folder), found)
        namespace = f"bench-{uuid.uuid4().hex[:8]}"
        source = Path(folder) / "source"
        source.write_bytes(random.Random(1).randbytes(SIZE))
        asyncio.run(_make(peers, namespace))
        try:
            return [*_beside(peers, namespace, source), *asyncio.run(_cut(peers, namespace, source))]
        finally:
            asyncio.run(_remove(peers, namespace))


def _beside(peers: Peers, namespace: str, source: Path) -> list[Row]:
    made, here = [], source.with_name("here")
    for what, words in {
        "into a pod": (str(source), f"{POD}:/tmp/copy"),
        "from a pod": (f"{POD}:/tmp/copy", str(here)),
    }.items():
        commands = (peers.traindeck(namespace, "cp", *words), peers.kubectl(namespace, "cp", *words))
        pairs = []
        for _ in range(ROUNDS):
            pairs.append([_seconds(argv, peers) for argv in commands])
            assert what == "into a pod" or here.read_bytes() == source.read_bytes()
        ours, theirs = (median(column) for column in zip(*pairs, strict=True))
        rates = f"{SIZE / ours / 1e6:.0f} MB/s; kubectl {SIZE / theirs / 1e6:.0f} MB/s"
        whole = f"{ours:.1f} s; kubectl {theirs:.1f} s, which compares nothing"
        made += [(f"500 MB {what}, `traindeck cp`", rates, ""), ("the same, whole process", whole, "")]
    return made


def _seconds(argv: list[str], peers: Peers) -> float:
    began = time.perf_counter()
    subprocess.run(argv, check=True, capture_output=True, env=peers.environment())
    return time.perf_counter() - began


async def _cut(peers: Peers, namespace: str, source: Path) -> list[Row]:
    """Copy both ways over a line that is cut again and again, until that was done often enough."""
    config = yaml.safe_load(peers.kubeconfig.read_text())
    there = urlsplit(config["clusters"][0]["cluster"]["server"])
    assert there.hostname
    assert there.port
    cuts, copies, wrong, chance = 0, 0, 0, random.Random(2)
    async with Wire(there.hostname, there.port) as wire:
        for cluster in config["clusters"]:
            cluster["cluster"]["server"] = f"https://127.0.0.1:{wire.port}"
            cluster["cluster"].setdefault("tls-server-name", there.hostname)
        bad = peers.home / "kubeconfig"
        bad.write_text(yaml.safe_dump(config))
        other = Peers(bad, peers.home, peers.bin)
        while cuts < CUTS:
            back = source.with_name(f"back-{copies}")
            for words in ((str(source), f"{POD}:/tmp/cut-{copies}"), (f"{POD}:/tmp/cut-{copies}", str(back))):
                argv = other.traindeck(namespace, "cp", *words)
                program = await asyncio.create_subprocess_exec(*argv, env=other.environment())
                while program.returncode is None:
                    await asyncio.sleep(chance.uniform(0.3, 1.2))
                    if program.returncode is None and cuts < CUTS:
                        wire.reset()
                        cuts += 1
                assert program.returncode == 0
            wrong += await asyncio.to_thread(_differs, back, source)
            copies += 1
    return [(f"500 MB there and back, the line cut {cuts} times", f"{copies} copies, {wrong} not equal", "0")]


def _differs(back: Path, source: Path) -> bool:
    data = back.read_bytes()
    back.unlink()
    return data != source.read_bytes()


async def _make(peers: Peers, namespace: str) -> None:
    async with connected(peers.kubeconfig) as transport:
        await send(transport, "POST", NAMESPACES.path(), {"metadata": {"name": namespace}})
        await send(transport, "POST", PODS.path(namespace), _pod())
        phase = ""
        while phase != "Running":
            answer = await transport.request("GET", PODS.path(namespace, POD))
            phase = PODS.decode_object(answer.body).status.phase


async def _remove(peers: Peers, namespace: str) -> None:
    async with connected(peers.kubeconfig) as transport:
        await transport.request("DELETE", NAMESPACES.path(name=namespace))


def _pod() -> dict[str, Any]:
    script = "trap 'exit 0' TERM; while :; do sleep 30 & wait $!; done"
    container = {"name": "main", "image": "traindeck.dev/busybox:1", "command": ["sh", "-c", script]}
    spec = {
        "restartPolicy": "Never",
        "nodeSelector": {"type": "real"},
        "containers": [container | {"resources": {"limits": {"nvidia.com/gpu": "1"}}}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": POD}, "spec": spec}
