"""Which pods a list asks for: never more than the root object selects."""

import contextlib
from collections.abc import AsyncIterator

import msgspec
import pytest

from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.resources.core import ObjectMeta
from backend_client.kubernetes.resources.workloads import Deployment, KubeJob
from backend_client.kubernetes.status.spec_from_objects import RootObject
from backend_client.kubernetes.watch import listing
from tests.backend_client.kubernetes.support.faults import FaultyApi, Pods

EXPRESSIONS = {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}


def deployment(selector: dict[str, object]) -> Deployment:
    body = {"metadata": {"name": "web", "namespace": "ns", "uid": "d"}, "spec": {"selector": selector}}
    return msgspec.convert(body, Deployment)


@contextlib.asynccontextmanager
async def api_server() -> AsyncIterator[tuple[FaultyApi, Transport]]:
    api = FaultyApi(Pods())
    await api.start()
    transport = Transport(api.target())
    yield api, transport
    await transport.aclose()
    await api.stop()


@pytest.mark.parametrize(
    ("root", "selector"),
    [
        (KubeJob(metadata=ObjectMeta(namespace="ns", uid="j")), "batch.kubernetes.io/controller-uid=j"),
        (deployment({"matchLabels": {"app": "web"}}), "app=web"),
        (deployment(EXPRESSIONS), "app in (web)"),
        (deployment({"matchLabels": {"tier": "x"}, **EXPRESSIONS}), "tier=x,app in (web)"),
        (deployment({}), "none,!none"),
    ],
)
async def test_the_pods_of_a_root_object_are_selected(root: RootObject, selector: str) -> None:
    async with api_server() as (api, transport):
        await listing.pods_of(transport, root)
        assert [query["labelSelector"] for _, _, query in api.requests] == [selector]
