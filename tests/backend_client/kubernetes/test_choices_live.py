"""What is offered for a field, by a real API server: names of the namespace, and no value of a Secret."""

from typing import Any

import msgspec
import pytest

from backend_client.errors import Forbidden
from backend_client.kubernetes import choices
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.resources.resource_types import CLAIMS, PRIORITY_CLASSES, SECRETS
from backend_client.kubernetes.watch.lists import NAMES_ONLY
from backend_client.protocol import Choice
from tests.backend_client.kubernetes.conftest import Cluster

pytestmark = pytest.mark.api
LOGIN = {".dockerconfigjson": "eyJhdXRocyI6e319"}
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}


async def make(transport: Transport, path: str, name: str, **more: Any) -> None:
    body = msgspec.json.encode({"metadata": {"name": name}, **more})
    await transport.request("POST", path, body=body)


async def values(transport: Transport, field: str, namespace: str) -> list[str]:
    return [choice.value for choice in await choices.choices(transport, field, namespace)]


async def claims(transport: Transport, namespace: str) -> list[Choice]:
    found = await choices.claims(transport, namespace)
    return list(choices.claim_choices("volumes", found, {}, {}))


async def test_names_of_what_is_there(transport: Transport, namespace: str):
    await make(transport, CLAIMS.path(namespace), "scratch", spec=CLAIM)
    await make(
        transport, SECRETS.path(namespace), "registry", type="kubernetes.io/dockerconfigjson", data=LOGIN
    )
    await make(transport, SECRETS.path(namespace), "other", data={"a": "aGlkZGVu"})
    await make(transport, PRIORITY_CLASSES.path(), namespace, value=7)
    try:
        not_bound = "1Gi RWO, not bound to a volume (Pending)"
        assert await claims(transport, namespace) == [Choice("scratch:/scratch", not_bound)]
        assert await values(transport, "image_pull_secrets", namespace) == ["registry"]
        found = await values(transport, "priority", namespace)
        assert namespace in found
        assert not any(name.startswith("system-") for name in found)
        assert await values(transport, "image", namespace) == []
        await values(transport, "queue", namespace)
    finally:
        await transport.request("DELETE", PRIORITY_CLASSES.path(name=namespace))


async def test_no_value_of_a_secret_travels(transport: Transport, namespace: str):
    await make(
        transport, SECRETS.path(namespace), "registry", type="kubernetes.io/dockerconfigjson", data=LOGIN
    )
    answer = await transport.request("GET", SECRETS.path(namespace), accept=NAMES_ONLY)
    assert b"registry" in answer.body
    assert LOGIN[".dockerconfigjson"].encode() not in answer.body


async def test_who_may_not_is_told(cluster: Cluster, namespace: str):
    stranger = Transport(cluster.target("nobody"))
    try:
        with pytest.raises(Forbidden, match="secrets"):
            await choices.choices(stranger, "image_pull_secrets", namespace)
    finally:
        await stranger.aclose()
