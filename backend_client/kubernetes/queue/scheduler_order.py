"""What waits in a cluster without Kueue: pods without a node, in the order of kube-scheduler's own queue.

kube-scheduler tries the pod of the highest priority first, of several the one that came first (its plugin
PrioritySort, kubernetes/kubernetes pkg/scheduler/framework/plugins/queuesort); one that fits nowhere lets the
others pass, and is tried again when something changes.
"""

import asyncio
from collections.abc import Sequence

from backend_client.errors import Forbidden, fragment
from backend_client.kubernetes import labels
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.resources.core import Object, PodSpec
from backend_client.kubernetes.resources.node_gpus import gpus_of
from backend_client.kubernetes.resources.resource_types import PODS, ResourceType
from backend_client.queues import QueueBoard, WaitingJob

NOTE = (
    "This cluster has no Kueue. Its scheduler tries the pod of the highest priority first, of several the "
    "oldest; one that does not fit lets others pass."
)
_MOST_PODS = 500


class _PendingSpec(PodSpec, frozen=True):
    priority: int = 0


class _PendingPod(Object, frozen=True):
    spec: _PendingSpec = _PendingSpec()


_PENDING_PODS = ResourceType(PODS.api, PODS.kind, PODS.plural, _PendingPod)


async def scheduler_board(transport: Transport, namespaces: Sequence[str], gpu_resource: str) -> QueueBoard:
    """Read the pods without a node, of namespaces ([""]: of all), in their order. Raises a BackendError."""
    query = {"fieldSelector": "spec.nodeName=,status.phase=Pending", "limit": str(_MOST_PODS)}
    try:
        responses = await asyncio.gather(
            *(transport.request("GET", PODS.path(namespace), query=query) for namespace in namespaces)
        )
    except Forbidden as error:
        return QueueBoard(note=NOTE, unknown=(f"{fragment(error.title)}, so what waits is not known",))
    pods = [pod for response in responses for pod in _PENDING_PODS.decode_page(response.body).items]
    return QueueBoard(note=NOTE, waiting=waiting_pods(pods, gpu_resource))


def waiting_pods(pods: Sequence[_PendingPod], gpu_resource: str) -> tuple[WaitingJob, ...]:
    """Return what waits, by priority and age; pods of one owner are one."""
    waiting: dict[str, WaitingJob] = {}
    ordered = sorted(pods, key=lambda pod: (-pod.spec.priority, str(pod.metadata.creation_timestamp)))
    for pod in ordered:
        uid = pod.owner.uid if pod.owner else pod.uid
        gpus = gpus_of(pod.spec, gpu_resource)
        before = waiting.get(uid)
        waiting[uid] = WaitingJob(
            namespace=pod.namespace,
            position=before.position if before else len(waiting) + 1,
            name=pod.metadata.labels.get(labels.JOB) or (pod.owner.name if pod.owner else pod.name),
            uid=uid,
            kind=pod.owner.kind if pod.owner else "Pod",
            priority=pod.spec.priority,
            gpus=gpus + (before.gpus or 0 if before else 0),
            since=before.since if before else pod.metadata.creation_timestamp,
        )
    return tuple(waiting.values())
