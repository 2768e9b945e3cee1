"""The GPUs of a cluster by its watch: no list per look, what falls back, what is said of what is hidden."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from backend_client.errors import Unreachable
from backend_client.kubernetes import capacity_cache
from backend_client.kubernetes.backend import KubernetesBackend
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.watch import gpu_watch
from backend_client.protocol import Scope
from tests.backend_client.kubernetes.support.gpu_api import GPU, GpuApi, job, node, pod
from tests.support.wait import async_until


@contextlib.asynccontextmanager
async def opened(api: GpuApi) -> AsyncIterator[KubernetesBackend]:
    backend = KubernetesBackend("gpus", KubernetesSettings(), namespace="mine", target=await api.start())
    yield backend
    await backend.aclose()
    await api.stop()
    await async_until(lambda: len(asyncio.all_tasks()) == 1, message=lambda: "something of the watch is left")


@pytest.fixture
def api() -> GpuApi:
    made = GpuApi()
    for number in range(3):
        made.put("nodes", node(f"n{number}"))
    made.put("pods", pod("a", "n0", 5, job="bert"))
    made.put("jobs", job("bert", 7200))
    return made


async def free(backend: KubernetesBackend) -> int:
    return (await backend.capacity(Scope())).free


async def test_one_list_and_then_every_change_by_the_watch(api: GpuApi) -> None:
    async with opened(api) as backend:
        assert await free(backend) == 19
        api.put("pods", pod("b", "n1", 8))
        await async_until(lambda: _is(backend, 11))
        api.remove("pods", "a", "mine")
        await async_until(lambda: _is(backend, 16))
        api.put("nodes", node("n2", unschedulable=True))
        await async_until(lambda: _is(backend, 8))
        api.remove("nodes", "n0")
        await async_until(lambda: _is(backend, 0))
        assert (api.count("list", "pods"), api.count("list", "nodes")) == (1, 1)


async def _is(backend: KubernetesBackend, number: int) -> bool:
    return await free(backend) == number


async def test_what_nodes_have_left_comes_of_the_same_watch(api: GpuApi) -> None:
    async with opened(api) as backend:
        capacity = backend._shared.capacity
        assert capacity.machines() is None, "nobody watches yet"
        await free(backend)
        api.put("pods", pod("b", "", 8) | {"status": {"phase": "Pending", "nominatedNodeName": "n1"}})
        ledger = capacity.machines()
        assert ledger
        await async_until(lambda: [m.free[GPU] for m in ledger.machines()] == [3, 0, 8])
        assert [m.free[GPU] for m in ledger.machines(frozenset({"uid-a"}))] == [8, 0, 8]
        assert (await backend.capacity(Scope())).free == 19, "it holds none yet"


async def test_the_nodes_say_who_holds_them_until_when(api: GpuApi) -> None:
    async with opened(api) as backend:
        found = await backend.nodes(Scope())
        assert [(line.name, line.free) for line in found.nodes] == [("n0", 3), ("n1", 8), ("n2", 8)]
        (holder,) = found.nodes[0].holders
        assert (holder.name, holder.gpus, holder.uid) == ("bert", 5, "uid-bert")
        assert holder.until.isoformat() == "2026-11-30T12:00:00+00:00"
        api.put("jobs", job("bert", 60))

        async def shorter() -> bool:
            (changed,) = (await backend.nodes(Scope())).nodes[0].holders
            return changed.until.isoformat() == "2026-11-30T10:01:00+00:00"

        await async_until(shorter)


async def test_owners_that_may_not_be_read_leave_the_names_that_pods_tell(api: GpuApi) -> None:
    api.refused = {("list", "jobs"), ("list", "deployments")}
    async with opened(api) as backend:
        (holder,) = (await backend.nodes(Scope())).nodes[0].holders
        assert (holder.name, holder.uid, holder.until) == ("bert", "uid-bert", None)


async def test_gpus_that_a_device_class_serves_too_are_said_to_be_unsure(api: GpuApi) -> None:
    api.put("deviceclasses", {"metadata": {"name": "any"}, "spec": {}})
    api.put(
        "deviceclasses", {"metadata": {"name": "gpu"}, "spec": {"extendedResourceName": "nvidia.com/gpu"}}
    )
    async with opened(api) as backend:
        assert "device class gpu too" in (await backend.nodes(Scope())).unsure_because
        await backend.nodes(Scope())
        assert api.count("list", "deviceclasses") == 1


async def test_what_may_be_listed_and_not_watched_is_listed_from_time_to_time(
    api: GpuApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.refused = {("watch", "pods")}
    async with opened(api) as backend:
        assert await free(backend) == 19
        await async_until(lambda: api.count("watch", "pods"))
        api.put("pods", pod("b", "n1", 8))
        await free(backend)
        assert api.count("list", "pods") == 1, "not for every question"
        monkeypatch.setattr(gpu_watch, "LISTED_EVERY", 0.05)
        await async_until(lambda: _is(backend, 11))


@pytest.mark.parametrize("plural", ["nodes", "pods"])
async def test_what_may_not_be_listed_is_said(api: GpuApi, plural: str) -> None:
    api.refused = {("list", plural)}
    async with opened(api) as backend:
        capacity = await backend.capacity(Scope())
        assert capacity.unknown_because
        assert (await backend.nodes(Scope())).unknown_because == capacity.unknown_because
        assert backend._shared.capacity.node_gpus() is None
        api.refused = set()
        await backend.refresh()
        await async_until(lambda: _is(backend, 19))


async def test_nobody_who_asks_leaves_no_watch(api: GpuApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity_cache, "IDLE_SECONDS", 1.0)
    async with opened(api) as backend:
        assert await free(backend) == 19
        await async_until(lambda: backend._shared.capacity.node_gpus() is None)
        assert await free(backend) == 19
        assert api.count("list", "pods") == 2


async def test_a_cluster_that_does_not_answer_is_an_error_and_no_number(api: GpuApi) -> None:
    async with opened(api) as backend:
        await api.stop()
        with pytest.raises(Unreachable):
            await backend.capacity(Scope())
        with pytest.raises(Unreachable):
            await backend.nodes(Scope())


async def test_what_was_counted_is_true_for_a_while_and_then_unknown(
    api: GpuApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(api) as backend:
        assert await free(backend) == 19
        await async_until(lambda: api.count("watch", "pods") and api.count("watch", "nodes"))
        await api.stop()
        assert await free(backend) == 19
        monkeypatch.setattr(gpu_watch, "FRESH_SECONDS", 0.0)
        with pytest.raises(Unreachable):
            await async_until(lambda: _is(backend, -1))
        assert backend._shared.capacity.node_gpus() is None
