"""Hundreds of clients of one server, beside a server that lists the cluster for every poll of its clients.

Everything runs on this machine: the clients, the servers, etcd and the API server. Every client sees all
jobs, which is the most there is to tell; people who see only their own cost the server less.
"""

import asyncio
import contextlib
import itertools
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from statistics import quantiles

import msgspec

from backend_client.kubernetes.kinds import PODS
from backend_client.kubernetes.transport import Transport
from benchmarks import usage
from benchmarks.cluster_fill import connected, pod_status, send
from benchmarks.server_clients import Asker, Seen, asker, get, poll, pollers, watchers
from benchmarks.server_lab import POLLER, READER, Lab, lab
from tests.kubernetes import controlplane

JOBS = 1_000
CLIENTS = (50, 500)
CHANGES = 2.0
"""Changes a second."""
LISTS = 2.0
"""List calls a second, beside the streams."""
SECONDS = 30.0
POLLING_SECONDS = 90.0
"""Longer: its clients wait long for the first answers."""

Row = tuple[str, str, str]


class Load(msgspec.Struct):
    """What was measured of one server under one load."""

    lists: list[float]
    """Seconds of each list call."""
    changes: list[float]
    """Seconds from each write to each client."""
    cpu: float
    """Seconds of CPU in a second."""
    memory: float
    """MB at the most."""
    asked: Counter[str]
    """Requests to the API server."""
    seconds: float


def rows() -> list[Row]:
    """(what, measured, target)."""
    if controlplane.binaries() is None:
        return [("server", f"left out: {controlplane.HOW}", "")]
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        lab(Path(folder), max(CLIENTS), JOBS) as made,
    ):
        return [row for count in CLIENTS for row in _beside(made, count)]


def _beside(made: Lab, count: int) -> Iterator[Row]:
    ours = asyncio.run(_ours(made, count))
    theirs = asyncio.run(_theirs(made, count))
    targets = count == max(CLIENTS)

    def target(words: str) -> str:
        return words if targets else ""

    load = f"{JOBS:,} jobs, {count} clients"
    yield (
        f"list call, {load}",
        f"{_waits(ours.lists)}; polled: {_waits(theirs.lists)}",
        target("p99 <= 250 ms"),
    )
    yield (
        f"change to client, {load}",
        f"{_waits(ours.changes)}; polled: {_waits(theirs.changes)}",
        target("p95 <= 500 ms"),
    )
    later = _cut(ours.changes, 50) / _cut(theirs.changes, 50)
    yield "that / polled, p50", f"{later:.3f}", target("<= 0.05")
    yield f"CPU of the server, {load}", f"{ours.cpu:.0%}; polled: {theirs.cpu:.0%}", ""
    yield "that / polled", f"{ours.cpu / theirs.cpu:.2f}", target("<= 0.25")
    yield (
        f"memory of the server, {load}",
        f"{ours.memory:.0f} MB; polled: {theirs.memory:.0f} MB",
        target("<= 250 MB"),
    )
    yield (
        f"requests to the API server in {SECONDS:.0f} s (polled: {POLLING_SECONDS:.0f} s), {load}",
        f"{_asked(ours.asked)}; polled: {_asked(theirs.asked)}",
        target("no list"),
    )


async def _ours(made: Lab, count: int) -> Load:
    seen, port, pid = Seen(), made.server.port, made.server.process.pid
    streams = await watchers(port, made.admins[:count], seen)
    lists: list[float] = []
    async with _measured(made, READER, pid, seen, lists, SECONDS) as load:
        listing = asyncio.create_task(_lists(await asker(port), made.admins[0], lists))
        await asyncio.sleep(SECONDS)
        await _ended(listing)
    assert not any(stream.lost for stream in streams)
    for stream in streams:
        stream.transport.close()
    return load


async def _theirs(made: Lab, count: int) -> Load:
    seen, lists = Seen(), list[float]()
    with made.polling() as (port, pid):
        clients = await pollers(port, count, seen)
        async with _measured(made, POLLER, pid, seen, lists, POLLING_SECONDS) as load:
            asking = [asyncio.create_task(poll(one, at / count, lists)) for at, one in enumerate(clients)]
            await asyncio.sleep(POLLING_SECONDS)
            await _ended(*asking)
    return load


@contextlib.asynccontextmanager
async def _measured(
    made: Lab, user: str, pid: int, seen: Seen, lists: list[float], seconds: float
) -> AsyncIterator[Load]:
    """While jobs change."""
    load = Load(lists, seen.times, 0.0, 0.0, Counter(), seconds)
    before, used = made.asked(user), usage.cpu(pid)
    async with connected(made.plane.kubeconfig) as transport:
        changing = asyncio.create_task(_change(made, transport, seen))
        yield load
        load.cpu = (usage.cpu(pid) - used) / seconds
        await _ended(changing)
    load.memory, load.asked = usage.peak(pid), made.asked(user) - before


_codes = itertools.count(1000)


async def _change(made: Lab, transport: Transport, seen: Seen) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    for turn, place in enumerate(itertools.cycle(made.changing)):
        await asyncio.sleep(began + turn / CHANGES - loop.time())
        code = next(_codes)
        seen.began[code] = loop.time()
        status = {"status": pod_status("Failed", code=code)}
        await send(transport, "PATCH", PODS.path(place.namespace, place.pod, "status"), status)


async def _lists(client: Asker, token: str, times: list[float]) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    for turn in itertools.count():
        await asyncio.sleep(began + turn / LISTS - loop.time())
        times.append(await client.ask(get("/api/jobs?limit=1000", token)))


async def _ended(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            raise result


def _asked(requests: Counter[str]) -> str:
    return ", ".join(f"{count} {verb}" for verb, count in sorted(requests.items())) or "none"


def _cut(times: list[float], percent: int) -> float:
    """A percentile; of next to nothing, infinity."""
    if len(times) < 2:
        return float("inf")
    return quantiles(times, n=100, method="inclusive")[percent - 1]


def _waits(times: list[float]) -> str:
    if len(times) < 2:
        return f"{len(times)} of them"
    p50, p95, p99 = (1000 * _cut(times, percent) for percent in (50, 95, 99))
    return f"p50 {p50:.0f}, p95 {p95:.0f}, p99 {p99:.0f} ms"
