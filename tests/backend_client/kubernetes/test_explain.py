"""What an explanation asks a cluster for, and what it says where something may not be read."""

from collections.abc import Mapping
from functools import partial
from typing import Any, cast

import msgspec
import pytest

from backend_client.errors import Forbidden, NotFound
from backend_client.kubernetes import explain, labels
from backend_client.kubernetes.api.transport import Response, Transport
from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.resources.events import KubeEvent
from backend_client.kubernetes.resources.workloads import KubeJob
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.status.pod_reason import RelatedObjects
from backend_client.kubernetes.watch.delta import Delta
from backend_client.kubernetes.watch.job_cache import JobCache
from backend_client.kubernetes.watch.kueue_lists import KueueLists
from backend_client.models import JobRef
from backend_client.why import Explanation
from tests.backend_client.kubernetes.support.pod_statuses import AT, pod, waiting

REF = JobRef("kind", "n", "job", "bert", "root")
MOST = 6
RANKS = 64
OWNER = {"kind": "Job", "name": "bert", "uid": "root", "controller": True}
JOB = {
    "metadata": {"name": "bert", "namespace": "n", "uid": "root", "creationTimestamp": AT},
    "spec": {"parallelism": RANKS, "completions": RANKS, "completionMode": "Indexed"},
}
PODS, EVENTS = "/api/v1/namespaces/n/pods", "/api/v1/namespaces/n/events"
WORKLOADS = "/apis/kueue.x-k8s.io/{}/namespaces/n/workloads"


def rank(index: int, of: dict[str, Any]) -> dict[str, Any]:
    """One pod of the job."""
    metadata = {"name": f"bert-{index}", "uid": f"pod-{index}", "ownerReferences": [OWNER]}
    metadata |= {"labels": {labels.INDEX: str(index)}}
    return of | {"metadata": of["metadata"] | metadata}


def unplaced() -> dict[str, Any]:
    message = "0/4 nodes are available: 4 Insufficient nvidia.com/gpu."
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    of = pod(phase="Pending", status={"conditions": [condition]})
    return of | {"spec": of["spec"] | {"nodeName": ""}}


CREATING = pod(waiting("main", "ContainerCreating"), phase="Pending")


def event(uid: str, reason: str, message: str) -> dict[str, Any]:
    about = {"involvedObject": {"uid": uid}, "reason": reason, "message": message, "eventTime": AT}
    return about | {"metadata": {"name": uid, "uid": f"event-{uid}", "namespace": "n"}, "type": "Warning"}


class Api:
    """An API server that knows one job; `forbidden`: paths that may not be read."""

    def __init__(self, *, job: dict[str, Any] = JOB, forbidden: tuple[str, ...] = (), **lists: Any) -> None:
        self.job, self.forbidden, self.lists = job, forbidden, lists
        self.requests: list[tuple[str, Mapping[str, str]]] = []

    async def request(
        self, _method: str, path: str, *, query: Mapping[str, str] | None = None, **_: Any
    ) -> Response:
        self.requests.append((path, query or {}))
        if path in self.forbidden:
            raise Forbidden(f"You may not list {path.rpartition('/')[2]}.")
        return Response(200, {}, msgspec.json.encode(self._body(path, query or {})))

    def _body(self, path: str, query: Mapping[str, str]) -> object:
        if path.endswith("/jobs/bert"):
            return self.job
        if path.endswith("selfsubjectaccessreviews"):
            return {"status": {"allowed": False}}
        if "v1beta2" in path:
            raise NotFound("There is no such path.")
        found = self.lists.get(path.rpartition("/")[2], [])
        wanted = query.get("fieldSelector", "").rpartition("involvedObject.uid=")[2]
        return {"items": [i for i in found if not wanted or i["involvedObject"]["uid"] == wanted]}

    async def explain(self) -> Explanation:
        transport = cast("Transport", self)
        new_cache = partial(JobCache, "kind", KubernetesSettings())
        objects = await explain.load_objects(transport, REF, RelatedObjects(), KueueLists(), new_cache)
        found = explain.explanation_of(objects)
        return await explain.with_unknown_nodes(transport, found, objects.related)


QUEUED = JOB | {"metadata": JOB["metadata"] | {"labels": {labels.QUEUE: "research"}}}


@pytest.mark.parametrize("job", [JOB, QUEUED])
async def test_64_ranks_take_at_most_six_requests_and_no_list_of_all_pods_or_events(job: Any) -> None:
    api = Api(
        job=job,
        pods=[rank(index, CREATING) for index in range(RANKS - 1)],
        events=[
            event(
                "root", "FailedCreate", "exceeded quota: a, requested: pods=1, used: pods=9, limited: pods=9"
            )
        ],
    )
    found = await api.explain()
    assert found.chain[-1].id == "admission.quota"
    assert len(api.requests) <= MOST, api.requests
    assert all(query.get("labelSelector") for path, query in api.requests if path == PODS)
    assert all(
        "involvedObject.uid=" in query["fieldSelector"] for path, query in api.requests if path == EVENTS
    )


async def test_a_mount_is_told_by_the_event_of_the_pod_that_does_not_say_why() -> None:
    message = 'MountVolume.SetUp failed for volume "d" : secret "hf" not found'
    api = Api(
        pods=[rank(index, CREATING) for index in range(RANKS)],
        events=[event("pod-0", "FailedMount", message), event("pod-1", "FailedMount", "other words")],
    )
    found = await api.explain()
    assert (found.sentence, found.chain[-1].object) == ('rank 0: the secret "hf" does not exist', "secret/hf")
    assert found.chain[-1].raw == message
    assert len(api.requests) == 3


async def test_nodes_that_may_not_be_listed_are_said_to_be_unknown() -> None:
    api = Api(job=QUEUED, pods=[rank(index, unplaced()) for index in range(RANKS)])
    found = await api.explain()
    assert found.chain[-1].id == "schedule.gpus"
    assert found.unknown == ("you may not list nodes, so the largest free block is not known",)
    assert len(api.requests) <= MOST


async def test_events_and_workloads_that_may_not_be_read_are_said_to_be_unknown() -> None:
    api = Api(
        job=QUEUED,
        pods=[rank(index, CREATING) for index in range(RANKS)],
        forbidden=(EVENTS, WORKLOADS.format("v1beta2")),
    )
    found = await api.explain()
    assert (found.chain[-1].id, found.sentence) == ("job.hidden", "why is hidden: you may not list events")
    assert found.unknown == (
        "you may not list events, so what they say of mounts, sandboxes and refused pods is not known",
        "you may not list workloads, so what the queue says is not known",
    )


async def test_a_namesake_is_not_explained() -> None:
    api = Api(job=JOB | {"metadata": JOB["metadata"] | {"uid": "another"}})
    with pytest.raises(NotFound):
        await api.explain()


def test_a_watch_has_the_objects() -> None:
    cache = JobCache("kind", KubernetesSettings())
    assert cache.objects_of("root") is None
    cache.apply(Delta((msgspec.convert(JOB | {"status": {"active": 2}}, KubeJob),)))
    assert cache.objects_of("root") is None, "its pods are not there yet"
    cache.apply(Delta(tuple(msgspec.convert(rank(index, CREATING), Pod) for index in range(2))))
    cache.apply(Delta((msgspec.convert(event("pod-1", "FailedMount", "odd"), KubeEvent),)))
    objects = cache.objects_of("root")
    assert objects is not None
    assert cache.objects_of("pod-1") is None
    found = explain.explanation_of(objects)
    (job,), _ = cache.drain(complete=True)
    assert found.sentence == job.reason == "rank 1: odd"
    assert [cause.object for cause in found.chain] == ["job/bert", "pod/bert-1"]
