"""Hundreds of clients of one server, beside a server that lists the cluster for every poll of its clients.

Everything runs on this machine: the clients, the servers, etcd and the API server. Every client sees all
jobs, which is the most there is to tell; people who see only their own cost the server less.
"""

import asyncio
import contextlib
import itertools
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from statistics import quantiles

import msgspec

from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.resources.resource_types import PODS
from benchmarks import usage
from benchmarks.cluster_fill import connected, pod_status, send
from benchmarks.server_clients import POLL_SECONDS, Asker, Seen, asker, get, poll, pollers, watchers
from benchmarks.server_lab import POLLER, READER, Lab, lab
from tests.backend_client.kubernetes.support import controlplane

JOBS = 1_000
CLIENTS = (50, 500)
CHANGES = 2.0
"""Changes a second."""
LISTS = 2.0
"""List calls a second, beside the streams."""
SECONDS = 30.0
POLLING_SECONDS = 60.0
"""Longer: its clients wait long for their answers."""

Row = tuple[str, str, str]


class Load(msgspec.Struct):
    """What was measured of one server under one load."""

    lists: list[float]
    """Seconds of each list call."""
    changes: list[float]
    """Seconds from each write to each client."""
    cpu: float = 0.0
    """Seconds of CPU in a second."""
    memory: float = 0.0
    """MB at the most."""
    asked: float = 0.0
    """Requests to the API server in a second."""
    answers: float = 0.0
    """List calls answered in a second."""
    watches: dict[str, int] = {}
    """Kind -> watches of it at the API server."""


def rows() -> list[Row]:
    """Return the rows of the table: (what, measured, target)."""
    if controlplane.binaries() is None:
        return [("server", f"left out: {controlplane.HOW}", "")]
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        lab(Path(folder), max(CLIENTS), JOBS) as made,
    ):
        ours = [asyncio.run(_ours(made, count)) for count in CLIENTS]
        theirs = [asyncio.run(_theirs(made, count)) for count in CLIENTS]
    return [row for at, count in enumerate(CLIENTS) for row in _told(count, ours[at], theirs[at])]


async def _ours(made: Lab, count: int) -> Load:
    seen, lists = Seen(), list[float]()
    streams = await watchers(made.server.port, made.admins[:count], seen)
    async with _measured(made, READER, made.server.process.pid, Load(lists, seen.times), seen) as load:
        listing = asyncio.create_task(_list(await asker(made.server.port), made.admins[0], lists))
        await asyncio.sleep(SECONDS)
        await ended(listing)
    assert not any(stream.lost for stream in streams)
    for stream in streams:
        stream.transport.close()
    return load


async def _theirs(made: Lab, count: int) -> Load:
    seen, lists = Seen(), list[float]()
    with made.polling() as (port, pid):
        clients = await pollers(port, count, seen)
        async with _measured(made, POLLER, pid, Load(lists, seen.times), seen) as load:
            asking = [asyncio.create_task(poll(one, at / count, lists)) for at, one in enumerate(clients)]
            await asyncio.sleep(POLLING_SECONDS)
            await ended(*asking)
        load.answers = sum(client.answers for client in clients) / POLLING_SECONDS
        for client in clients:
            client.transport.close()
    return load


@contextlib.asynccontextmanager
async def _measured(made: Lab, user: str, pid: int, load: Load, seen: Seen) -> AsyncIterator[Load]:
    """Measure a server while jobs change."""
    asked, used, began = made.asked(user), usage.cpu(pid), time.monotonic()
    async with connected(made.plane.kubeconfig) as transport:
        changing = asyncio.create_task(change(made, transport, seen))
        yield load
        seconds = time.monotonic() - began
        load.cpu = (usage.cpu(pid) - used) / seconds
        await ended(changing)
    load.memory, load.watches = usage.peak(pid), made.watches(user)
    load.asked = (made.asked(user) - asked) / seconds


_codes = itertools.count(1000)


async def change(made: Lab, transport: Transport, seen: Seen) -> None:
    """Change the exit code of one job after the other, until it is cancelled."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    for turn, place in enumerate(itertools.cycle(made.changing)):
        await asyncio.sleep(began + turn / CHANGES - loop.time())
        code = next(_codes)
        seen.began[code] = loop.time()
        status = {"status": pod_status("Failed", code=code)}
        await send(transport, "PATCH", PODS.path(place.namespace, place.pod, "status"), status)


async def _list(client: Asker, token: str, times: list[float]) -> None:
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        await asyncio.sleep(due - loop.time())
        began, due = loop.time(), due + 1 / LISTS
        await client.ask(get(f"/api/jobs?limit={JOBS}", token))
        times.append(loop.time() - began)


async def ended(*tasks: asyncio.Task[None]) -> None:
    """Cancel tasks. Raises what one of them failed with."""
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            raise result


def _told(count: int, ours: Load, theirs: Load) -> Iterator[Row]:
    """Return the rows of both servers; the targets are those of the larger load."""
    load, hard = f"{JOBS:,} jobs, {count} clients", count == max(CLIENTS)

    def target(words: str) -> str:
        return words if hard else ""

    lists = [cut(one.lists) for one in (ours, theirs)]
    changes = [cut(one.changes) for one in (ours, theirs)]
    words = [f"p50 {ms(cut[49])}, p99 {ms(cut[98])}" for cut in lists]
    yield f"{load}: list call", f"{words[0]}; polled {words[1]}", target("p99 <= 250 ms")
    words = [f"p50 {ms(cut[49])}, p95 {ms(cut[94])}" for cut in changes]
    yield f"{load}: change to client", f"{words[0]}; polled {words[1]}", target("p95 <= 500 ms")
    lists_by, changes_by = lists[0][98] / lists[1][98], changes[0][94] / changes[1][94]
    yield "those / polled", f"p99 {lists_by:.4f}; p95 {changes_by:.4f}", target("<= 0.05")
    yield (
        f"{load}: polls that the other server answers",
        f"{theirs.answers:.1f} of {count / POLL_SECONDS:.0f}/s",
        "",
    )
    yield f"{load}: CPU of the server", f"{ours.cpu:.0%}; polled {theirs.cpu:.0%}", ""
    yield "that / polled", f"{ours.cpu / theirs.cpu:.2f}", target("<= 0.25")
    yield f"{load}: memory", f"{ours.memory:.0f} MB; polled {theirs.memory:.0f} MB", target("<= 250 MB")
    yield f"{load}: requests to the API server", f"{ours.asked:.1f}/s; polled {theirs.asked:.1f}/s", ""
    most = max(ours.watches.values(), default=0)
    yield f"{load}: watches of one kind at the API server", str(most), target("1")


def cut(times: list[float]) -> list[float]:
    """Return the hundredths of these times."""
    return quantiles(times, n=100, method="inclusive")


def ms(seconds: float) -> str:
    """Format seconds as whole milliseconds."""
    return f"{seconds * 1000:,.0f} ms"
