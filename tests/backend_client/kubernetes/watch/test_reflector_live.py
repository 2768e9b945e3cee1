"""The reflector against real API servers: followed, killed, frozen, and their etcd compacted."""

import asyncio
import base64
import contextlib
import json
import signal
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.resources.resource_types import EVENTS
from backend_client.kubernetes.watch import reflector
from backend_client.kubernetes.watch.delta import Delta
from backend_client.kubernetes.watch.reflector import Reflector
from backend_client.protocol import Freshness, Synced
from tests.backend_client.kubernetes.conftest import Cluster
from tests.backend_client.kubernetes.support import controlplane
from tests.backend_client.kubernetes.support.controlplane import ControlPlane, running
from tests.support.wait import until

pytestmark = [pytest.mark.api, pytest.mark.timeout(240)]


class Follower:
    """Reflects events of a namespace: objects that no controller touches."""

    def __init__(self, transport: Transport, namespace: str) -> None:
        self.transport = transport
        self.namespace = namespace
        self.names: dict[str, str] = {}
        self.states: list[str] = []
        self.synced = 0
        self._moved = asyncio.Condition()

    async def follow(self) -> None:
        async for batch in Reflector(self.transport, EVENTS, self.namespace).batches():
            match batch:
                case Delta():
                    for uid in batch.gone:
                        del self.names[uid]
                    self.names.update((item.uid, item.name) for item in batch.changed)
                case Synced():
                    self.synced += 1
                case Freshness():
                    self.states.append(batch.state.value)
            async with self._moved:
                self._moved.notify_all()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(120), self._moved:
            await self._moved.wait_for(holds)

    async def make(self, *names: str) -> None:
        for name in names:
            meta = {"name": name, "namespace": self.namespace}
            body = {"metadata": meta, "involvedObject": {"namespace": self.namespace}}
            path = EVENTS.path(self.namespace)
            await self.transport.request("POST", path, body=msgspec.json.encode(body))

    async def remove(self, name: str) -> None:
        await self.transport.request("DELETE", EVENTS.path(self.namespace, name))


@contextlib.asynccontextmanager
async def following(transport: Transport, namespace: str) -> AsyncIterator[Follower]:
    follower = Follower(transport, namespace)
    task = asyncio.create_task(follower.follow())
    try:
        yield follower
        assert not task.done() or task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def follower(transport: Transport, namespace: str) -> AsyncIterator[Follower]:
    async with following(transport, namespace) as made:
        yield made


async def test_follows(follower: Follower) -> None:
    await follower.make(*(f"e{n}" for n in range(120)))
    await follower.until(lambda: len(follower.names) == 120)
    await follower.remove("e7")
    await follower.until(lambda: "e7" not in follower.names.values())
    assert follower.states == ["live"]


async def test_lists_page_by_page(transport: Transport, namespace: str) -> None:
    await Follower(transport, namespace).make(*(f"e{n}" for n in range(130)))
    batches = Reflector(transport, EVENTS, namespace).batches()
    sizes = [len(batch.changed) for _ in range(2) if isinstance(batch := await anext(batches), Delta)]
    assert sizes == [100, 30]
    assert isinstance(await anext(batches), Synced)
    await batches.aclose()


async def test_who_may_not_is_told(own_cluster: Cluster) -> None:
    transport = Transport(own_cluster.target("nobody"))
    batch = await anext(Reflector(transport, EVENTS, "default").batches())
    assert isinstance(batch, Freshness)
    assert (batch.state, batch.why) == ("forbidden", "you may not list events in default")
    await transport.aclose()


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ControlPlane]:
    if controlplane.binaries() is None:
        pytest.skip(f"needs a control plane: {controlplane.HOW}")
    with running(tmp_path / "plane", controllers=False) as made:
        yield made


@pytest.fixture
async def broken(plane: ControlPlane) -> AsyncIterator[Follower]:
    transport = Transport(Cluster(plane.kubeconfig, controllers=False).target())
    async with following(transport, "default") as made:
        await made.make("a", "b")
        await made.until(lambda: made.states[-1:] == ["live"] and len(made.names) == 2)
        made.states[:] = ["live"]  # a server that has just started may not have answered at once
        yield made
    await transport.aclose()


async def restarted(plane: ControlPlane) -> None:
    plane.start("kube-apiserver")
    await asyncio.to_thread(until, plane.answers, 60)


async def test_killed_and_started_again(plane: ControlPlane, broken: Follower) -> None:
    plane.kill("kube-apiserver")
    await broken.until(lambda: broken.states[-1] == "stale")
    await restarted(plane)
    await broken.make("c")
    await broken.until(lambda: broken.states[-1] == "live" and len(broken.names) == 3)


async def test_compacted_while_away(plane: ControlPlane, broken: Follower) -> None:
    plane.kill("kube-apiserver")
    await broken.until(lambda: broken.states[-1] == "stale")
    prefix = "/registry/events/default/"
    etcd = f"http://127.0.0.1:{plane.etcd}/v3/kv"
    await asyncio.to_thread(compact, etcd, prefix + "a")
    await restarted(plane)
    await broken.until(lambda: broken.states[-1] == "live" and list(broken.names.values()) == ["b"])
    assert broken.synced >= 2


def compact(etcd: str, key: str) -> None:
    """Remove a key behind the API server's back, and forget that it ever was."""

    def ask(verb: str, body: dict[str, object]) -> dict[str, dict[str, str]]:
        request = urllib.request.Request(f"{etcd}/{verb}", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=5) as answer:
            found: dict[str, dict[str, str]] = json.load(answer)
            return found

    gone = ask("deleterange", {"key": base64.b64encode(key.encode()).decode()})
    ask("compaction", {"revision": gone["header"]["revision"], "physical": True})


async def test_frozen(plane: ControlPlane, broken: Follower, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is stopped keeps its connections: only asking finds it out."""
    monkeypatch.setattr(reflector, "SILENCE_SECONDS", 0.5)
    monkeypatch.setattr(reflector, "PROBE_SECONDS", 0.5)
    await broken.make("c")
    await broken.until(lambda: len(broken.names) == 3)
    plane.processes["kube-apiserver"].send_signal(signal.SIGSTOP)
    await broken.until(lambda: broken.states[-1] == "stale")
    plane.processes["kube-apiserver"].send_signal(signal.SIGCONT)
    await broken.until(lambda: broken.states[-1] == "live")


async def test_etcd_killed(plane: ControlPlane, broken: Follower) -> None:
    plane.kill("etcd")
    plane.start("etcd")
    await asyncio.to_thread(until, plane.answers, 60)
    await broken.make("c")
    await broken.until(lambda: len(broken.names) == 3)
