"""The snapshot of a real Kueue: its queues, a job that holds GPUs, and one that waits for more."""

import json
import uuid
from typing import Any

import pytest

from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.queue_snapshot import read_queue_snapshot
from backend_client.kubernetes.resources.resource_types import JOBS
from backend_client.kubernetes.watch.kueue_lists import queue_types
from backend_client.queue_snapshot import QueueSnapshot
from tests.support.wait import async_until

pytestmark = pytest.mark.node
GPU = "nvidia.com/gpu"


def quota(nominal: int) -> dict[str, Any]:
    return {"name": GPU, "nominalQuota": str(nominal)}


def cluster_queue(name: str) -> dict[str, Any]:
    groups = [{"coveredResources": [GPU], "flavors": [{"name": name, "resources": [quota(4)]}]}]
    return {
        "spec": {
            "namespaceSelector": {},
            "resourceGroups": groups,
            "queueingStrategy": "StrictFIFO",
        }
    }


def job(name: str, gpus: int) -> dict[str, Any]:
    container = {
        "name": "main",
        "image": "x",
        "resources": {"limits": {GPU: gpus}},
    }
    labels = {"kueue.x-k8s.io/queue-name": "line"}
    template = {"spec": {"restartPolicy": "Never", "containers": [container], "nodeSelector": {"no": "node"}}}
    return {"metadata": {"name": name, "labels": labels}, "spec": {"suspend": True, "template": template}}


async def test_a_real_queue(transport: Transport, namespace: str) -> None:
    types = await queue_types(transport)
    if types is None:
        pytest.skip("needs a cluster with Kueue")
    queues, lines = types.cluster_queues, types.local_queues
    name = f"snap-{uuid.uuid4().hex[:8]}"

    async def post(kind: Any, body: dict[str, Any], place: str = "") -> None:
        head = {"apiVersion": kind.api.removeprefix("/apis/"), "kind": kind.kind}
        whole = {**head, "metadata": {"name": name}, **body}
        await transport.request("POST", kind.path(place), body=json.dumps(whole).encode())

    try:
        await post(types.flavors, {"spec": {}})
        await post(queues, cluster_queue(name))
        line = {"metadata": {"name": "line"}, "spec": {"clusterQueue": name}}
        await post(lines, line, namespace)
        await post(JOBS, job("held", 3), namespace)

        async def one_holds() -> list[QueueSnapshot]:
            snapshot = await read_queue_snapshot(transport, GPU)
            assert snapshot
            return [snapshot] if any(held.queue == name for held in snapshot.admitted) else []

        await async_until(one_holds, 60)
        await post(JOBS, job("waits", 2), namespace)

        async def one_waits() -> list[QueueSnapshot]:
            snapshot = await read_queue_snapshot(transport, GPU)
            assert snapshot
            return [snapshot] if any(waits.queue == name for waits in snapshot.waiting) else []

        (snapshot,) = await async_until(one_waits, 60)
    finally:
        for kind in (queues, types.flavors):
            await transport.request("DELETE", kind.path(name=name), allow=(404,))
    (queue,) = [found for found in snapshot.queues if found.name == name]
    assert (queue.strict, queue.stopped, queue.flavors[name].nominal) == (True, False, 4)
    (held,) = [found for found in snapshot.admitted if found.queue == name]
    assert (held.gpus, held.namespace, held.ends) == ({name: 3}, namespace, True)
    (waits,) = [found for found in snapshot.waiting if found.queue == name]
    assert (waits.gpus, waits.flavors, waits.local_queue, waits.blocked) == (2, (name,), "line", "")
    assert snapshot.local_queues[f"{namespace}/line"] == name
