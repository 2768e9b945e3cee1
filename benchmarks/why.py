"""Why a job of 64 ranks waits and what would help it, out of what open watches know of 10,000 pods.

The whole explanation as a screen asks for it, offers among it, in a namespace of 10,000 pods on 1,000 nodes;
between two looks 50 pods change. It asks the cluster for nothing: a request would fail.
"""

import asyncio
import gc
import statistics
import time
import tracemalloc
from collections.abc import AsyncIterator, Sequence

import msgspec

from backend_client.kubernetes import labels
from backend_client.kubernetes.api.connection import Address
from backend_client.kubernetes.api.credentials import Fixed, Login
from backend_client.kubernetes.api.kubeconfig import Target
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.capacity_cache import CapacityCache
from backend_client.kubernetes.explain import Explainer
from backend_client.kubernetes.manifests.render import spec_text
from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.resources.gpu_pods import DevicePod
from backend_client.kubernetes.resources.node_gpus import NodeGpus
from backend_client.kubernetes.resources.resource_types import DEVICE_PODS, NODES
from backend_client.kubernetes.resources.workloads import KubeJob
from backend_client.kubernetes.session import ClusterSession
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.status.machines import MachineLedger
from backend_client.kubernetes.watch.attempt_memory import AttemptMemory
from backend_client.kubernetes.watch.delta import Delta
from backend_client.kubernetes.watch.job_cache import JobCache
from backend_client.kubernetes.watch.kueue_lists import KueueLists
from backend_client.models import JobRef
from backend_client.models.fields import parse_spec
from backend_client.protocol import LogItem, LogQuery
from backend_client.why import anyone

RANKS, PODS, NODE_COUNT, LOOKS, CHANGES = 64, 10_000, 1_000, 50, 50
TARGET_MS = 100
"""From the key to the answer."""
_GPU = "nvidia.com/gpu"
_LACKS = f"0/{NODE_COUNT} nodes are available: {NODE_COUNT} Insufficient {_GPU}."
_SPEC = parse_spec({"name": "job-0", "image": "a", "gpus": 8, "nodes": RANKS})
_NOWHERE = Target("kind", Address("127.0.0.1", 1, ""), Fixed(Login()), encrypted=False)
Row = tuple[str, str, str]


class _Kept(CapacityCache):
    """The nodes as the watch of the GPUs keeps them."""

    def __init__(self, ledger: MachineLedger) -> None:
        super().__init__(ClusterSession("kind", _NOWHERE), _GPU, "n")
        self._kept = ledger
        self._table = tuple(NodeGpus(f"gpu-{number}", "A100", 8, 0) for number in range(NODE_COUNT))

    def machines(self) -> MachineLedger:
        return self._kept

    def node_gpus(self) -> tuple[NodeGpus, ...]:
        return self._table


def rows() -> list[Row]:
    """Return the time of one look, the median and the slowest of several, and the memory that it needs."""
    ledger, size = _machines()
    capacity = _Kept(ledger)
    took = asyncio.run(_looks(capacity))
    what = f"why {RANKS} ranks wait and what would help, {PODS:,} pods on {NODE_COUNT:,} nodes watched"
    return [
        (what, f"{statistics.median(took):.0f} ms, slowest {max(took):.0f} ms", f"at most {TARGET_MS} ms"),
        ("requests for that", "0", "at most 6"),
        ("memory of what nodes have left, and of what their pods take", f"{size / 1e6:.1f} MB", ""),
    ]


async def _looks(capacity: _Kept) -> list[float]:
    cache = _filled(capacity)
    explainer = Explainer(
        transport=Transport(_NOWHERE),
        context="kind",
        site=KubernetesSettings(),
        capacity=capacity,
        attempts=AttemptMemory(),
        kueue=KueueLists(),
        watched=[cache],
        new_cache=lambda: cache,
        logs=_no_log,
    )
    took = []
    for look in range(LOOKS):
        for number in range(CHANGES):
            capacity.machines().put(_held(RANKS + (look * CHANGES + number) * 7 % (PODS - RANKS), look))
        began = time.perf_counter()
        found = await explainer.explain(JobRef("kind", "n", "job", "job-0", "job-0"), anyone)
        took.append((time.perf_counter() - began) * 1000)
        assert found.chain[-1].id == "schedule.gpus"
        assert "fewer-gpus" in [offer.id for offer in found.offers]
    return took


async def _no_log(_: LogQuery) -> AsyncIterator[Sequence[LogItem]]:
    for items in ():
        yield items


def _machines() -> tuple[MachineLedger, int]:
    """Return the ledger of all nodes and pods, and how many bytes it holds."""
    gc.collect()
    tracemalloc.start()
    ledger = MachineLedger()
    for number in range(NODE_COUNT):
        ledger.put(NODES.decode_object(msgspec.json.encode(_node(number))))
    for number in range(RANKS, PODS):
        ledger.put(_held(number, 0))
    ledger.machines()
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return ledger, size


def _node(number: int) -> dict[str, object]:
    name = f"gpu-{number}"
    names = {f"example.com/label-{each}": f"value-{each}" for each in range(30)}
    metadata = {"name": name, "uid": f"uid-{name}", "labels": names | {"kubernetes.io/hostname": name}}
    amounts = {_GPU: "8", "cpu": "96", "memory": "1Ti", "pods": "110", "ephemeral-storage": "1Ti"}
    ready = {"type": "Ready", "status": "True"}
    return {"metadata": metadata, "status": {"allocatable": amounts, "conditions": [ready]}}


def _held(number: int, change: int) -> DevicePod:
    """Return a pod that runs; every 20th node has 4 GPUs free, the others none."""
    on, place = number % NODE_COUNT, number // NODE_COUNT
    gpus = int(place < (4 if on % 20 == 0 else 8))
    limits = {"cpu": f"{8 + change % 2}", "memory": "64Gi"} | ({_GPU: "1"} if gpus else {})
    container = {"name": "main", "resources": {"limits": limits, "requests": limits}}
    made = {
        "metadata": {
            "name": f"pod-{number}",
            "namespace": "n",
            "uid": f"5e1f3a52-d3a6-4f40-9d8a-{number:012}",
        },
        "spec": {"nodeName": f"gpu-{on}", "containers": [container]},
        "status": {"phase": "Running"},
    }
    return DEVICE_PODS.decode_object(msgspec.json.encode(made))


def _filled(capacity: _Kept) -> JobCache:
    cache = JobCache("kind", KubernetesSettings(), capacity.node_gpus)
    for number in range(PODS // RANKS):
        cache.apply(Delta((msgspec.convert(_job(number), KubeJob),)))
        cache.apply(Delta(tuple(msgspec.convert(_pod(number, rank), Pod) for rank in range(RANKS))))
    return cache


def _job(number: int) -> dict[str, object]:
    spec = {labels.SPEC: spec_text(_SPEC)}
    metadata = {"name": f"job-{number}", "namespace": "n", "uid": f"job-{number}", "annotations": spec}
    return {"metadata": metadata, "spec": {"parallelism": RANKS, "completions": RANKS}}


def _pod(number: int, rank: int) -> dict[str, object]:
    owner = {"kind": "Job", "name": f"job-{number}", "uid": f"job-{number}", "controller": True}
    name = f"job-{number}-{rank}"
    metadata = {"name": name, "namespace": "n", "uid": name, "ownerReferences": [owner]}
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": _LACKS}
    container = {"name": "main", "resources": {"limits": {_GPU: "8"}}}
    return {"metadata": metadata, "spec": {"containers": [container]}, "status": {"conditions": [condition]}}
