"""The cluster of the Kubernetes tests, and in it a server's account as deploy/kubernetes makes it."""

import contextlib
import json
import uuid
from collections.abc import AsyncIterator

import msgspec
import pytest

from backend_client.kubernetes.api.credentials import Fixed, Login, bearer
from backend_client.kubernetes.api.kubeconfig import Target
from backend_client.kubernetes.api.transport import Transport
from tests.backend_client.kubernetes.conftest import (
    Cluster,
    cluster,
    own_cluster,
    shared_cluster,
    transport,
)
from tests.deploy.support.manifests import apply, manifests, remove

__all__ = ["cluster", "own_cluster", "shared_cluster", "transport"]


@pytest.fixture
async def home(transport: Transport) -> AsyncIterator[str]:
    """The namespace that account.yaml was applied for; its account has the rights of the file."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    applied = manifests("account.yaml", name)
    async with contextlib.AsyncExitStack() as stack:
        for manifest in applied:
            await apply(transport, manifest)
            stack.push_async_callback(remove, transport, manifest)
        yield name


@pytest.fixture
async def server(cluster: Cluster, transport: Transport, home: str) -> Target:
    """To reach the cluster as the server does."""
    path = f"/api/v1/namespaces/{home}/serviceaccounts/traindeck/token"
    answer = await transport.request("POST", path, body=b'{"spec": {"expirationSeconds": 3600}}')
    login = Login(bearer(json.loads(answer.body)["status"]["token"]))
    return msgspec.structs.replace(cluster.target(), credentials=Fixed(login))
