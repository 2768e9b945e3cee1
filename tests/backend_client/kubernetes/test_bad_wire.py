"""Watch and log over a bad wire, on a clock that jumps: the true limits, and a cut at every single byte."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from backend_client import backoff
from backend_client.kubernetes.api.transport import Transport
from backend_client.logs import follow
from backend_client.protocol import Closed, Gap, LogItem, LogQuery
from tests.backend_client.kubernetes.conftest import through
from tests.backend_client.kubernetes.logs.test_stream import REF, Node, lines
from tests.backend_client.kubernetes.logs.test_stream_live import Backend
from tests.backend_client.kubernetes.support.clock import run
from tests.backend_client.kubernetes.support.faults import FaultyApi, Pods
from tests.backend_client.kubernetes.watch.test_reflector import Mirror
from tests.support.faults import Wire


@contextlib.asynccontextmanager
async def wired(api: FaultyApi) -> AsyncIterator[tuple[Wire, Transport]]:
    await api.start()
    async with Wire("127.0.0.1", api.port) as wire:
        transport = Transport(through(wire, api.target()))
        yield wire, transport
        await transport.aclose()
    await api.stop()


@contextlib.asynccontextmanager
async def mirrored() -> AsyncIterator[tuple[Pods, Wire, Mirror]]:
    pods = Pods()
    for number in range(5):
        pods.put(f"p{number}", f"u{number}")
    api = FaultyApi(pods)
    async with wired(api) as (wire, transport):
        mirror = Mirror(api, transport)
        task = asyncio.create_task(mirror.follow())
        await mirror.until(mirror.true)
        yield pods, wire, mirror
        assert not mirror.repeated
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_a_watch_is_cut_after_any_number_of_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a chunk's head, a key, a name, an escape, between two lines."""
    monkeypatch.setattr(backoff, "LONGEST_SECONDS", 0.2)

    async def main() -> None:
        async with mirrored() as (pods, wire, mirror):
            for cuts, size in enumerate(range(1, 450, 3), 1):
                wire.limits = [size]
                pods.put("p0", "u0", note="Zürich\u2028")
                pods.put("p1", f"u1-{size}")
                await mirror.until(lambda cuts=cuts: wire.cuts == cuts)
                await mirror.until(mirror.true)
            assert mirror.synced == 1

    run(main())


def test_a_black_hole_is_noticed_in_45_s_and_what_is_known_stays() -> None:
    async def main() -> None:
        async with mirrored() as (pods, wire, mirror):
            clock = asyncio.get_running_loop().time
            began, known = clock(), dict(mirror.told)
            wire.silence()
            pods.put("p0", "u0")
            pods.remove("p1")
            await mirror.until(lambda: mirror.states[-1] == "stale")
            assert 44 < clock() - began < 46
            assert mirror.told == known
            await asyncio.sleep(1000)
            before = len(mirror.api.requests)
            wire.speak()
            await mirror.until(mirror.true)
            assert clock() - began < 1100
            assert len(mirror.api.requests) - before < 100
            assert mirror.synced == 1

    run(main())


def test_a_log_on_a_connection_that_was_forgotten_on_the_way_goes_on_after_5_minutes() -> None:
    async def main() -> None:
        api = Node()
        api.script = ["quiet"]
        api.write("one")
        async with wired(api) as (wire, transport):
            items: list[LogItem] = []

            async def read() -> None:
                async for batch in follow(Backend(transport), LogQuery(ref=REF, follow=True)):
                    items.extend(batch)

            task = asyncio.create_task(read())
            await asyncio.sleep(5)
            wire.abandon()
            api.write("two", at=1)
            await asyncio.sleep(290)
            assert lines(items) == ["one"]
            await asyncio.sleep(20)
            assert lines(items) == ["one", "two"]
            api.script = ["end"]
            wire.reset()
            api.write("three", at=9)
            api.ended()
            await task
            assert lines(items) == ["one", "two", "three"]
            assert items[-1] == Closed("Succeeded")
            assert not any(isinstance(item, Gap) for item in items)

    run(main())
