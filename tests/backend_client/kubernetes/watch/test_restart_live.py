"""The list of jobs over a restart of the API server: one that starts refuses all, as it has read no roles."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from backend_client.kubernetes.backend import KubernetesBackend
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.protocol import Changed, Freshness, FreshnessState, Gone, Scope, Snapshot
from tests.backend_client.kubernetes.conftest import Cluster
from tests.backend_client.kubernetes.support import controlplane
from tests.backend_client.kubernetes.support.controlplane import ControlPlane, running
from tests.backend_client.kubernetes.support.live import Live, Manifest
from tests.support.wait import until

pytestmark = [pytest.mark.api, pytest.mark.timeout(500)]
RIGHTS = "rbac.authorization.k8s.io"
OTHER_ROLES = 300
"""Roles of others, so that a server that starts has something to read."""
RESTARTS = 2


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ControlPlane]:
    if controlplane.binaries() is None:
        pytest.skip(f"needs a control plane: {controlplane.HOW}")
    with running(tmp_path / "plane", controllers=False) as made:
        yield made


def job(name: str) -> Manifest:
    pods = {"containers": [{"name": "main", "image": "a"}], "restartPolicy": "Never"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"template": {"spec": pods}},
    }


def role(name: str) -> Manifest:
    rules = [
        {"apiGroups": ["batch", "apps"], "resources": ["jobs", "deployments"], "verbs": ["*"]},
        {"apiGroups": ["", "networking.k8s.io"], "resources": ["*"], "verbs": ["*"]},
    ]
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": f"{RIGHTS}/v1", "kind": "Role", "metadata": metadata, "rules": rules}


class Screen:
    """The jobs that alice's list shows, as a screen keeps them."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.states: list[Freshness] = []
        self.lost: list[str] = []
        self._moved = asyncio.Condition()

    async def follow(self, backend: KubernetesBackend) -> None:
        async with contextlib.aclosing(backend.watch([Scope("default")])) as batches:
            async for batch in batches:
                for event in batch:
                    match event:
                        case Snapshot() | Changed():
                            self.names.update((one.ref.uid, one.name) for one in event.jobs)
                        case Gone():
                            self.lost += [self.names.pop(ref.uid) for ref in event.refs]
                        case Freshness():
                            self.states.append(event)
                async with self._moved:
                    self._moved.notify_all()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(120), self._moved:  # a right that is gone is asked for after 300 s only
            await self._moved.wait_for(holds)

    @property
    def is_live(self) -> bool:
        return bool(self.states) and self.states[-1].state is FreshnessState.LIVE


@pytest.fixture
async def screen(plane: ControlPlane) -> AsyncIterator[Screen]:
    admin = Live(plane.kubeconfig)
    roles = f"/apis/{RIGHTS}/v1/namespaces/default"
    for name in ("alices", *(f"of-others-{number}" for number in range(OTHER_ROLES))):
        assert admin.call("POST", f"{roles}/roles", role(name))[0] == 201
    binding = {
        "apiVersion": f"{RIGHTS}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "alices", "namespace": "default"},
        "roleRef": {"apiGroup": RIGHTS, "kind": "Role", "name": "alices"},
        "subjects": [{"apiGroup": RIGHTS, "kind": "User", "name": "alice"}],
    }
    assert admin.call("POST", f"{roles}/rolebindings", binding)[0] == 201
    target = Cluster(plane.kubeconfig, controllers=False).target("alice")
    backend = KubernetesBackend("alice", KubernetesSettings(), namespace="default", target=target)
    shown = Screen()
    task = asyncio.create_task(shown.follow(backend))
    yield shown
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await backend.aclose()


async def test_the_refusals_of_a_server_that_starts_are_no_lost_rights(
    plane: ControlPlane, screen: Screen
) -> None:
    admin = Live(plane.kubeconfig)
    jobs = "/apis/batch/v1/namespaces/default/jobs"
    assert admin.call("POST", jobs, job("before"))[0] == 201
    await screen.until(lambda: screen.is_live and "before" in screen.names.values())
    for number in range(RESTARTS):
        plane.kill("kube-apiserver")
        await screen.until(lambda: not screen.is_live)
        assert screen.states[-1].state is FreshnessState.STALE
        assert "before" in screen.names.values()
        plane.start("kube-apiserver")
        await asyncio.to_thread(until, plane.answers, 60)
        name = f"submitted-{number}"
        assert (await asyncio.to_thread(admin.call, "POST", jobs, job(name)))[0] == 201
        await screen.until(lambda name=name: screen.is_live and name in screen.names.values())
    assert screen.lost == []
    assert {freshness.state for freshness in screen.states} == {FreshnessState.LIVE, FreshnessState.STALE}
