"""Viewers see the jobs of their team, or all where their admin says so, and change nothing."""

import httpx
import pytest

from backend.auth.stream_revocation import ROLE_CHANGED
from backend.jobs.reading import audience_of
from tests.backend.conftest import logged_in
from tests.backend.support.people import enter


@pytest.fixture
def settings(settings, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return settings.model_copy(update={"local": True, "local_grace": 0.5})


SEEN = ("", "/logs", "/events", "/why")
ACTS = (("POST", "/stop"), ("POST", "/resume"), ("DELETE", ""))


async def test_a_viewer_sees_the_team_and_changes_nothing(app):
    root = await enter(app, "root", "admin")
    ann, bob = await enter(app, "ann"), await enter(app, "bob")
    for person, job in ((ann, "anns"), (bob, "bobs")):
        await person.submit("echo hello", name=job)
        await person.ended(job)
    eve = await enter(app, "eve", "viewer")
    assert await eve.names() == []
    await root.ask("PATCH", "/users/ann", json={"team": "vision"})
    await root.ask("PATCH", "/users/eve", json={"team": "vision"})
    assert await eve.names() == ["anns"]
    assert [past["name"] for past in (await eve.ask("GET", "/history"))["items"]] == ["anns"]
    for part in SEEN:
        await eve.ask("GET", f"/jobs/anns{part}")
        await eve.ask("GET", f"/jobs/bobs{part}", 404)
    assert "hello" in await eve.ask("GET", "/jobs/anns/logs")
    for method, part in ACTS:
        assert "change nothing" in (await eve.ask(method, f"/jobs/anns{part}", 403))["title"]
        await eve.ask(method, f"/jobs/bobs{part}", 404)
    ref = (await eve.ask("GET", "/jobs/anns"))["ref"]
    asks = [{"verb": verb, "ref": ref} for verb in ("logs", "stop", "resume", "delete")]
    assert [one["allowed"] for one in await eve.ask("POST", "/access", json=asks)] == [
        True,
        False,
        False,
        False,
    ]
    await root.ask("PATCH", "/users/eve", json={"team": "*"})
    assert sorted(await eve.names()) == ["anns", "bobs"]
    assert await eve.names(owner="bob") == ["bobs"]
    await eve.ask("DELETE", "/jobs/bobs", 403)
    assert await bob.names() == ["bobs"], "a team shows a researcher nothing of others"


async def test_the_watch_of_a_viewer_is_the_teams(app):
    await (await enter(app, "ann")).submit("echo", name="anns")
    await (await enter(app, "bob")).submit("echo", name="bobs")
    root, eve = await enter(app, "root", "admin"), await enter(app, "eve", "viewer")
    for name in ("ann", "eve"):
        await root.ask("PATCH", f"/users/{name}", json={"team": "vision"})
    ids = {}
    for name in ("ann", "bob", "eve"):
        ids[name] = (await logged_in(app, name))[1].user_id
    for owner, expected in (("", {"ann", "eve"}), ("ann", {"ann"}), ("bob", set()), ("nobody", set())):
        audience = await audience_of(app.state.runtime.jobs, await caller(app, eve), owner=owner)
        assert audience.users == {ids[name] for name in expected}


async def caller(app, person):
    """Return the Caller behind a person's login."""
    from starlette.requests import Request  # noqa: PLC0415

    from backend.auth.caller import current_caller  # noqa: PLC0415

    headers = [(b"authorization", person.headers["Authorization"].encode())]
    return await current_caller(
        Request({"type": "http", "app": app, "headers": headers, "client": None}), None
    )


@pytest.mark.parametrize(
    ("who", "change"),
    [("ann", {"team": ""}), ("eve", {"team": ""}), ("bob", {"team": "vision"}), ("eve", {"team": "*"})],
)
async def test_streams_of_a_viewer_end_when_their_team_changes(app, who, change):
    root, eve = await enter(app, "root", "admin"), await enter(app, "eve", "viewer")
    await enter(app, "bob")
    await enter(app, "ann")
    for name in ("ann", "eve"):
        await root.ask("PATCH", f"/users/{name}", json={"team": "vision"})
    async with app.state.runtime.revocations.until_revoked(await caller(app, eve)) as bye:
        await root.ask("PATCH", f"/users/{who}", json=change)
        assert bye.result() == ROLE_CHANGED


@pytest.mark.parametrize("team", ["a b", "**", "-x", "x" * 65, "\u202e"])
async def test_what_is_no_team(app, team):
    root = await enter(app, "root", "admin")
    await enter(app, "ann")
    assert set((await root.ask("PATCH", "/users/ann", 422, json={"team": team}))["fields"]) == {"team"}


async def test_a_team_can_be_given_at_once(app):
    root = await enter(app, "root", "admin")
    body = {"user": "eve", "password": "correct horse battery", "team": "vision"}
    assert (await root.ask("POST", "/users", 201, json=body))["team"] == "vision"
    assert httpx.URL("http://test").host
