"""Many jobs in a namespace, quickly: each a Job as traindeck writes it, and its pod.

Pods and states are written as the Job controller and a kubelet leave them. So nothing but the API server runs
beside what is measured, and every pod changes when the measurement says so.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from backend_client.kubernetes.api import kubeconfig
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.manifests.render import render_manifests
from backend_client.kubernetes.manifests.scheduling import ClusterFacts
from backend_client.kubernetes.resources.resource_types import JOBS, NAMESPACES, PODS
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.models import JobSpec

Manifest = dict[str, Any]

AT_ONCE = 8
SPEC = JobSpec(
    image="pytorch/pytorch:2.9.0",
    command=("torchrun", "--nproc-per-node=8", "train.py", "--config", "configs/bert-large.yaml"),
    env={"LR": "3e-5", "WANDB_PROJECT": "bert", "NCCL_DEBUG": "INFO"},
    gpus=8,
)
FAILED = range(10)
"""The numbers of jobs that failed: few, so that both programs have them on the first screen."""
LAST = "zzz-last"
"""The last job in the API's order, and as the newest failed one the first in traindeck's list."""
BEGAN = "2026-11-24T10:00:00Z"


@asynccontextmanager
async def connected(path: Path, context: str = "admin") -> AsyncIterator[Transport]:
    """Open a transport as a user of this kubeconfig."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", str(path))
        transport = Transport(kubeconfig.load(context))
    yield transport
    await transport.aclose()


async def fill(transport: Transport, namespace: str, count: int) -> None:
    """Make a namespace with `count` jobs, LAST among them: ten failed, a fifth done, the rest run."""
    await send(transport, "POST", NAMESPACES.path(), {"metadata": {"name": namespace}})
    await pooled(make(transport, namespace, number) for number in range(count - 1))
    await asyncio.sleep(1.1)  # the API server's clock has seconds
    await make(transport, namespace, -1)


async def pooled(work: Iterable[Coroutine[Any, Any, object]]) -> None:
    """Await all coroutines, so many at once."""
    waiting = iter(work)

    async def worker() -> None:
        for one in waiting:
            await one

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))


async def make(transport: Transport, namespace: str, number: int) -> None:
    """Create one job and its pod, each with its status."""
    spec = msgspec.structs.replace(SPEC, name=job_name(number))
    (manifest,) = render_manifests(
        spec, KubernetesSettings(), ClusterFacts(namespace=namespace), key=f"bench-{number}", owner="admin"
    )
    job = await send(transport, "POST", JOBS.path(namespace), manifest)
    pod = pod_of(job, number)
    await send(transport, "POST", PODS.path(namespace), pod)
    phase = phase_of(number)
    await patch_pod(transport, namespace, number, pod_status(phase))
    await send(transport, "PATCH", JOBS.path(namespace, spec.name, "status"), {"status": job_status(phase)})


def job_name(number: int) -> str:
    """Return the name of a job by its number; -1 is the last one."""
    return LAST if number < 0 else f"job-{number:05d}"


def phase_of(number: int) -> str:
    """Return the phase of a job's pod."""
    if number in FAILED or number < 0:
        return "Failed"
    return "Succeeded" if number % 5 == 1 else "Running"


def pod_of(job: Manifest, number: int) -> Manifest:
    """Return the pod that the Job controller makes, on a node already."""
    metadata, template = job["metadata"], job["spec"]["template"]
    owner = {"apiVersion": "batch/v1", "kind": "Job", "controller": True, "blockOwnerDeletion": True}
    owner |= {"name": metadata["name"], "uid": metadata["uid"]}
    place = {"name": f"{metadata['name']}-x", "ownerReferences": [owner]}
    spec = template["spec"] | {"nodeName": f"node-{number % 200}"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": template["metadata"] | place, "spec": spec}


def pod_status(phase: str, *, code: int = 1, restarts: int = 0) -> Manifest:
    """Return a pod's status as a kubelet writes it. `code`: how a failed container ended."""
    over = phase in ("Failed", "Succeeded")
    ready = "False" if over else "True"
    kinds = {"PodScheduled": "True", "Initialized": "True", "Ready": ready, "ContainersReady": ready}
    conditions = [{"type": kind, "status": yes, "lastTransitionTime": BEGAN} for kind, yes in kinds.items()]
    state: Manifest = {"running": {"startedAt": BEGAN}}
    if over:  # a failed one without a word, so that k9s shows its code
        how = {"exitCode": code} if phase == "Failed" else {"exitCode": 0, "reason": "Completed"}
        state = {"terminated": how | {"startedAt": BEGAN, "finishedAt": BEGAN}}
    container = {"name": "main", "image": SPEC.image, "imageID": f"docker.io/{SPEC.image}@sha256:{'5e' * 32}"}
    container |= {"state": state, "ready": not over, "restartCount": restarts, "started": not over}
    container |= {"containerID": f"containerd://{'8a' * 32}"}
    address = {"hostIP": "10.0.0.1", "podIP": "10.1.0.1", "podIPs": [{"ip": "10.1.0.1"}]}
    return {
        "phase": phase,
        "startTime": BEGAN,
        "conditions": conditions,
        "containerStatuses": [container],
    } | address


def job_status(phase: str) -> Manifest:
    """Return a job's status as the Job controller writes it."""
    if phase == "Running":
        return {"active": 1, "ready": 1, "startTime": BEGAN}
    done = phase == "Succeeded"
    kinds = ("SuccessCriteriaMet", "Complete") if done else ("FailureTarget", "Failed")
    conditions = [{"type": kind, "status": "True", "lastTransitionTime": BEGAN} for kind in kinds]
    over = {"succeeded": 1, "completionTime": BEGAN} if done else {"failed": 1}
    return {"startTime": BEGAN, "conditions": conditions, "uncountedTerminatedPods": {}} | over


async def patch_pod(transport: Transport, namespace: str, number: int, status: Manifest) -> None:
    """Write a pod's status, as its kubelet reports it."""
    path = PODS.path(namespace, f"{job_name(number)}-x", "status")
    await send(transport, "PATCH", path, {"status": status})


async def send(transport: Transport, method: str, path: str, body: Manifest) -> Manifest:
    """Write one object; return it as the server has it."""
    media = "application/merge-patch+json" if method == "PATCH" else "application/json"
    answer = await transport.request(method, path, body=msgspec.json.encode(body), content_type=media)
    made: Manifest = msgspec.json.decode(answer.body)
    return made


def home_of(count: int) -> str:
    """Return the namespace with so many jobs."""
    return f"bench-{count}"
