"""Login programs against a real API server, whose audit log tells who asked: never nobody."""

import asyncio
import contextlib
import json
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from backend_client import backoff
from backend_client.errors import LoginNeeded
from backend_client.kubernetes.backend import KubernetesBackend
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.models import JobRef
from backend_client.protocol import (
    AccessReview,
    Changed,
    Freshness,
    FreshnessState,
    JobQuery,
    LogQuery,
    Scope,
    Snapshot,
    Verb,
)
from tests.backend_client.kubernetes.conftest import Cluster
from tests.backend_client.kubernetes.support.live import Live, eventually, path_of
from tests.backend_client.kubernetes.support.specs import spec
from tests.support.faults import Wire

pytestmark = pytest.mark.api
RBAC = "rbac.authorization.k8s.io"
PLUGIN = """
import json, pathlib, sys
folder = pathlib.Path(sys.argv[1])
(folder / "runs").open("a").write("x")
if not (folder / "token").exists():
    sys.exit("please log in at example.org")
status = {"token": (folder / "token").read_text()}
head = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
print(json.dumps({**head, "status": status}))
"""


class Desk:
    """A namespace whose account `ci` may do all in it, and a context that gets its token from a program."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.live = Live(cluster.kubeconfig)
        self.server = urlsplit(self.live.server)
        self.namespace = f"login-{uuid.uuid4().hex[:8]}"
        self.token = folder / "token"
        self._folder, self._cluster = folder, cluster
        self._make("v1", "namespaces", "", {"metadata": {"name": self.namespace}})
        self._make("v1", "serviceaccounts", self.namespace, {"metadata": {"name": "ci"}})
        role = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"}
        who = [{"kind": "ServiceAccount", "name": "ci", "namespace": self.namespace}]
        binding = {"metadata": {"name": "ci"}, "roleRef": role, "subjects": who}
        self._make(f"{RBAC}/v1", "rolebindings", self.namespace, binding)

    def _make(self, api: str, plural: str, namespace: str, body: dict[str, Any]) -> Any:
        status, answer = self.live.call("POST", path_of(api, plural, namespace), body)
        assert status == 201, answer
        return answer

    def open(self, port: int = 0) -> KubernetesBackend:
        """By way of 127.0.0.1:`port`, where that is given."""
        authority = str(self._cluster.kubeconfig.parent / "server.crt")
        server = {
            "server": f"https://127.0.0.1:{port or self.server.port}",
            "certificate-authority": authority,
        }
        version = "client.authentication.k8s.io/v1"
        words = {
            "apiVersion": version,
            "interactiveMode": "IfAvailable",
            "args": ["-c", PLUGIN, str(self._folder)],
        }
        config = {
            "clusters": [{"name": "c", "cluster": server}],
            "users": [{"name": "u", "user": {"exec": {"command": sys.executable, **words}}}],
            "contexts": [
                {"name": "x", "context": {"cluster": "c", "user": "u", "namespace": self.namespace}}
            ],
        }
        (self._folder / "kubeconfig").write_text(json.dumps(config))
        return KubernetesBackend("x", KubernetesSettings(), namespace=self.namespace)

    @property
    def runs(self) -> int:
        return len((self._folder / "runs").read_text())

    def issue(self, secret: str) -> str:
        """A token that is good for as long as this secret is there."""
        bound = self._make("v1", "secrets", self.namespace, {"metadata": {"name": secret}})["metadata"]
        reference = {"apiVersion": "v1", "kind": "Secret", "name": secret, "uid": bound["uid"]}
        path = f"{path_of('v1', 'serviceaccounts', self.namespace, 'ci')}/token"
        wanted = {"spec": {"boundObjectRef": reference}}
        return str(self.live.call("POST", path, wanted)[1]["status"]["token"])

    def revoke(self, secret: str, token: str) -> None:
        """Returns when the API server takes its token no more: it remembers those it has seen for 10 s."""
        self.live.call("DELETE", path_of("v1", "secrets", self.namespace, secret))
        holder = Live(self._cluster.kubeconfig)
        holder._token = token
        ask = lambda: holder.call("GET", path_of("v1", "secrets", self.namespace))[0]  # noqa: E731  short
        assert eventually(ask, lambda status: status == 401) == 401

    def audited(self) -> list[dict[str, Any]]:
        """All that was asked up to now, by anybody."""
        path, mark = path_of("v1", "namespaces", name=self.namespace), uuid.uuid4().hex
        self.live.call("GET", path, mark=mark)
        log = self._cluster.kubeconfig.parent / "audit.log"
        read = lambda: log.read_text().rpartition("\n")[0]  # noqa: E731  short
        return [json.loads(line) for line in eventually(read, lambda text: mark in text).splitlines()]


@pytest.fixture
def desk(own_cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    made = Desk(own_cluster, tmp_path)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.setattr(backoff, "LONGEST_SECONDS", 0.5)
    yield made
    made.live.call("DELETE", path_of("v1", "namespaces", name=made.namespace))


class Look:
    """What a watch has told so far."""

    def __init__(self) -> None:
        self.links: list[Freshness] = []
        self.names: set[str] = set()
        self._news = asyncio.Condition()

    async def run(self, backend: KubernetesBackend) -> None:
        async for batch in backend.watch([Scope()]):
            self.links += [event for event in batch if isinstance(event, Freshness)]
            told = [event for event in batch if isinstance(event, Snapshot | Changed)]
            self.names |= {job.name for event in told for job in event.jobs}
            async with self._news:
                self._news.notify_all()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(60), self._news:
            await self._news.wait_for(lambda: bool(self.links) and holds())

    @property
    def states(self) -> list[FreshnessState]:
        return [link.state for link in self.links]


@contextlib.asynccontextmanager
async def looking(backend: KubernetesBackend) -> AsyncIterator[Look]:
    look = Look()
    task = asyncio.create_task(look.run(backend))
    yield look
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await backend.aclose()


async def first(batches: AsyncIterator[Any]) -> Any:
    async with contextlib.aclosing(batches) as them:  # type: ignore[type-var]
        return await anext(them)


async def test_where_the_login_program_fails_nothing_is_asked_and_it_heals_when_it_does(desk: Desk) -> None:
    backend = desk.open()
    ref = JobRef("x", desk.namespace, "job", "one", "uid")
    async with looking(backend) as look:
        await look.until(lambda: look.states == [FreshnessState.STALE])
        assert "exit code 1: please log in at example.org" in look.links[0].why
        for act in (
            lambda: backend.list(JobQuery()),
            backend.whoami,
            lambda: backend.get(ref),
            lambda: backend.plan(spec()),
            lambda: backend.create(spec(), key="k", secrets={}),
            lambda: backend.stop(ref),
            lambda: first(backend.delete(ref)),
            lambda: first(backend.logs(LogQuery(ref=ref))),
            lambda: backend.events(ref),
        ):
            with pytest.raises(LoginNeeded, match="please log in") as caught:
                await act()
            assert caught.value.hint
        (verdict,) = await backend.check_access([AccessReview(Verb.CREATE)])
        assert verdict.allowed is None
        assert "please log in" in verdict.why
        asked = desk.audited()
        ours = [event for event in asked if event.get("userAgent") == "traindeck"]
        assert not [event for event in ours if desk.namespace in event["requestURI"]]
        assert not [event for event in ours if event["user"].get("username") == "system:anonymous"]
        desk.token.write_text(desk.issue("a"))
        await look.until(lambda: look.states[-1] == FreshnessState.LIVE)
    heard = [event for event in desk.audited() if event.get("userAgent") == "traindeck"]
    names = {event["user"].get("username") for event in heard if desk.namespace in event["requestURI"]}
    assert names == {f"system:serviceaccount:{desk.namespace}:ci"}


async def test_a_token_that_ends_in_a_watch_is_renewed_and_the_watch_goes_on(desk: Desk) -> None:
    old = desk.issue("old")
    desk.token.write_text(old)
    async with Wire("127.0.0.1", int(desk.server.port or 0)) as wire, looking(desk.open(wire.port)) as look:
        await look.until(lambda: look.states == [FreshnessState.LIVE])
        runs = desk.runs
        desk.token.write_text(desk.issue("new"))
        await asyncio.to_thread(desk.revoke, "old", old)
        wire.reset()
        other = desk.open()
        await other.create(spec(name="one"), key="k", secrets={})
        await other.aclose()
        await look.until(lambda: look.states[-1] == FreshnessState.LIVE and look.names == {"one"})
        assert FreshnessState.FORBIDDEN not in look.states
        assert desk.runs == runs + 2  # the watch's, for all its requests at once, and the other's
