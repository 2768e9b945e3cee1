"""One's own code by the API: sent, named by a job, given back; and nobody else's."""

import asyncio
import shutil
import uuid
from hashlib import sha256

import pytest
from sqlalchemy import update

from backend.db.models import User
from tests.backend.support.clusters import register
from tests.backend.support.people import enter
from tests.backend_client.kubernetes.support.live import Live, path_of

pytestmark = pytest.mark.parametrize("url", ["sqlite"], indirect=True)
DATA = b"\x1f\x8b packed, as far as a server knows\n" * 60_000
SHA = sha256(DATA).hexdigest()
MINE = {"kind": "job", "name": "mine", "image": "a/b:1", "command": ["true"], "code": f"sha256:{SHA}"}


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"local": False})


@pytest.fixture
async def namespace(app, cluster):
    """Make a namespace for all, as a cluster's admin does."""
    name, api = f"shared-{uuid.uuid4().hex[:8]}", Live(cluster.kubeconfig)
    labels = {"traindeck.dev/server": app.state.runtime.server_id}
    manifest = {"metadata": {"name": name, "labels": labels}}
    await asyncio.to_thread(api.call, "POST", path_of("v1", "namespaces"), manifest)
    yield name
    await asyncio.to_thread(api.call, "DELETE", path_of("v1", "namespaces", name=name))


async def put(person, data=DATA, status=204, sha="", **query):
    path = f"/code/{sha or sha256(data).hexdigest()}"
    return await person.ask("PUT", path, status, content=data, params=query)


async def test_it_is_sent_once_and_nobody_else_can_tell(app, ann, bob):
    await ann.ask("GET", f"/code/{SHA}", 404)
    await put(ann, files=2, commit="ab" * 20, dirty=True, remote="https://example.org/x.git")
    assert await ann.ask("GET", f"/code/{SHA}") == {
        "sha256": SHA,
        "files": 2,
        "size": len(DATA),
        "commit": "ab" * 20,
        "dirty": True,
        "remote": "https://example.org/x.git",
    }
    assert await ann.ask_status("HEAD", f"/code/{SHA}") == 200
    assert await bob.ask("GET", f"/code/{SHA}", 404) == await ann.ask("GET", f"/code/{'0' * 64}", 404) | {
        "request_id": bob.last.json()["request_id"]
    }


async def test_what_is_wrong_is_said_and_leaves_nothing(app, ann, settings):
    problem = await put(ann, sha="0" * 64, status=422)
    assert SHA in problem["fields"]["sha256"]
    for query in ({"commit": "main"}, {"files": -1}, {"remote": "x" * 2001}, {"dirty": "perhaps"}):
        assert {*query} <= (await put(ann, status=422, **query))["fields"].keys()
    await put(ann, b"x", sha="..%2Fx", status=404)
    assert "sha256" in (await put(ann, b"x", sha="A" * 64, status=422))["fields"]
    assert not [*(settings.folder / "code").rglob("*.*")]


async def test_what_is_too_large_is_cut_there_and_nowhere_else_more_comes_in(app, ann):
    limit = app.state.runtime.jobs.code_limit
    assert limit == 5 * 2**20

    async def endless():
        while True:
            yield b"x" * 2**16

    for content in (b"x" * (limit + 1), endless()):
        problem = await ann.ask("PUT", f"/code/{SHA}", 413, content=content)
        assert "5Mi (5,242,880 bytes)" in problem["title"]
    problem = await ann.ask("PUT", f"/code/{SHA}", 413, content=b"x" * (20 * 2**20 + 1))
    assert "20971520" in problem["detail"]
    for method, path in (("POST", f"/code/{SHA}"), ("PUT", f"/code/{SHA}/x"), ("PUT", "/alerts/wishes")):
        await ann.ask(method, path, 413, content=b"x" * (2**20 + 1))


@pytest.mark.api
async def test_a_job_has_the_code_of_its_person_and_of_nobody_else(
    app, ann, bob, cluster, namespace, settings
):
    await register(app, cluster, name="shared", namespace=namespace)
    for person in (ann, bob):
        refused = await person.ask("POST", "/jobs", 422, json=MINE)
        assert "no such code of yours" in refused["fields"]["code"]
    await put(ann, files=2)
    plan = await ann.ask("POST", "/plan", json=MINE)
    assert {"field": "code", "message": f"2 files, {size()} packed"} in plan["warnings"]
    assert "mine-code-1" in plan["yaml"]
    assert plan["errors"] == []
    job = await ann.ask("POST", "/jobs", 201, json=MINE)
    assert job["code"] == {"sha256": SHA, "files": 2, "size": len(DATA)}

    # One namespace for all: a job of somebody else's there has it, and that makes it nobody else's.
    theirs = {**MINE, "name": "theirs"}
    plan = await bob.ask("POST", "/plan", json=theirs)
    assert [one["field"] for one in plan["errors"]] == ["code"]
    await bob.ask("POST", "/jobs", 422, json=theirs)
    await bob.ask("GET", "/jobs/mine/code", 404)
    assert await ann.ask_status("GET", "/jobs/mine/code") == 200
    await ann.ask("GET", "/jobs/mine/code")
    assert ann.last.content == DATA
    assert ann.last.headers["content-type"] == "application/gzip"

    # What the server had kept is gone: the job in the cluster still has it.
    shutil.rmtree(settings.folder / "code")
    await ann.ask("GET", "/jobs/mine/code")
    assert ann.last.content == DATA
    await bob.ask("POST", "/jobs", 422, json=theirs)
    again = await ann.ask("POST", "/jobs", 201, json={**MINE, "name": "again"})
    assert again["code"] == job["code"]
    assert (await ann.ask("GET", f"/code/{SHA}"))["size"] == len(DATA)

    # Who only looks on gets none, an admin does.
    root, eve = await enter(app, "root", "admin"), await enter(app, "eve", "viewer")
    async with app.state.runtime.database.write() as session:
        await session.execute(update(User).where(User.name.in_(["ann", "eve"])).values(team="nlp"))
    await eve.ask("GET", "/jobs/mine")
    await eve.ask("GET", "/jobs/mine/code", 403)
    await root.ask("GET", "/jobs/mine/code")
    assert root.last.content == DATA


async def test_a_folder_is_refused_with_what_to_do(app, ann, cluster):
    await register(app, cluster)
    for asked in ("/jobs", "/plan"):
        found = await ann.ask("POST", asked, 200 if asked == "/plan" else 422, json={**MINE, "code": "src"})
        words = found["errors"][0]["message"] if asked == "/plan" else found["fields"]["code"]
        assert "packed and sent by traindeck itself" in words


def size():
    return f"{len(DATA) / 2**20:.1f}Mi"
