"""The hub: who is told what, once, and how a client that was away gets all that it missed."""

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.clusters import event_log
from backend.clusters import hub as hubs
from backend.clusters.event_log import JSON, Audience
from backend.clusters.hub import Hub, Owner
from backend_client.models import Job, JobRef, JobSpec, JobState, QueuePlace, StartRange
from backend_client.protocol import Changed, DeleteStep, Freshness, FreshnessState, Gone, Snapshot, Synced
from backend_client.server.sse import SseParser
from backend_client.server.wire import ClusterLink, Lagged, Step, read_watch

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANN, BOB = Owner(1, "ann"), Owner(2, "bob")
ALL, ANNS, BOBS = Audience(None), Audience(frozenset({1})), Audience(frozenset({2}))


def job(uid, cluster="c", state=JobState.RUNNING, reason=""):
    spec = JobSpec(name=uid, namespace="td-someone")
    ref = JobRef(cluster, "td-someone", "job", uid, uid)
    return Job(ref=ref, state=state, spec=spec, reason=reason, owner="whoever", created=NOW)


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.setattr(hubs, "FRAME_SECONDS", 0.0)
    made = Hub()
    made.add("c")
    return made


class Client:
    """A reader of a stream: what it knows, and the last id that it saw."""

    def __init__(self, hub, audience):
        self.hub, self.audience = hub, audience
        self.jobs, self.links, self.steps = {}, {}, []
        self.last, self.lagged, self.snapshots = "", False, 0
        self._stream = None

    async def read(self):
        """Read all that the stream has now."""
        if self._stream is None:
            self._stream = self.hub.frames(self.audience, self.last)
        while True:
            part = asyncio.ensure_future(anext(self._stream))
            for _ in range(6):
                await asyncio.sleep(0)
            if not part.done():
                part.cancel()
                await asyncio.gather(part, return_exceptions=True)
                self._stream = None  # a generator that was cancelled has ended
                return self
            try:
                self._take(part.result())
            except StopAsyncIteration:
                self._stream = None
                return self

    async def leave(self):
        if self._stream:
            await self._stream.aclose()
        self._stream = None

    def _take(self, data):
        fresh = None
        for frame in SseParser().feed(data):
            self.last = frame.id or self.last
            event = read_watch(frame.event, frame.data)
            match event:
                case Snapshot():
                    fresh = {} if fresh is None else fresh
                    fresh |= {one.ref.uid: one for one in event.jobs}
                case Synced():
                    self.snapshots += 1
                    self.jobs = fresh or {}
                case Changed():
                    self.jobs |= {one.ref.uid: one for one in event.jobs}
                case Gone():
                    for ref in event.refs:
                        self.jobs.pop(ref.uid, None)
                case ClusterLink():
                    self.links[event.cluster] = event
                case Step():
                    self.steps.append((event.uid, event.message))
                case Lagged():
                    self.lagged, self.last = True, ""


async def test_each_is_told_of_their_own_and_an_admin_of_all(hub):
    clients = [await Client(hub, audience).read() for audience in (ANNS, BOBS, ALL)]
    hub.claim(ANN, job("a"))
    hub.claim(BOB, job("b"))
    hub.apply("c", [Changed((job("nobodys"),))])
    assert [set((await client.read()).jobs) for client in clients] == [{"a"}, {"b"}, {"a", "b"}]
    hub.apply("c", [Gone((job("a").ref,))])
    assert [set((await client.read()).jobs) for client in clients] == [set(), {"b"}, {"b"}]
    told = clients[1].jobs["b"]
    assert (told.owner, told.spec.namespace, told.ref.namespace) == ("bob", "", "td-someone")


async def test_a_job_that_was_told_before_it_was_claimed_is_told_as_it_is_now(hub):
    client = await Client(hub, ANNS).read()
    hub.apply("c", [Changed((job("a", state=JobState.FAILED),))])
    assert (await client.read()).jobs == {}
    hub.claim(ANN, job("a", state=JobState.PENDING))
    assert (await client.read()).jobs["a"].state is JobState.FAILED


async def test_what_only_the_rows_remember_is_gone_once_the_cluster_has_told_its_list(hub):
    hub.remember([(ANN, job("a")), (ANN, job("b"))])
    client = await Client(hub, ANNS).read()
    assert set(client.jobs) == {"a", "b"}
    hub.apply("c", [Freshness(FreshnessState.LIVE, NOW), Snapshot((job("a"),))])
    hub.claim(ANN, job("new"))
    hub.apply("c", [Synced()])
    assert set((await client.read()).jobs) == {"a", "new"}
    hub.apply("c", [Freshness(FreshnessState.STALE, NOW, "away")])
    assert set((await client.read()).jobs) == {"a", "new"}
    assert client.links["c"].why == "away"
    hub.apply("c", [Snapshot((job("new"),)), Synced()])
    assert set((await client.read()).jobs) == {"new"}


async def test_each_job_is_encoded_once_and_each_frame_made_once(hub, monkeypatch):
    calls = []
    real = hubs.encode
    monkeypatch.setattr(hubs, "encode", lambda value: calls.append(value) or real(value))
    streams = [hub.frames(ANNS) for _ in range(50)]
    for stream in streams:
        await anext(stream)
        await anext(stream)
    waiting = [asyncio.ensure_future(anext(stream)) for stream in streams]
    await asyncio.sleep(0)
    hub.claim(ANN, job("a"))
    told = await asyncio.gather(*waiting)
    assert len(calls) == 1
    assert len({id(part) for part in told}) == 1


async def test_who_reads_slowly_gets_less_and_who_does_not_read_is_told(hub, monkeypatch):
    monkeypatch.setattr(event_log, "MAX_BATCHES", 10)
    hub.claim(ANN, job("a"))
    slow, stuck, quick = hub.frames(ANNS), hub.frames(ANNS), hub.frames(ANNS)
    for stream in (slow, stuck, quick):
        await anext(stream)
        await anext(stream)
    for number in range(8):
        hub.apply("c", [Changed((job("a", reason=str(number)),))])
        if number % 4 == 0:
            await anext(quick)
    assert (await anext(slow)).count(b"event: changed") == 1
    for number in range(20):
        hub.apply("c", [Changed((job("a", reason=f"x{number}"),))])
    assert await anext(stuck) == JSON.lagged
    with pytest.raises(StopAsyncIteration):
        await anext(stuck)
    again = await Client(hub, ANNS).read()
    assert again.jobs["a"].reason == "x19"


async def test_a_place_of_another_server_or_of_another_person_is_no_place(hub):
    hub.claim(ANN, job("a"))
    client = await Client(hub, ANNS).read()
    for other in (Hub(), hub):
        other.add("c") if other is not hub else None
        stranger = Client(other, BOBS)
        stranger.last = client.last
        await stranger.read()
        assert (stranger.snapshots, stranger.jobs) == (1, {})
    for odd in ("x", "-", f"{client.last}9", client.last.replace("-", "--"), "0" * 5000):
        client.last = odd
        client.snapshots = 0
        assert (await client.read()).snapshots == 1


async def test_steps_reach_the_owner_alone(hub):
    hub.claim(ANN, job("a"))
    clients = [await Client(hub, audience).read() for audience in (ANNS, BOBS)]
    hub.publish_step("c", "a", DeleteStep("waiting for 2 pods", slow=True))
    hub.publish_step("c", "unknown", DeleteStep("nobody's"))
    assert [(await client.read()).steps for client in clients] == [[("a", "waiting for 2 pods")], []]


async def test_one_cluster_alone(hub):
    hub.add("d")
    hub.claim(ANN, job("a"))
    hub.claim(ANN, job("b", cluster="d"))
    client = await Client(hub, Audience(frozenset({1}), "d")).read()
    assert set(client.jobs) == {"b"}
    assert set(client.links) == {"d"}
    hub.drop("d")
    assert (await client.read()).jobs == {}


async def test_one_job_alone(hub):
    hub.claim(ANN, job("a"))
    hub.claim(ANN, job("b"))
    client, bobs = (
        Client(hub, Audience(frozenset({1}), uid="a")),
        Client(hub, Audience(frozenset({2}), uid="a")),
    )
    assert set((await client.read()).jobs) == {"a"}
    assert (await bobs.read()).jobs == {}
    hub.publish_step("c", "b", DeleteStep("another's"))
    hub.publish_step("c", "a", DeleteStep("stopping"))
    hub.apply("c", [Changed((job("b", reason="x"),))])
    assert [(await one.read()).steps for one in (client, bobs)] == [[("a", "stopping")], []]
    hub.release("c", "b")
    hub.release("c", "a")
    assert ((await client.read()).jobs, client.snapshots) == ({}, 1)


async def test_a_name_from_outside_makes_no_frame(hub):
    client = await Client(hub, Audience(frozenset({1}), "c\n\nevent: gone", "\r\nid: 1")).read()
    assert (client.snapshots, client.last.count("-")) == (1, 1)
    assert await Client(hub, client.audience).read()


CHANGES = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from(["change", "gone", "read", "leave", "new", "stale"])),
    max_size=60,
)


@given(CHANGES, st.integers(2, 12))
def test_whoever_comes_and_goes_ends_with_what_is(changes, most):
    async def check():
        before, event_log.MAX_BATCHES, pace, hubs.FRAME_SECONDS = (
            event_log.MAX_BATCHES,
            most,
            hubs.FRAME_SECONDS,
            0.0,
        )
        try:
            hub = Hub()
            hub.add("c")
            client = Client(hub, ANNS)
            for count, (uid, what) in enumerate(changes):
                if what in ("change", "new"):
                    owner = ANN if uid in "ab" else BOB
                    hub.claim(owner, job(uid, reason=str(count)))
                elif what == "gone":
                    hub.apply("c", [Gone((job(uid).ref,))])
                elif what == "stale":
                    hub.apply("c", [Freshness(FreshnessState.STALE, NOW, str(count))])
                elif what == "read":
                    await client.read()
                else:
                    await client.leave()
            await client.read()
            await client.read()
            assert client.jobs == {one.job.name: one.job for one in hub.all() if one.user_id == 1}
            await client.leave()
        finally:
            event_log.MAX_BATCHES, hubs.FRAME_SECONDS = before, pace

    asyncio.run(check())


async def test_a_start_is_told_to_a_job_that_waits_and_only_where_it_is_another(hub):
    starts = StartRange(NOW, NOW)
    hub.claim(ANN, job("a", state=JobState.QUEUED))
    hub.claim(ANN, job("b"))
    published = []
    hub.subscribe(published.append)
    hub.set_starts("c", {"a": starts, "b": starts, "gone": starts})
    assert [{*batch.changed} for batch in published] == [{("c", "a")}]
    assert hub.get("c", "a").job.queue == QueuePlace(queue="", starts=starts)
    assert hub.get("c", "b").job.queue is None
    hub.set_starts("c", {"a": starts})
    hub.set_starts("other", {})
    hub.apply("c", [Changed((job("a", state=JobState.QUEUED),))])
    assert len(published) == 1
    hub.set_starts("c", {})
    assert hub.get("c", "a").job.queue.starts is None
    hub.set_starts("c", {"a": starts})
    hub.apply("c", [Changed((job("a"),))])
    assert hub.get("c", "a").job.queue is None


async def test_somebody_looks_while_a_stream_is_open(hub):
    assert not hub.is_looked_at
    stream = hub.frames(ANNS)
    await anext(stream)
    assert hub.is_looked_at
    await stream.aclose()
    assert not hub.is_looked_at
    hub.note_look()
    assert hub.is_looked_at
