"""The real server stops or dies and comes back: whoever watched has its list again, each log line once."""

import asyncio
import contextlib

import pytest

from backend_client.logs.follow import follow
from backend_client.models import JobSpec
from backend_client.models.secret import Secret
from backend_client.protocol import Closed, FreshnessState, Gap, Lines, LogQuery, Opened, Scope
from backend_client.server.backend import ServerBackend
from tests.backend_client.server.support.told import Reader
from tests.contract.support.harness import text
from tests.contract.support.server import RunningServer
from tests.support.wait import async_until


@pytest.fixture
def server(tmp_path):
    made = RunningServer(tmp_path / "server", "--local")
    yield made
    made.stop()


def spec(script, name):
    return JobSpec(name=name, command=("sh", "-c", script))


async def watched(backend, reader):
    async with contextlib.aclosing(backend.watch([Scope()])) as batches:
        async for batch in batches:
            reader.read(batch)


async def until(holds, task):
    def holds_meanwhile():
        assert not task.done() or task.result()
        return holds()

    await async_until(holds_meanwhile, 30)


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_nothing_is_lost_by_a_restart(server, end):
    token, reader = Secret(server.person()), Reader()
    backend = ServerBackend("gpu", server.url, lambda: token)
    made = await backend.create(
        spec("for i in $(seq 60); do echo $i; sleep 0.1; done", "writer"), key="1", secrets={}
    )
    idle = await backend.create(spec("sleep 60", "idle"), key="2", secrets={})
    watching = asyncio.create_task(watched(backend, reader))
    await until(lambda: reader.names == ["idle", "writer"], watching)
    items = []

    async def read():
        async for batch in follow(backend, LogQuery(ref=made.ref, follow=True), random_part=lambda: 0.2):
            items.extend(batch)

    reading = asyncio.create_task(read())
    await until(lambda: text(items).count(b"\n") > 5, watching)
    await asyncio.to_thread(getattr(server, end))
    await until(lambda: reader.states[-1:] == [FreshnessState.STALE], watching)
    assert reader.names == ["idle", "writer"]
    await asyncio.to_thread(server.start, f"127.0.0.1:{server.port}")
    await until(lambda: reader.states[-1:] == [FreshnessState.LIVE], watching)
    async with asyncio.timeout(60):
        await reading
    assert text(item for item in items if isinstance(item, Lines)).split() == [
        b"%d" % n for n in range(1, 61)
    ]
    assert sum(isinstance(item, Opened) for item in items) == 1
    assert not any(isinstance(item, Gap) for item in items)
    assert not items[-1].lost
    assert any(isinstance(item, Closed) and item.lost for item in items)
    for ref in (made.ref, idle.ref):
        async for _ in backend.delete(ref):
            pass
    await until(lambda: reader.names == [], watching)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    await backend.aclose()
