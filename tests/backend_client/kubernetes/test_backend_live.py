"""The look side against a real API server: who sees what, what a watch tells, what is not allowed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from backend_client.errors import Forbidden, NotFound
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.backend import KubernetesBackend
from backend_client.kubernetes.resources.resource_types import (
    DEPLOYMENTS,
    JOBS,
    NAMESPACES,
    NODES,
    ResourceType,
)
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.models import JobRef
from backend_client.protocol import (
    Changed,
    Feature,
    Freshness,
    FreshnessState,
    Gone,
    JobQuery,
    Scope,
    Snapshot,
    Synced,
)
from tests.backend_client.kubernetes.conftest import Cluster
from tests.support.wait import async_until

pytestmark = pytest.mark.api
VIEW = "system:aggregate-to-view"
"""What makes up the cluster role `view`, which is empty until a controller has put it together."""


class Stage:
    """Somebody's backend, and the hands of one who may do all."""

    def __init__(self, admin: Transport, namespace: str) -> None:
        self.admin, self.namespace = admin, namespace

    async def make(self, path: str, manifest: dict[str, Any]) -> dict[str, Any]:
        answer = await self.admin.request("POST", path, body=msgspec.json.encode(manifest))
        return msgspec.json.decode(answer.body, type=dict[str, Any])

    async def job(self, name: str, namespace: str = "") -> str:
        """One of ours, suspended, whose pods no scheduler would ever look at; its uid."""
        container = {"name": "main", "image": "a"}
        pods = {"restartPolicy": "Never", "containers": [container], "schedulerName": "nobody"}
        template = {"spec": pods}
        metadata = {"name": name, "annotations": {"traindeck.dev/spec": '{"image": "a"}'}}
        manifest = {"metadata": metadata, "spec": {"suspend": True, "template": template}}
        return (await self.make(JOBS.path(namespace or self.namespace), manifest))["metadata"]["uid"]

    async def remove(self, kind: "ResourceType[Any]", name: str) -> None:
        await self.admin.request(
            "DELETE", kind.path(self.namespace, name), query={"propagationPolicy": "Background"}
        )


@pytest.fixture
async def stage(transport: Transport, namespace: str) -> Stage:
    return Stage(transport, namespace)


@pytest.fixture
async def opened(
    cluster: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> AsyncIterator[Any]:
    """opened(user) -> the backend of a user whose context is the test's namespace."""
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    async with contextlib.AsyncExitStack() as stack:

        def make(user: str) -> KubernetesBackend:
            found = KubernetesBackend(user, KubernetesSettings(), namespace=namespace)
            stack.push_async_callback(found.aclose)
            return found

        yield make


class Look:
    """What a watch has told so far."""

    def __init__(self, backend: KubernetesBackend, namespace: str) -> None:
        self.names: dict[str, str] = {}
        self.reasons: set[str] = set()
        self.link: Freshness | None = None
        self.synced = False
        self._backend, self._namespace = backend, namespace

    async def until(self, holds: Any) -> None:
        async with (
            asyncio.timeout(60),
            contextlib.aclosing(self._backend.watch([Scope(self._namespace)])) as told,
        ):
            async for batch in told:
                for event in batch:
                    self._take(event)
                if holds(self):
                    return

    def _take(self, event: object) -> None:
        match event:
            case Snapshot() | Changed():
                assert isinstance(event, Changed) == self.synced
                self.names.update((job.ref.uid, job.name) for job in event.jobs)
                self.reasons |= {job.reason for job in event.jobs}
            case Gone():
                for ref in event.refs:
                    del self.names[ref.uid]
            case Synced():
                self.synced = True
            case Freshness():
                self.link = event


async def test_a_watch_tells_the_list_and_then_what_comes_and_goes(stage, opened):
    await stage.job("one")
    seen = Look(opened("admin"), stage.namespace)

    async def act() -> None:
        await async_until(lambda: seen.synced)
        assert list(seen.names.values()) == ["one"]
        await stage.job("two")
        await stage.remove(JOBS, "one")

    acting = asyncio.create_task(act())
    await seen.until(lambda look: list(look.names.values()) == ["two"])
    await acting
    assert seen.link
    assert seen.link.state is FreshnessState.LIVE


async def test_a_name_is_asked_for_alone_and_means_namesakes_of_both_kinds(stage, opened):
    await stage.job("other")
    job = await stage.job("same")
    pods = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "main", "image": "a"}]}}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "a"}}, "template": pods}
    metadata = {"name": "same", "annotations": {"traindeck.dev/spec": '{"image": "a"}'}}
    path = DEPLOYMENTS.path(stage.namespace)
    deployment = (await stage.make(path, {"metadata": metadata, "spec": spec}))["metadata"]["uid"]
    backend = opened("admin")
    everything = (await backend.list(JobQuery(namespace=stage.namespace))).items
    found = (await backend.list(JobQuery(namespace=stage.namespace, name="same"))).items
    assert {one.ref.uid for one in found} == {job, deployment}
    assert found == tuple(one for one in everything if one.name == "same")
    for odd in ("same,metadata.namespace!=x", "a b", "../pods"):
        assert not (await backend.list(JobQuery(namespace=stage.namespace, name=odd))).items


async def test_what_only_adds_words_is_said_to_be_hidden(stage, opened):
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{stage.namespace}"
    kinds = {"pods": "", "jobs": "batch", "deployments": "apps"}
    rules = [
        {"apiGroups": [group], "resources": [kind], "verbs": ["get", "list", "watch"]}
        for kind, group in kinds.items()
    ]
    await stage.make(f"{rbac}/roles", {"metadata": {"name": "thin"}, "rules": rules})
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "thin"}
    subjects = [{"kind": "User", "name": "viewer"}]
    binding = {"metadata": {"name": "thin"}, "roleRef": reference, "subjects": subjects}
    await stage.make(f"{rbac}/rolebindings", binding)
    ref = JobRef("viewer", stage.namespace, "job", "one", await stage.job("one"))
    path = JOBS.path(stage.namespace, "one")
    body, media = b'{"spec":{"suspend":false}}', "application/merge-patch+json"
    await stage.admin.request("PATCH", path, body=body, content_type=media)
    viewer = opened("viewer")
    words = f"why is hidden: you may not list events in {stage.namespace}"
    seen = Look(viewer, stage.namespace)
    await seen.until(lambda look: words in look.reasons)
    assert (await viewer.get(ref)).reason == words
    assert [job.reason for job in (await viewer.list(JobQuery(namespace=stage.namespace))).items] == [words]
    with pytest.raises(Forbidden, match="You may not list events"):
        await viewer.events(ref)


async def test_one_who_may_read_all_sees_all(stage, opened):
    await stage.job("here")
    other = (await stage.make(NAMESPACES.path(), {"metadata": {"generateName": "test-other-"}}))["metadata"][
        "name"
    ]
    await stage.job("there", other)
    found = {(job.ref.namespace, job.name) for job in (await opened("admin").list(JobQuery())).items}
    await stage.admin.request("DELETE", NAMESPACES.path(name=other))
    assert {(stage.namespace, "here"), (other, "there")} <= found


async def test_the_cluster_says_who_one_is(opened, namespace):
    me = await opened("alice").whoami()
    assert (me.user, me.place) == ("alice", f"alice, namespace {namespace}")


async def test_gpus_are_counted_where_nodes_may_be_listed(stage, opened):
    labels = {"nvidia.com/gpu.product": "H100"}
    name = f"{stage.namespace}-node"
    await stage.make(NODES.path(), {"metadata": {"name": name, "labels": labels}})
    amounts = {"nvidia.com/gpu": "8"}
    status = {
        "capacity": amounts,
        "allocatable": amounts,
        "conditions": [{"type": "Ready", "status": "True"}],
    }
    await stage.admin.request(
        "PATCH",
        NODES.path(name=name, subresource="status"),
        body=msgspec.json.encode({"status": status}),
        content_type="application/merge-patch+json",
    )
    found = await opened("admin").capacity(Scope())
    await stage.admin.request("DELETE", NODES.path(name=name))
    pool = next(pool for pool in found.pools if pool.product == "H100")
    assert pool.total >= 8
    assert (await opened("alice").capacity(Scope())).unknown_because == "you may not list nodes"


async def test_a_job_is_found_by_its_uid_and_a_namesake_is_not_it(stage, opened):
    uid = await stage.job("one")
    admin = opened("admin")
    ref = JobRef("admin", stage.namespace, "job", "one", uid)
    assert (await admin.get(ref)).ref == ref
    for wrong in (
        JobRef("admin", stage.namespace, "job", "one", "other"),
        JobRef("admin", stage.namespace, "deployment", "one", uid),
        JobRef("admin", stage.namespace, "teapot", "one", uid),
        JobRef("admin", "", "job", "one", uid),
    ):
        with pytest.raises(NotFound):
            await admin.get(wrong)


async def test_events_of_a_job_come_in_their_order(stage, opened):
    uid = await stage.job("one")
    for number, about in enumerate((uid, "another", uid)):
        await stage.make(
            f"/api/v1/namespaces/{stage.namespace}/events",
            {
                "metadata": {"generateName": "e-", "namespace": stage.namespace},
                "involvedObject": {"uid": about, "namespace": stage.namespace},
                "reason": "Test",
                "message": f"event {number}",
                "type": "Warning",
                "lastTimestamp": f"2026-11-25T00:00:0{9 - number}Z",
            },
        )
    ref = JobRef("admin", stage.namespace, "job", "one", uid)
    told = [event for event in await opened("admin").events(ref) if event.reason == "Test"]
    assert [(event.message, event.warning) for event in told] == [("event 2", True), ("event 0", True)]


async def test_every_feature_has_a_word(opened):
    admin = opened("admin")
    assert admin.features == {
        Feature.RESUME,
        Feature.RANKS,
        Feature.QUEUE,
        Feature.METRICS,
        Feature.PORTS,
        Feature.EXEC,
        Feature.CODE,
        Feature.FILES,
        Feature.NAMESPACES,
    }
