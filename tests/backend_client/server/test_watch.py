"""A watch over a line that breaks: whoever reads it has the server's list again afterwards."""

import asyncio
import contextlib

import pytest

from backend_client.errors import LoginNeeded
from backend_client.models import JobState
from backend_client.models.secret import Secret
from backend_client.protocol import FreshnessState, Scope
from backend_client.server import connection as connections
from backend_client.server import watch
from backend_client.server.backend import ServerBackend
from backend_client.server.wire import HEARTBEAT, Bye, Lagged, watch_frame
from tests.backend_client.server.conftest import TOKEN
from tests.backend_client.server.support.scripted import answer, stream
from tests.backend_client.server.support.told import Reader, changed, gone, job, link, snapshot, synced

LIVE, STALE, FORBIDDEN = FreshnessState.LIVE, FreshnessState.STALE, FreshnessState.FORBIDDEN
RULES = answer({"items": []})
OPEN = "hang"
DOWN = answer({"title": "the server is starting", "kind": "Unreachable"}, "503 Service Unavailable")


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    monkeypatch.setattr(watch, "FIRST_PAUSE", 0.01)


@pytest.fixture
async def backend(server):
    made = ServerBackend("gpu", server.url, lambda: Secret(TOKEN))
    made._has_fetched = True
    yield made
    await made.aclose()


async def read(backend, holds, scope="", reader=None):
    """A reader, as soon as `holds(reader)`."""
    reader = reader or Reader()
    async with asyncio.timeout(60), contextlib.aclosing(backend.watch([Scope(scope)])) as batches:
        async for batch in batches:
            reader.read(batch)
            if holds(reader):
                return reader
    raise AssertionError(reader)


def last_ids(server):
    return [one.headers.get("last-event-id", "") for one in server.asked]


LIST = (link(), snapshot("a", "b"), snapshot("c"), synced("e-1"))


async def test_a_list_and_its_changes(server, backend):
    server.script = [stream(*LIST, changed(job("d"), at="e-2"), gone("a", at="e-3"), end=OPEN)]
    reader = await read(backend, lambda reader: "a" not in reader.names and reader.synced)
    assert reader.names == ["b", "c", "d"]
    assert reader.states == [LIVE]
    one = reader.jobs["uid-b"]
    assert (one.ref.context, one.spec.cluster) == ("gpu", "lab")


async def test_an_empty_list(server, backend):
    server.script = [stream(link(), snapshot(), synced("e-1"), end=OPEN)]
    assert (await read(backend, lambda reader: reader.synced)).names == []


@pytest.mark.parametrize("end", ["close", "cut", "reset"])
async def test_a_break_is_not_told_where_the_line_is_back_at_once(server, backend, end):
    server.script = [
        stream(*LIST, changed(job("d"), at="e-2"), end=end),
        stream(link(), gone("a", at="e-5"), end=OPEN),
    ]
    reader = await read(backend, lambda reader: "a" not in reader.names and "d" in reader.names)
    assert (reader.names, reader.states) == (["b", "c", "d"], [LIVE])
    assert last_ids(server) == ["", "e-2"]


async def test_a_longer_break_is_told_with_its_age_and_its_end(server, backend):
    server.script = [stream(*LIST, end="reset"), DOWN, DOWN, stream(link(), HEARTBEAT, end=OPEN)]
    reader = await read(backend, lambda reader: reader.states[-1:] == [LIVE] and len(reader.links) > 1)
    assert reader.states == [LIVE, STALE, LIVE]
    assert reader.links[1].why == "the server is starting"
    assert reader.links[1].since <= reader.links[2].since
    assert last_ids(server) == ["", "e-1", "e-1", "e-1"]


async def test_a_server_that_is_not_there_is_told_at_once(server, backend):
    server.script = [DOWN, stream(*LIST, end=OPEN)]
    assert (await read(backend, lambda reader: reader.synced)).states == [STALE, LIVE]


async def test_a_server_that_starts_over_is_told_as_changes(server, backend):
    server.script = [stream(*LIST, end="reset"), stream(link(), snapshot("b", "x"), synced("f-1"), end=OPEN)]
    reader = await read(backend, lambda reader: "x" in reader.names and "c" not in reader.names)
    assert reader.names == ["b", "x"]
    assert reader.synced == 1


@pytest.mark.parametrize("said", [Lagged("slow"), Bye("the server stops")])
async def test_a_farewell(server, backend, said):
    second = stream(link(), snapshot("b"), synced("f-1"), end=OPEN)
    server.script = [stream(*LIST, watch_frame(said), end="hang"), second]
    reader = await read(backend, lambda reader: reader.names == ["b"])
    assert last_ids(server) == ["", "" if isinstance(said, Lagged) else "e-1"]
    assert reader.states == [LIVE]


async def test_a_list_that_broke_off_counts_for_nothing(server, backend):
    server.script = [
        stream(link(), snapshot("a", "b"), changed(job("z"), at="e-1"), end="reset"),
        stream(link(), snapshot("b"), synced("e-9"), end=OPEN),
    ]
    reader = await read(backend, lambda reader: reader.synced)
    assert reader.names == ["b"]
    assert last_ids(server) == ["", ""]


async def test_only_the_namespace_that_was_asked_for(server, backend):
    server.script = [stream(*LIST, end=OPEN)]
    assert (await read(backend, lambda reader: reader.synced, scope="elsewhere")).names == []


async def test_one_bad_cluster_among_others_is_named(server, backend):
    bad = link(STALE, "gives no answer", cluster="far")
    server.script = [
        stream(link(), link(cluster="far"), *LIST[1:], bad, changed(job("d", JobState.FAILED)), end=OPEN)
    ]
    reader = await read(backend, lambda reader: "d" in reader.names)
    assert reader.states[-1] == STALE
    assert reader.links[-1].why == "far: gives no answer"


async def test_the_end_of_a_login_is_told_and_raised(server, backend):
    over = answer({"title": "the login has ended", "kind": "LoginNeeded"}, "401 Unauthorized")
    server.script = [stream(*LIST, watch_frame(Bye("logged out", login=True)), end="hang"), over]
    reader = Reader()
    with pytest.raises(LoginNeeded, match="has ended"):
        await read(backend, lambda _: False, reader=reader)
    assert reader.states == [LIVE, FORBIDDEN]
    assert reader.links[-1].why == "the login has ended"


async def test_a_line_that_went_silent_is_left(server, backend, monkeypatch):
    monkeypatch.setattr(connections, "SILENCE_SECONDS", 0.3)
    server.script = [stream(*LIST, end="hang"), stream(link(), gone("a", at="e-2"), end="hang")]
    reader = await read(backend, lambda reader: "a" not in reader.names and reader.synced)
    assert reader.states == [LIVE]


@pytest.mark.parametrize("bad", [b"event: changed\ndata: {\n\n", b"event: changed\ndata: \xff\n\n"])
async def test_what_cannot_be_read_starts_over(server, backend, bad):
    server.script = [stream(*LIST, bad, end="hang"), stream(link(), snapshot("b"), synced("f"), end=OPEN)]
    reader = await read(backend, lambda reader: reader.names == ["b"])
    assert last_ids(server) == ["", ""]
    assert reader.synced == 1


async def test_what_is_not_known_is_left_out(server, backend):
    server.script = [stream(*LIST, b"event: weather\ndata: {}\n\n", changed(job("d")), end=OPEN)]
    assert "d" in (await read(backend, lambda reader: "d" in reader.names)).names


async def test_the_rules_are_learned_once_it_runs_and_kept(server):
    kept = []
    backend = ServerBackend("gpu", server.url, lambda: Secret(TOKEN), save=kept.append)
    info = {"name": "lab", "features": ["ranks", "a new one"], "lacks": {"queue": "no Kueue"}}
    fields = {"image": {"use": "required"}, "priority": {"use": "refused", "why": "no classes"}}
    server.script = [stream(*LIST, end="hang"), answer({"items": [{**info, "fields": fields}]})]
    async with asyncio.timeout(60), contextlib.aclosing(backend.watch([Scope()])) as batches:
        async for _ in batches:
            if kept:
                break
            server.release.set()
    assert kept == [backend.capabilities]
    assert backend.missing_features["queue"] == "no Kueue"
    assert {"ranks", "history"} <= backend.features
    assert backend.fields["image"].use == "required"
    assert backend.fields["priority"].why == "no classes"
    await backend.aclose()
