"""What jobs use, through the server: one's own alone, and in words where nobody measures."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import httpx
import msgspec
import pytest
from sqlalchemy import update

from backend.clusters.cluster import Cluster
from backend.db.models import User
from backend.jobs.job_usage import sources_of
from backend_client.errors import NotFound, Refused, Unreachable
from backend_client.models import Job, JobRef
from backend_client.models.secret import Secret
from backend_client.protocol import Feature, Scope
from backend_client.server.backend import ServerBackend
from backend_client.usage import HasUsage, Usage, UsageHistory, UsageSource, UsageTable
from tests.backend.support.people import enter


def decoded(answer, kind):
    return msgspec.convert(answer, kind, strict=False)


pytestmark = pytest.mark.parametrize("url", ["sqlite"], indirect=True)


async def running(person, name, script="sleep 600"):
    job = await person.submit(script, name=name)
    await person.until(name, lambda one: one and one["state"] == "Running")
    return job


async def test_a_job_is_told_by_rank_with_its_sources(app, ann):
    await running(ann, "probe")
    found = decoded(await ann.ask("GET", "/jobs/probe/usage"), Usage)
    (rank,) = found.ranks
    assert rank.memory > 0
    assert rank.gpus == ()
    assert found.sources
    told = lambda one: one["ranks"][0]["cpu"] is not None  # noqa: E731  it is what was used since the first
    await ann.until("probe", told, "/jobs/{}/usage")
    await ann.ask("POST", "/jobs/probe/stop")


async def test_its_history_begins_an_hour_ago_unless_a_time_is_said(app, ann, monkeypatch):
    await running(ann, "probe")
    backend, asked = app.state.runtime.jobs.clusters.get("local").backend, []

    async def history(ref, since):
        asked.append(since)
        return UsageHistory(start=since, step=30.0)

    monkeypatch.setattr(backend, "usage_history", history, raising=False)
    await ann.ask("GET", "/jobs/probe/usage/history")
    await ann.ask("GET", "/jobs/probe/usage/history?since=2026-01-01T12:00:00%2B02:00")
    await ann.ask("GET", "/jobs/probe/usage/history?since=yesterday", 422)
    assert abs(asked[0] - (datetime.now(UTC) - timedelta(hours=1))) < timedelta(minutes=1)
    assert asked[1:] == [datetime(2026, 1, 1, 10, tzinfo=UTC)]
    await ann.ask("POST", "/jobs/probe/stop")


async def test_the_sums_come_with_the_watch_and_are_told_without_asking_for_a_job(app, ann, bob, root):
    job = await running(ann, "probe")
    uid = job["ref"]["uid"]
    await ann.until("probe", lambda one: one["usage"])
    backend = app.state.runtime.jobs.clusters.get("local").backend
    backend.list = backend.get = None  # nobody asks for jobs
    tables = [decoded(await one.ask("GET", "/usages"), UsageTable) for one in (ann, bob, root)]
    assert [set(table.jobs) for table in tables] == [{uid}, set(), {uid}]
    assert tables[0].jobs[uid].memory > 0
    assert tables[0].jobs[uid].gpu is None
    assert await bob.ask("GET", "/usages?cluster=local")
    await bob.ask("GET", "/usages?cluster=elsewhere", 404)
    del backend.list, backend.get
    await ann.ask("POST", "/jobs/probe/stop")


async def test_a_viewer_sees_their_teams_use_and_no_other(app, ann):
    job = await running(ann, "probe")
    await ann.until("probe", lambda one: one["usage"])
    eve = await enter(app, "eve", "viewer")
    assert (await eve.ask("GET", "/usages"))["jobs"] == {}
    await eve.ask("GET", "/jobs/probe/usage", 404)
    async with app.state.runtime.database.write() as session:
        await session.execute(update(User).values(team="vision"))
    assert set((await eve.ask("GET", "/usages"))["jobs"]) == {job["ref"]["uid"]}
    await eve.ask("GET", "/jobs/probe/usage")
    await ann.ask("POST", "/jobs/probe/stop")


async def test_a_cluster_that_does_not_measure_says_so(app, ann, monkeypatch):
    await running(ann, "probe")
    backend = app.state.runtime.jobs.clusters.get("local").backend
    monkeypatch.setattr(backend, "missing_features", {Feature.METRICS: "it is a test"}, raising=False)
    answer = await ann.ask("GET", "/jobs/probe/usage", 400)
    assert (answer["title"], answer["detail"]) == ("local does not tell what jobs use.", "It is a test.")
    (source,) = (await ann.ask("GET", "/usages"))["sources"]
    assert source["missing"] == "local does not tell what jobs use"
    await ann.ask("POST", "/jobs/probe/stop")


async def test_a_cluster_that_does_not_answer_is_a_source_with_a_reason(app, ann, monkeypatch):
    backend = app.state.runtime.jobs.clusters.get("local").backend

    async def away():
        raise Unreachable("no route to host")

    monkeypatch.setattr(backend, "usage_sources", away)
    (source,) = (await ann.ask("GET", "/usages"))["sources"]
    assert "no route to host" in source["missing"]


@pytest.fixture
def served(app, ann):
    """Return the server as ann's client has it."""
    backend = ServerBackend("server", "http://127.0.0.1:1", lambda: Secret("td_x"))
    transport = httpx.ASGITransport(app=app)
    client = httpx.AsyncClient(transport=transport, base_url="http://test", headers=ann.headers)

    async def ours():
        return client

    async def nothing():
        return {}

    backend._connection._client_of_test = client
    backend._connection._get_client, backend._connection._authorization = ours, nothing
    return backend


async def test_the_client_tells_what_the_server_does(served, ann):
    assert isinstance(served, HasUsage)
    job = msgspec.convert(await running(ann, "probe"), Job, strict=False)
    await ann.until("probe", lambda one: one["usage"])
    assert (await served.usage(job.ref)).ranks[0].memory > 0
    history = await served.usage_history(job.ref, datetime.now(UTC) - timedelta(minutes=5))
    assert history.step > 0
    assert set((await served.usages(Scope())).jobs) == {job.ref.uid}
    assert (await served.get(job.ref)).usage.memory > 0
    gone = JobRef("server", "", "job", "never", "never")
    for ask in (served.usage(gone), served.usage_history(gone, datetime.now(UTC))):
        with pytest.raises(NotFound):
            await ask
    await ann.ask("POST", "/jobs/probe/stop")


class Older(httpx.ASGITransport):
    """A server from before there was any usage."""

    async def handle_async_request(self, request):
        if "usage" in request.url.path:
            request.url = request.url.copy_with(path="/api/no-such-route")
        return await super().handle_async_request(request)


async def test_an_older_server_is_a_sentence_and_not_a_job_that_is_missing(app, served, ann, monkeypatch):
    job = msgspec.convert(await running(ann, "probe"), Job, strict=False)
    monkeypatch.setattr(served._connection._client_of_test, "_transport", Older(app))
    asks = (served.usage(job.ref), served.usage_history(job.ref, datetime.now(UTC)), served.usages(Scope()))
    for ask in asks:
        with pytest.raises(Refused, match="tells nothing of what jobs use"):
            await ask
    await ann.ask("POST", "/jobs/probe/stop")


async def test_of_several_clusters_each_source_has_its_clusters_name(app):
    class Measures:
        missing_features: ClassVar = {}

        def __init__(self, name):
            self.name = name

        async def usage_sources(self):
            return [UsageSource(name=self.name)]

        async def usage(self, ref): ...

        async def usage_history(self, ref, since): ...

        async def usages(self, scope): ...

        async def whoami(self): ...

        async def aclose(self): ...

    clusters = [Cluster(name, Measures(f"Prometheus {name}")) for name in ("a", "b")]
    assert [source.name for source in await sources_of(clusters)] == ["a: Prometheus a", "b: Prometheus b"]
    assert [source.name for source in await sources_of(clusters[:1])] == ["Prometheus a"]
    await asyncio.gather(*(cluster.aclose() for cluster in clusters))
