"""Any changes, over a line cut anywhere: in the end the reader's list is the server's.

The server's own hub tells; only the network between is played.
"""

import asyncio
import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.clusters import event_log
from backend.clusters import event_log as event_logs
from backend.clusters import hub as hubs
from backend.clusters.event_log import Audience
from backend.clusters.hub import Hub, Owner
from backend_client.errors import Unreachable
from backend_client.models import JobState
from backend_client.protocol import Changed, Gone, Snapshot, Synced
from backend_client.server import watch
from backend_client.server.sse import SseParser
from backend_client.server.watch import WatchStream
from tests.backend_client.server.support.told import Reader, job
from tests.support.wait import async_until

ANN = Owner(1, "ann")
NAMES = st.sampled_from("abcd")
CHANGES = st.one_of(
    st.tuples(st.just("put"), NAMES, st.sampled_from([JobState.RUNNING, JobState.FAILED])),
    st.tuples(st.just("leave"), NAMES),
    st.tuples(st.just("relist"), st.sets(NAMES)),
)
ROUNDS = st.lists(
    st.tuples(st.none() | st.just(0) | st.integers(1, 2500), st.lists(CHANGES, max_size=5)),
    min_size=1,
    max_size=8,
)
"""Bytes that the line holds from now on, and what happens meanwhile."""


class Line:
    """A line to a hub. `left`: bytes until it breaks, and stays broken; None: it holds."""

    place = "the hub"

    def __init__(self, hub) -> None:
        self._hub = hub
        self.left: int | None = None

    @contextlib.asynccontextmanager
    async def stream(self, path, *, query=None, last=""):
        if self.left == 0:
            raise Unreachable("down")
        self._last = last
        yield self

    async def batches(self):
        parser = SseParser()
        async with contextlib.aclosing(
            self._hub.frames(Audience(frozenset({ANN.user_id})), self._last)
        ) as chunks:
            async for chunk in chunks:
                if frames := parser.feed(chunk[: self.left]):
                    yield frames
                if self.left is not None:
                    self.left = max(0, self.left - len(chunk))
                    if self.left == 0:
                        raise Unreachable("cut")


def change(hub, what, *more):
    match what:
        case "put":
            name, state = more
            hub.claim(ANN, job(name, state))
            hub.apply("lab", [Changed((job(name, state),))])
        case "leave":
            hub.apply("lab", [Gone((job(more[0]).ref,))])
        case "relist":
            hub.apply("lab", [Snapshot(tuple(job(name) for name in sorted(more[0]))), Synced()])


async def watched(reader, line):
    async with contextlib.aclosing(WatchStream(line, lambda one: one, ()).batches()) as batches:
        async for batch in batches:
            reader.read(batch)


async def played(rounds):
    hub, reader = Hub(), Reader()
    line = Line(hub)
    hub.add("lab")
    task = asyncio.create_task(watched(reader, line))
    for left, changes in [*rounds, (None, [("put", "last", JobState.RUNNING)])]:
        line.left = left
        for one in changes:
            change(hub, *one)
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.002)

    def caught_up():
        assert not task.done() or task.result()
        return reader.jobs == {uid: known.job for (_, uid), known in hub._cached.items()}

    await async_until(caught_up, 2, pause=lambda: asyncio.sleep(0.001))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(autouse=True, scope="module")
def hurry():
    """And a hub with a short memory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hubs, "FRAME_SECONDS", 0)
        patch.setattr(event_logs, "SNAPSHOT_PAGE", 1)
        patch.setattr(event_log, "MAX_BATCHES", 2)
        patch.setattr(watch, "FIRST_PAUSE", 0.0005)
        patch.setattr(watch, "LONGEST_PAUSE", 0.0005)
        yield


@settings(max_examples=80)
@given(ROUNDS)
def test_the_readers_list_is_the_servers(rounds):
    asyncio.run(played(rounds))
