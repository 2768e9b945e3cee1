"""Streams over a real socket: logs and the watch, and how they end."""

import asyncio

import httpx
import pytest

from backend.jobs import log_reading
from backend.routes import streams
from backend_client.local.backend import LocalBackend
from backend_client.server.sse import SseParser
from backend_client.server.wire import read_log, read_watch
from tests.backend_client.server.support.running import PASSWORD, running
from tests.contract.support.harness import remove_all
from tests.support.wait import async_until

PEOPLE = {"root": "admin", "ann": "researcher", "bob": "researcher"}


@pytest.fixture
async def server(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with running(tmp_path / "server", people=PEOPLE, local=True, local_gpus=2, local_grace=0.5) as made:
        yield made
    await remove_all(LocalBackend(gpus=2, grace=0.5))


@pytest.fixture
async def ann(server):
    async with entered(server, "ann") as client:
        yield client


def entered(server, name):
    """Return a client that is logged in."""
    answer = httpx.post(f"{server.url}/api/auth/login", json={"user": name, "password": PASSWORD})
    headers = {"Authorization": f"Bearer {answer.json()['token']}"}
    return httpx.AsyncClient(base_url=server.url, headers=headers, timeout=60)


async def submit(client, script, name):
    answer = await client.post(
        "/api/jobs", json={"kind": "job", "command": ["sh", "-c", script], "name": name}
    )
    assert answer.status_code == 201, answer.text
    return answer.json()


async def events(client, path, read, **headers):
    """Read (event, id) of a stream of events, until it ends."""
    parser = SseParser()
    accept = {"Accept": "text/event-stream"}
    async with client.stream("GET", path, headers=accept | headers) as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for part in answer.aiter_bytes():
            for frame in parser.feed(part):
                if frame.event:
                    yield read(frame.event, frame.data), frame.id


async def test_a_followed_log_is_the_jobs_own_bytes(ann):
    await submit(ann, "for i in 1 2 3; do echo line $i; sleep 0.1; done; printf 'no newline'", "job")
    text = await ann.get("/api/jobs/job/logs?follow=true")
    assert text.headers["content-type"].startswith("text/plain")
    assert text.text == "line 1\nline 2\nline 3\nno newline"
    tail = await ann.get("/api/jobs/job/logs?tail=2&timestamps=true")
    lines = tail.text.split("\n")
    assert [line[31:] for line in lines] == ["line 3", "no newline"]
    assert all(line[30] == " " and line[10] == "T" for line in lines)


async def test_a_log_goes_on_behind_the_last_event(ann):
    await submit(ann, "seq 1 5", "job")
    whole = [item async for item in events(ann, "/api/jobs/job/logs?follow=true", lambda e, d: (e, d))]
    assert [event for (event, _), _ in whole] == ["opened", "lines", "closed"]
    cursor = next(place for (event, _), place in whole if event == "lines")
    behind = [item async for item in events(ann, "/api/jobs/job/logs", read_log, **{"Last-Event-ID": cursor})]
    assert [type(item).__name__ for item, _ in behind if type(item).__name__ == "Lines"] == []
    answer = await ann.get(
        "/api/jobs/job/logs", params={"after": "nonsense"}, headers={"Accept": "text/event-stream"}
    )
    assert answer.status_code in (200, 400, 422)


@pytest.mark.parametrize("query", ["tail=-1", "rank=x", "attempt=0", "since=yesterday", "follow=perhaps"])
async def test_what_a_query_for_a_log_says_wrong_is_a_problem(ann, query):
    await submit(ann, "true", "job")
    answer = await ann.get(f"/api/jobs/job/logs?{query}")
    assert (answer.status_code, answer.json()["kind"]) == (422, "Invalid")


async def test_streams_end_when_their_login_does(server, ann):
    await submit(ann, "echo up; sleep 60", "job")
    begun = set()

    async def read(path, reader):
        found = []
        async for item, _ in events(ann, path, reader):
            found.append(item)
            begun.add(path)
        return found[-1]

    async def text():
        async with ann.stream("GET", "/api/jobs/job/logs?follow=true") as answer:
            parts = []
            async for part in answer.aiter_text():
                parts.append(part)
                begun.add("text")
            return "".join(parts)

    streams = [
        asyncio.create_task(work)
        for work in (
            read("/api/watch", read_watch),
            read("/api/jobs/job/logs?follow=true", read_log),
            text(),
        )
    ]
    await async_until(lambda: len(begun) == len(streams))
    async with entered(server, "ann") as other:
        assert (await ann.post("/api/auth/logout")).status_code == 204
        watch, log, words = await asyncio.wait_for(asyncio.gather(*streams), 60)
        assert (watch.login, log.login, words) == (True, True, "up\n")
        assert (await other.get("/api/jobs")).status_code == 200
    assert (await ann.get("/api/jobs")).status_code == 401


async def test_a_log_that_is_not_followed_ends_at_a_job_that_prints_for_ever(ann):
    await submit(ann, "echo first; while :; do echo 0123456789; done", "job")

    async def printed():
        answer = await asyncio.wait_for(ann.get("/api/jobs/job/logs", timeout=60), 60)
        return "0123456789\n" in answer.text

    await async_until(printed, 60)
    items = [item async for item, _ in events(ann, "/api/jobs/job/logs?tail=5", read_log)]
    assert type(items[-1]).__name__ == "Closed"
    assert not items[-1].lost
    assert (await ann.delete("/api/jobs/job")).status_code == 204


@pytest.mark.parametrize("why", ["revoke", "disable", "role"])
async def test_streams_end_at_once_whatever_closes_slowly(server, ann, why, monkeypatch):
    """As the log of many ranks does, whose connections are closed one by one."""
    await submit(ann, "echo up; sleep 60", "job")
    held, logs = asyncio.Event(), LocalBackend.logs
    loops = []

    async def slow_to_close(self, query, *, after=""):
        loops.append(asyncio.get_running_loop())
        try:
            async for batch in logs(self, query, after=after):
                yield batch
        finally:
            await held.wait()

    monkeypatch.setattr(LocalBackend, "logs", slow_to_close)
    begun = set()

    async def read(path, accept):
        async with ann.stream("GET", path, headers={"Accept": accept}) as answer:
            async for _ in answer.aiter_bytes():
                begun.add((path, accept))

    log = "/api/jobs/job/logs?follow=true"
    asked = ((log, "text/event-stream"), (log, "text/plain"), ("/api/watch", "text/event-stream"))
    streams = [asyncio.create_task(read(*one)) for one in asked]
    await async_until(lambda: len(begun) == len(streams))
    async with entered(server, "root") as root:
        if why == "revoke":
            await ann.post("/api/auth/logout")
        else:
            change = {"disabled": True} if why == "disable" else {"role": "viewer"}
            assert (await root.patch("/api/users/ann", json=change)).status_code == 200
    await asyncio.wait_for(asyncio.gather(*streams), 60)
    assert not held.is_set(), "they have ended, and nothing is closed yet"
    loops[0].call_soon_threadsafe(held.set)


async def test_the_watch_tells_each_of_their_own_with_the_steps_of_a_deletion(server, ann):
    seen, steps, gone = {}, [], asyncio.Event()

    async def look(client, into):
        async for event, _ in events(client, "/api/watch", read_watch):
            name = type(event).__name__
            if name in ("Snapshot", "Changed"):
                into |= {job.name: job.state for job in event.jobs}
            elif name == "Step":
                steps.append(event.message)
            elif name == "Gone" and into is seen:
                gone.set()

    bobs = {}
    async with entered(server, "bob") as bob:
        tasks = [asyncio.create_task(look(ann, seen)), asyncio.create_task(look(bob, bobs))]
        await submit(ann, "sleep 60", "mine")
        await submit(bob, "sleep 60", "his")
        async with asyncio.timeout(60):
            await async_until(lambda: seen.get("mine") == bobs.get("his") == "Running")
            assert (await ann.delete("/api/jobs/mine")).status_code == 204
            await gone.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert set(seen) == {"mine"}
    assert set(bobs) == {"his"}
    assert any("stopping" in step for step in steps), steps


def is_silent(server, monkeypatch):
    """Let the log of a job say nothing, as one does whose pod waits for a node; return who reads it."""
    readers = []

    async def logs(query, *, after=""):
        readers.append(query)
        try:
            await asyncio.Event().wait()
            yield ()
        finally:
            readers.remove(query)

    monkeypatch.setattr(server.app.state.runtime.jobs.clusters.get("local").backend, "logs", logs)
    return readers


async def opened(client, accept):
    request = client.build_request("GET", "/api/jobs/job/logs?follow=true", headers={"Accept": accept})
    return await client.send(request, stream=True)


@pytest.mark.parametrize("accept", ["text/event-stream", "text/plain"])
async def test_a_log_that_says_nothing_yet_is_opened_and_closed(server, ann, accept, monkeypatch):
    await submit(ann, "true", "job")
    readers = is_silent(server, monkeypatch)
    monkeypatch.setattr(log_reading, "HEARTBEAT_SECONDS", 0.1)
    answer = await opened(ann, accept)
    assert (answer.status_code, len(readers)) == (200, 1)
    await answer.aclose()
    await async_until(lambda: not readers and not server.app.state.open_streams)


async def test_logs_that_say_nothing_yet_are_counted(server, ann, monkeypatch):
    await submit(ann, "true", "job")
    readers = is_silent(server, monkeypatch)
    monkeypatch.setattr(streams, "MOST", 3)
    waiting = [asyncio.create_task(opened(ann, "text/event-stream")) for _ in range(3)]
    await async_until(lambda: len(readers) == 3)
    refused = await ann.get("/api/jobs/job/logs?follow=true")
    assert (refused.status_code, "3 streams open" in refused.text) == (429, True)
    assert refused.headers["retry-after"]
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    server.end_logins("ann")
    await async_until(lambda: not readers and not server.app.state.open_streams)
