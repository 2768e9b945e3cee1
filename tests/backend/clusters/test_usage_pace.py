"""How often use is read: often while somebody looks, at once when they begin, seldom when all have left."""

import asyncio

from backend.clusters import hub as hubs
from backend.clusters import usage_pace
from backend.clusters.event_log import Audience
from backend.clusters.hub import Hub
from tests.support.wait import async_until


class Backend:
    def __init__(self):
        self.paces = []

    def set_usage_interval(self, seconds):
        self.paces.append(seconds)


class Cluster:
    def __init__(self):
        self.backend = Backend()


async def test_the_pace_follows_who_looks(monkeypatch):
    monkeypatch.setattr(usage_pace, "CHECK_SECONDS", 0.01)
    monkeypatch.setattr(hubs, "LOOK_SECONDS", 0.05)
    hub, cluster = Hub(), Cluster()
    hub.add("c")
    task = asyncio.ensure_future(usage_pace.pace_forever(hub, [cluster]))
    paces = cluster.backend.paces
    await async_until(lambda: paces == [300.0])
    stream = hub.frames(Audience(None))
    await anext(stream)
    await async_until(lambda: paces[-1] == 30.0)
    await stream.aclose()
    await async_until(lambda: paces[-1] == 300.0)
    await async_until(lambda: hub.note_look() or paces[-1] == 30.0)  # a look is short here
    await async_until(lambda: paces[-1] == 300.0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_while_nobody_looks_nothing_is_done(monkeypatch):
    hub, cluster = Hub(), Cluster()
    task = asyncio.ensure_future(usage_pace.pace_forever(hub, [cluster]))
    for _ in range(50):
        await asyncio.sleep(0)
    assert cluster.backend.paces == [300.0]
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
