"""Who a job gave way to: which uids its Workload tells, and one request for the name."""

from typing import Any, cast

import msgspec
import pytest

from backend_client.errors import Forbidden, NotFound
from backend_client.kubernetes.api.transport import Response, Transport
from backend_client.kubernetes.resources.kueue import Workload
from backend_client.kubernetes.watch.kueue_lists import KueueLists
from backend_client.kubernetes.watch.preemptor import preemptor_name, preemptor_uids

GAVE_WAY = (
    "Preempted to accommodate a workload (UID: w, JobUID: {}) due to prioritization in the ClusterQueue"
)
OWNERS = [{"kind": "Pod", "name": "no", "uid": "p"}, {"kind": "Job", "name": "urgent", "uid": "u-1"}]
FOUND = {"items": [{"metadata": {"name": "job-urgent-1a2b", "ownerReferences": OWNERS}}]}


def workload(status: str, message: str) -> Workload:
    evicted = {"type": "Evicted", "status": status, "reason": "Preempted", "message": message}
    return msgspec.convert({"metadata": {"name": "w"}, "status": {"conditions": [evicted]}}, Workload)


@pytest.mark.parametrize(
    ("status", "message", "uids"),
    [
        ("True", GAVE_WAY.format("u-1"), {"u-1"}),
        ("False", f"Previously: {GAVE_WAY.format('u-1')}", set()),
        ("True", "Exceeded the PodsReady timeout n/w", set()),
        ("True", GAVE_WAY.format("u,other=1"), set()),
        ("True", GAVE_WAY.format(""), set()),
    ],
)
def test_whom_a_workload_tells(status: str, message: str, uids: set[str]) -> None:
    assert preemptor_uids([workload(status, message)]) == uids


class Api:
    """An API server that answers each path in one way, and any other with 404."""

    def __init__(self, **answers: Any) -> None:
        self.answers, self.asked = answers, []

    async def request(self, _method: str, path: str, **more: Any) -> Response:
        version, _, place = path.removeprefix("/apis/kueue.x-k8s.io/").partition("/")
        self.asked.append((place, more["query"]["labelSelector"]))
        answer = self.answers.get(version, NotFound("There is no such path."))
        if isinstance(answer, Exception):
            raise answer
        return Response(200, {}, msgspec.json.encode(answer))


@pytest.mark.parametrize(
    ("api", "namespace", "name", "asked"),
    [
        (Api(v1beta2=FOUND), "n", "urgent", ["namespaces/n/workloads"]),
        (Api(v1beta1=FOUND), "", "urgent", ["workloads"] * 2),
        (Api(v1beta2={"items": []}), "n", "", ["namespaces/n/workloads"]),
        (Api(v1beta2=Forbidden("You may not list workloads.")), "", "", ["workloads"]),
        (Api(), "n", "", ["namespaces/n/workloads"] * 2),
    ],
)
async def test_its_name(api: Api, namespace: str, name: str, asked: list[str]) -> None:
    assert await preemptor_name(cast("Transport", api), KueueLists(), "u-1", namespace) == name
    assert api.asked == [(place, "kueue.x-k8s.io/job-uid=u-1") for place in asked]
