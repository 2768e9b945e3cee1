"""The large cluster of `gpus`, in a process of its own: told by lines on stdin how many pods to change."""

import asyncio
import sys

from tests.backend_client.kubernetes.support.gpu_api import GpuApi, Manifest, job, node, pod

NODES, PODS, PODS_OF_JOB = 1_000, 10_000, 8
HOLDING = 0.7
"""The part of the pods that hold a GPU each."""


def pod_of(number: int, on: int) -> Manifest:
    """Return a pod, with a status as long as a kubelet writes it."""
    holds = number % 10 < HOLDING * 10
    made = pod(f"pod-{number:05}", f"gpu-{on:04}", int(holds), job=f"job-{number // PODS_OF_JOB}")
    conditions = [
        {"type": kind, "status": "True", "lastTransitionTime": "2026-11-24T10:00:00Z"} for kind in "ABCD"
    ]
    container = {"name": "main", "image": "pytorch", "imageID": "sha256:" + "5e" * 32, "ready": True}
    made["status"] |= {"conditions": conditions, "containerStatuses": [container], "podIP": "10.1.0.1"}
    made["spec"] |= {"volumes": [{"name": "token", "projected": {"sources": [{"a": "b" * 40}] * 4}}]}
    return made


async def main() -> None:
    """Fill the cluster and serve it until stdin ends."""
    api = GpuApi()
    for number in range(NODES):
        api.put("nodes", node(f"gpu-{number:04}"))
    for number in range(PODS):
        api.put("pods", pod_of(number, number % NODES))
    for number in range(PODS // PODS_OF_JOB):
        api.put("jobs", job(f"job-{number}", 86_400))
    target = await api.start()
    print(target.address.port, flush=True)
    while words := (await asyncio.to_thread(sys.stdin.readline)).split():
        for number in range(int(words[0])):
            api.put("pods", pod_of(number, (number * 7 + int(words[1])) % NODES))
        print(len(api.requests), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
