"""Who holds the GPUs of a node, on a real cluster whose controllers make the pods."""

import msgspec
import pytest

from backend_client.gpu_nodes import GpuNode, Whose
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.backend import KubernetesBackend
from backend_client.kubernetes.resources.resource_types import DEPLOYMENTS, JOBS, NODES
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.protocol import Scope
from tests.backend_client.kubernetes.conftest import Cluster
from tests.support.wait import async_until

pytestmark = pytest.mark.controllers
GPU, SLICE = "nvidia.com/gpu", "nvidia.com/mig-1g.5gb"


async def send(transport: Transport, method: str, path: str, body: object) -> None:
    media = "application/merge-patch+json" if method == "PATCH" else "application/json"
    await transport.request(method, path, body=msgspec.json.encode(body), content_type=media)


def holding(node: str, **limits: str) -> dict[str, object]:
    """A pod template bound to a node, where no kubelet will ever start it."""
    container = {"name": "main", "image": "a", "resources": {"limits": limits}}
    return {"metadata": {"labels": {"app": "x"}}, "spec": {"nodeName": node, "containers": [container]}}


async def test_a_node_says_who_holds_it_until_when_and_what_keeps_new_jobs_off(
    cluster: Cluster, transport: Transport, namespace: str
) -> None:
    name = f"{namespace}-node"
    product = {"nvidia.com/gpu.product": "TEST-GPU"}
    await send(transport, "POST", NODES.path(), {"metadata": {"name": name, "labels": product}})
    status = {
        "allocatable": {GPU: "6", SLICE: "7"},
        "capacity": {GPU: "8", SLICE: "7"},
        "conditions": [{"type": "Ready", "status": "True"}],
    }
    await send(transport, "PATCH", NODES.path(name=name, subresource="status"), {"status": status})
    template = holding(name, **{GPU: "2"})
    template["spec"] |= {"restartPolicy": "Never"}
    limited = {"activeDeadlineSeconds": 86_400, "parallelism": 2, "completions": 2, "template": template}
    await send(transport, "POST", JOBS.path(namespace), {"metadata": {"name": "bert"}, "spec": limited})
    serving = {"selector": {"matchLabels": {"app": "x"}}, "template": holding(name, **{SLICE: "1"})}
    await send(transport, "POST", DEPLOYMENTS.path(namespace), {"metadata": {"name": "web"}, "spec": serving})
    backend = KubernetesBackend("admin", KubernetesSettings(), namespace=namespace, target=cluster.target())

    async def lines() -> list[GpuNode]:
        return [line for line in (await backend.nodes(Scope())).nodes if line.name == name]

    async def held() -> bool:
        return [[h.gpus for h in line.holders] for line in await lines()] == [[4], [1]]

    try:
        await async_until(held, 60)
        whole, slices = await lines()
        assert (whole.product, whole.total, whole.broken) == ("TEST-GPU", 6, 2)
        assert (slices.product, slices.total, slices.usable) == ("TEST-GPU-MIG-1g.5gb", 7, False)
        (bert,), (web,) = whole.holders, slices.holders
        assert (bert.name, bert.whose, web.name, web.until) == ("bert", Whose.MINE, "web", None)
        assert bert.uid
        assert web.uid
        assert bert.until is not None
        await send(transport, "PATCH", NODES.path(name=name), {"spec": {"unschedulable": True}})
        await async_until(lambda: _cordoned(lines), 60)
    finally:
        await backend.aclose()
        await transport.request("DELETE", NODES.path(name=name))


async def _cordoned(lines) -> bool:
    return all(line.cordoned and not line.free for line in await lines())
