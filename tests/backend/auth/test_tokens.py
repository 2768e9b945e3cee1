"""Tokens: what they are, what is kept of them, and that their end bites at once, in open streams too."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update
from starlette.datastructures import Headers

from backend.auth import caller, stream_revocation, tokens
from backend.auth.stream_revocation import SERVER_STOPPING, StreamRevocations
from backend.db.models import Token, User
from backend_client.errors import LoginNeeded
from tests.backend.conftest import PASSWORD, logged_in, login, person


def test_the_shape_of_a_token():
    token = tokens.new_token().reveal()
    assert re.fullmatch(r"td_[A-Za-z0-9_-]{49}", token)
    assert tokens.well_formed(token)
    swapped = token[:-1] + ("A" if token[-1] != "A" else "B")
    for wrong in ("", "td_", token[:-1], swapped, token + "A", token.replace("td_", "tx_"), token + "\n"):
        assert not tokens.well_formed(wrong)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer td_x", "Basic YTpi", "Bearer " + "x" * 60_000])
def test_what_is_no_token_is_refused_without_a_look_up(header):
    with pytest.raises(LoginNeeded):
        caller.shown_token(Headers({"authorization": header}))


async def test_only_a_hash_is_kept(app, client):
    await person(app, "ann")
    body = {"user": "ann", "password": PASSWORD, "name": "laptop"}
    token = (await client.post("/api/auth/login", json=body)).json()["token"]
    headers = {"Authorization": f"Bearer {token}"}
    listed = (await client.get("/api/auth/tokens", headers=headers)).text
    assert "laptop" in listed
    assert token[3:] not in listed
    async with app.state.runtime.database.read() as session:
        row = (await session.scalars(select(Token).where(Token.name == "laptop"))).one()
        assert token not in repr(vars(row))
        assert row.digest == tokens.digest(token)


async def test_list_and_revoke_ones_own_and_nobody_elses(app, client):
    first, second = await login(app, "ann"), await login(app, "ann")
    bob = await login(app, "bob")
    items = (await client.get("/api/auth/tokens", headers=first)).json()["items"]
    assert [item["current"] for item in items] == [False, True]
    theirs = (await client.get("/api/auth/tokens", headers=bob)).json()["items"][0]["id"]
    assert (await client.delete(f"/api/auth/tokens/{theirs}", headers=first)).status_code == 404
    assert (await client.delete(f"/api/auth/tokens/{items[0]['id']}", headers=first)).status_code == 204
    assert (await client.get("/api/auth/me", headers=second)).status_code == 401
    assert (await client.get("/api/auth/me", headers=first)).status_code == 200
    assert (await client.get("/api/auth/me", headers=bob)).status_code == 200


@pytest.mark.parametrize("age", ["expired", "idle", "revoked"])
async def test_the_end_of_a_token(app, client, age):
    headers = await login(app, "ann")
    now = datetime.now(UTC)
    change = {
        "expired": {"expires": now - timedelta(seconds=1)},
        "idle": {"last_used": now - timedelta(hours=12, seconds=1)},
        "revoked": {"revoked": now},
    }[age]
    async with app.state.runtime.database.write() as session:
        await session.execute(update(Token).values(**change))
    answer = await client.get("/api/auth/me", headers=headers)
    assert (answer.status_code, answer.json()["kind"]) == (401, "LoginNeeded")


async def test_the_last_use_is_written_once_a_minute(app, client):
    headers = await login(app, "ann")
    database = app.state.runtime.database

    async def last():
        async with database.read() as session:
            return await session.scalar(select(Token.last_used))

    before = await last()
    await client.get("/api/auth/me", headers=headers)
    assert await last() == before
    async with database.write() as session:
        await session.execute(update(Token).values(last_used=before - timedelta(minutes=2)))
    await client.get("/api/auth/me", headers=headers)
    async with asyncio.timeout(10):
        while await last() < before:
            await asyncio.sleep(0.01)


async def test_a_stream_ends_at_logout_at_once(app, client):
    token, who = await logged_in(app, "ann")
    headers = {"Authorization": f"Bearer {token}"}
    _, other = await logged_in(app, "ann")
    held = app.state.runtime.revocations
    async with held.until_revoked(who) as mine, held.until_revoked(other) as theirs:
        assert (await client.post("/api/auth/logout", headers=headers)).status_code == 204
        assert mine.result().login
        assert not theirs.done()
    assert not held._streams


async def test_a_stream_ends_when_its_user_is_disabled(app, client):
    _, who = await logged_in(app, "ann")
    root = await login(app, "root")
    async with app.state.runtime.revocations.until_revoked(who) as farewell:
        await client.patch("/api/users/ann", json={"disabled": True}, headers=root)
        assert farewell.result().login


async def test_a_stream_starts_over_when_a_role_changes(app, client):
    _, who = await logged_in(app, "ann")
    root = await login(app, "root")
    async with app.state.runtime.revocations.until_revoked(who) as farewell:
        await client.patch("/api/users/ann", json={"max_gpus": 1}, headers=root)
        assert not farewell.done()
        await client.patch("/api/users/ann", json={"role": "viewer"}, headers=root)
        assert farewell.result() == stream_revocation.ROLE_CHANGED


async def test_a_role_that_another_process_changes(app, monkeypatch):
    _, who = await logged_in(app, "ann")
    runtime = app.state.runtime
    monkeypatch.setattr(stream_revocation, "RECHECK_SECONDS", 0.01)
    async with runtime.revocations.until_revoked(who) as farewell:
        async with runtime.database.write() as session:
            await session.execute(update(User).where(User.name == "ann").values(role="viewer"))
        work = asyncio.create_task(runtime.revocations.recheck_forever(runtime.database))
        assert await asyncio.wait_for(farewell, 60) == stream_revocation.ROLE_CHANGED
        work.cancel()


async def test_what_another_process_ends_ends_streams_within_five_seconds(app):
    _, who = await logged_in(app, "ann")
    assert stream_revocation.RECHECK_SECONDS < 5
    async with app.state.runtime.revocations.until_revoked(who) as farewell:
        async with app.state.runtime.database.write() as session:
            await session.execute(update(Token).values(revoked=datetime.now(UTC)))
        assert (await asyncio.wait_for(farewell, 60)).login


async def test_an_open_stream_is_a_use(app, monkeypatch):
    monkeypatch.setattr(stream_revocation, "RECHECK_SECONDS", 0.01)
    _, who = await logged_in(app, "ann")
    runtime, old = app.state.runtime, datetime.now(UTC) - timedelta(minutes=30)
    async with runtime.database.write() as session:
        await session.execute(update(Token).values(last_used=old))
    async with runtime.revocations.until_revoked(who) as farewell, asyncio.timeout(60):
        work = asyncio.create_task(runtime.revocations.recheck_forever(runtime.database))
        while True:
            async with runtime.database.read() as session:
                if await session.scalar(select(Token.last_used)) > old + timedelta(minutes=1):
                    break
        work.cancel()
        assert not farewell.done()


async def test_at_a_stop_all_streams_end_and_new_ones_too():
    held = StreamRevocations()
    who = caller.Caller(1, "ann", caller.Role.VIEWER, 1, "local", "x")
    async with held.until_revoked(who) as first:
        held.revoke_all()
        async with held.until_revoked(who) as second:
            assert first.result() == second.result() == SERVER_STOPPING
            assert not SERVER_STOPPING.login
