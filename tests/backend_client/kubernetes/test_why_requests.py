"""What a whole explanation asks a cluster for, offers and all: never more than six requests."""

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, cast

import msgspec
import pytest

from backend_client.errors import NotFound
from backend_client.kubernetes import labels
from backend_client.kubernetes.api.connection import Address
from backend_client.kubernetes.api.credentials import Fixed, Login
from backend_client.kubernetes.api.kubeconfig import Target
from backend_client.kubernetes.api.transport import Response, Transport
from backend_client.kubernetes.capacity_cache import CapacityCache
from backend_client.kubernetes.explain import MOST_REQUESTS, Explainer
from backend_client.kubernetes.manifests.render import spec_text
from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.resources.events import KubeEvent
from backend_client.kubernetes.resources.kueue import Workload
from backend_client.kubernetes.resources.workloads import KubeJob
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.status.machines import MachineLedger
from backend_client.kubernetes.watch.attempt_memory import AttemptMemory
from backend_client.kubernetes.watch.delta import Delta
from backend_client.kubernetes.watch.job_cache import JobCache
from backend_client.kubernetes.watch.kueue_lists import KueueLists
from backend_client.kubernetes.watch.queue_positions import QueuePositions
from backend_client.models import JobRef
from backend_client.models.fields import parse_spec
from backend_client.protocol import LogItem, LogQuery
from backend_client.why import Explanation, anyone
from tests.backend_client.kubernetes.support.machines import GPU, gpu_node, placed
from tests.backend_client.kubernetes.support.pod_statuses import AT, ended, pod, waiting

REF = JobRef("kind", "n", "job", "bert", "root")
SITE = KubernetesSettings()
SPEC = parse_spec({"name": "bert", "image": "img:1", "gpus": 8, "memory": "64Gi", "queue": "research"})
PAIR = parse_spec({"name": "bert", "image": "img:1", "gpus": 8, "queue": "research", "nodes": 2})
SECRETIVE = parse_spec({"name": "bert", "image": "img:1", "image_pull_secrets": "logon", "queue": "research"})
MOUNTING = parse_spec(
    {"name": "bert", "image": "img:1", "gpus": 8, "queue": "research", "volumes": "data:/d"}
)
NODES = (gpu_node("gpu-1", "NVIDIA-A100"), gpu_node("gpu-2", "NVIDIA-A100"))
OTHERS = (placed("a", "gpu-1", limits={"gpu": "5"}), placed("b", "gpu-2", limits={"gpu": "4"}))
LACKS = "0/2 nodes are available: 2 Insufficient nvidia.com/gpu."
QUOTA = 'pods "bert-1" is forbidden: exceeded quota: gpus, requested: x, used: x, limited: x'
NO_ROOM = (
    "couldn't assign flavors to pod set main: insufficient unused quota for nvidia.com/gpu in flavor a100, "
    "4 more needed"
)


def root(spec: Any, *, suspend: bool = False, **status: Any) -> dict[str, Any]:
    metadata = {"name": "bert", "namespace": "n", "uid": "root", "creationTimestamp": AT}
    metadata |= {"labels": {labels.QUEUE: "research"}, "annotations": {labels.SPEC: spec_text(spec)}}
    counts = {"parallelism": spec.nodes, "completions": spec.nodes, "suspend": suspend}
    return {"metadata": metadata, "spec": counts, "status": status}


def own(of: dict[str, Any], **spec: Any) -> dict[str, Any]:
    owner = {"kind": "Job", "name": "bert", "uid": "root", "controller": True}
    metadata = of["metadata"] | {"name": "bert-0", "uid": "pod-0", "ownerReferences": [owner]}
    metadata |= {"labels": {labels.INDEX: "0", labels.QUEUE: "research"}}
    return of | {"metadata": metadata, "spec": of["spec"] | spec}


def unplaced() -> dict[str, Any]:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": LACKS}
    return own(pod(phase="Pending", status={"conditions": [condition]}), nodeName="")


def event(uid: str, reason: str, message: str) -> dict[str, Any]:
    about = {"involvedObject": {"uid": uid}, "reason": reason, "message": message, "eventTime": AT}
    return about | {"metadata": {"name": uid, "uid": f"event-{uid}", "namespace": "n"}, "type": "Warning"}


def workload(**condition: str) -> dict[str, Any]:
    metadata = {"name": "w", "namespace": "n", "uid": "w", "labels": {"kueue.x-k8s.io/job-uid": "root"}}
    reserved = {"type": "QuotaReserved", "status": "True", "lastTransitionTime": AT, **condition}
    return {"metadata": metadata, "spec": {"queueName": "research"}, "status": {"conditions": [reserved]}}


ACTIVE = {"conditions": [{"type": "Active", "status": "True"}]}
QUEUES: dict[str, Any] = {
    "localqueues": [
        {
            "metadata": {"name": "research", "namespace": "n"},
            "spec": {"clusterQueue": "all"},
            "status": ACTIVE,
        }
    ],
    "clusterqueues": [
        {
            "metadata": {"name": "all"},
            "spec": {
                "resourceGroups": [
                    {
                        "flavors": [
                            {
                                "name": "a100",
                                "resources": [
                                    {"name": name, "nominalQuota": amount}
                                    for name, amount in ((GPU, 4), ("cpu", "96"), ("memory", "1Ti"))
                                ],
                            }
                        ]
                    }
                ]
            },
            "status": {**ACTIVE, "pendingWorkloads": 1},
        }
    ],
    "resourceflavors": [{"metadata": {"name": "a100"}, "spec": {}}],
}
HARD = {"status": {"hard": {f"requests.{GPU}": "8"}, "used": {f"requests.{GPU}": "8"}}}
MANY = {"spec": {"volumeName": "v", "accessModes": ["ReadWriteMany"]}}


class Case(NamedTuple):
    """A job that is blocked; `offer`: the first that is made; `watched`: requests with all watches open."""

    root: dict[str, Any]
    offer: str
    watched: int
    pods: tuple[dict[str, Any], ...] = ()
    workload: Mapping[str, str] = {}
    events: tuple[dict[str, Any], ...] = ()
    lists: Mapping[str, Any] = {}


NO_SECRET = (
    "Unable to retrieve some image pull secrets (logon); attempting to pull the image may not succeed."
)
CASES = {
    "scheduling": Case(root(SPEC, active=1), "fewer-gpus", 0, (unplaced(),)),
    "scheduling, with a claim": Case(
        root(MOUNTING, active=1), "fewer-gpus", 2, (unplaced(),),
        lists={
            "persistentvolumeclaims": [{"metadata": {"name": "data"}, **MANY}],
            "persistentvolumes": [{"metadata": {"name": "v"}}],
        },
    ),
    "queue": Case(
        root(SPEC, suspend=True), "fewer-gpus", 3,
        workload={"status": "False", "reason": "Pending", "message": NO_ROOM}, lists=QUEUES,
    ),
    "image": Case(
        root(SECRETIVE, active=1), "pull-secret", 1,
        (own(pod(waiting("main", "ImagePullBackOff", "pull access denied"), phase="Pending")),),
        events=(event("pod-0", "FailedToRetrieveImagePullSecret", NO_SECRET),),
        lists={"secrets": [{"metadata": {"name": "login"}}]},
    ),
    "quota": Case(
        root(PAIR, active=1), "fewer-gpus", 1, (unplaced(),),
        events=(event("root", "FailedCreate", QUOTA),),
        lists={"resourcequotas": [{"metadata": {"name": "gpus"}, **HARD}]},
    ),
    "failed": Case(
        root(SPEC, failed=1, conditions=[{"type": "Failed", "status": "True"}]),
        "more-memory", 1, (own(pod(ended("main", 137, "OOMKilled"), phase="Failed")),),
    ),
}  # fmt: skip


class Api(Transport):
    """An API server that knows one job, and serves Kueue in one version."""

    def __init__(self, case: Case, version: str) -> None:
        super().__init__(Target("c", Address("127.0.0.1", 1, ""), Fixed(Login()), encrypted=False))
        self.case, self.version = case, version
        self.requests: list[str] = []

    async def itself(self) -> Transport:
        return self

    async def request(self, _method: str, path: str, **more: Any) -> Response:  # type: ignore[override]
        self.requests.append(path)
        query = more.get("query") or {}
        return Response(200, {}, msgspec.json.encode(self._body(path, query)))

    def _body(self, path: str, query: Mapping[str, str]) -> object:
        plural = path.rpartition("/")[2]
        if path.endswith("/jobs/bert"):
            return self.case.root
        if "kueue" in path and self.version not in path:
            raise NotFound("There is no such path.")
        items: Sequence[Any] = self.case.lists.get(plural, ())
        if path == "/api/v1/nodes":
            items = NODES
        elif path == "/api/v1/pods":
            items = OTHERS
        elif plural == "pods":
            items = self.case.pods
        elif plural == "workloads":
            items = [workload(**self.case.workload)]
        elif plural == "events":
            wanted = query["fieldSelector"].rpartition("involvedObject.uid=")[2]
            items = [item for item in self.case.events if item["involvedObject"]["uid"] == wanted]
        return {"items": items}


class Capacity:
    """What the watch of the nodes keeps."""

    def __init__(self, *, watched: bool) -> None:
        self._ledger = MachineLedger() if watched else None
        for item in (*NODES, *OTHERS) if self._ledger else ():
            self._ledger.put(item)

    def machines(self) -> MachineLedger | None:
        return self._ledger

    def node_gpus(self) -> None:
        return None


async def no_log(_: LogQuery) -> AsyncIterator[Sequence[LogItem]]:
    for items in ():
        yield items


def watched(case: Case) -> JobCache:
    cache = JobCache("kind", SITE)
    cache.apply(Delta((msgspec.convert(case.root, KubeJob),)))
    cache.apply(Delta(tuple(msgspec.convert(item, Pod) for item in case.pods)))
    cache.apply(Delta(tuple(msgspec.convert(item, KubeEvent) for item in case.events)))
    cache.apply(Delta((msgspec.convert(workload(**case.workload), Workload),)))
    return cache


async def explained(case: Case, api: Api, *, has_watch: bool, kueue: KueueLists | None = None) -> Explanation:
    explainer = Explainer(
        transport=api,
        context="kind",
        site=SITE,
        capacity=cast("CapacityCache", Capacity(watched=has_watch)),
        attempts=AttemptMemory(),
        positions=QueuePositions(api.itself),
        kueue=kueue or KueueLists(),
        watched=[watched(case)] if has_watch else [],
        new_cache=partial(JobCache, "kind", SITE),
        logs=no_log,
    )
    return await explainer.explain(REF, anyone)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_with_watches_what_is_left_to_ask_is_what_they_do_not_hold(case: Case) -> None:
    api = Api(case, "v1beta2")
    found = await explained(case, api, has_watch=True)
    assert [offer.id for offer in found.offers][:1] == [case.offer], found
    assert len(api.requests) == case.watched, api.requests


@pytest.mark.parametrize("version", ["v1beta2", "v1beta1"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_without_a_watch_six_requests_are_the_most(case: Case, version: str) -> None:
    api, kueue = Api(case, version), KueueLists()
    first = await explained(case, api, has_watch=False, kueue=kueue)
    assert len(api.requests) <= MOST_REQUESTS, api.requests
    asked_less = any("no more is asked for at once" in text for text in first.unknown)
    assert [offer.id for offer in first.offers][:1] == [case.offer] or asked_less, first
    api.requests.clear()
    await explained(case, api, has_watch=False, kueue=kueue)
    assert len(api.requests) <= MOST_REQUESTS, "the version is known the second time"


async def test_queues_that_have_nothing_idle_need_no_flavor_and_no_node() -> None:
    full = msgspec.json.decode(msgspec.json.encode(QUEUES))
    full["clusterqueues"][0]["status"]["pendingWorkloads"] = 7
    case = CASES["queue"]._replace(lists=full)
    api = Api(case, "v1beta2")
    assert (await explained(case, api, has_watch=True)).offers == ()
    assert [path.rpartition("/")[2] for path in api.requests] == ["localqueues", "clusterqueues"]
