"""The audit log: who did what, in one line each, which nobody changes unseen."""

import asyncio

import pytest
from sqlalchemy import delete, text, update
from sqlalchemy.exc import DBAPIError

from backend import audit
from backend.auth.caller import Caller
from backend.db.models import AuditRow
from backend_client.server.roles import Role
from tests.backend.conftest import PASSWORD, login

HOSTILE = 'x"\r\n{"verb":"forged"}\u2028\x1b[31m\u202e' + "y" * 500
WHO = Caller(1, HOSTILE, Role.ADMIN, 1, "192.0.2.1", "req")


async def test_what_is_done_is_told(app, client):
    root = await login(app, "root")
    await client.post("/api/users", json={"user": "ann", "password": PASSWORD}, headers=root)
    await client.post("/api/auth/login", json={"user": "ann", "password": "wrong wrong"})
    await client.post("/api/auth/login", json={"user": "ann", "password": PASSWORD})
    lines = (await client.get("/api/audit", headers=root)).json()["items"]
    told = [(line["user"], line["verb"], line["object"], line["result"]) for line in lines]
    assert told == [
        ("ann", "login", "", "done"),
        ("ann", "login", "", "wrong user or password"),
        ("root", "add user", "ann viewer", "done"),
    ]
    assert PASSWORD not in str(lines)
    assert all(line["request_id"] and line["address"] for line in lines)
    assert (await client.get("/api/audit", headers=await login(app, "ann"))).status_code == 403


async def test_it_is_read_in_parts(app, client):
    root = await login(app, "root")
    async with app.state.runtime.database.write() as session:
        for number in range(5):
            await audit.record(session, WHO, "verb", str(number))
    first = (await client.get("/api/audit?limit=3", headers=root)).json()
    rest = (await client.get(f"/api/audit?limit=3&after={first['next']}", headers=root)).json()
    assert [line["object"] for line in [*first["items"], *rest["items"]]] == ["4", "3", "2", "1", "0"]
    assert rest["next"] == ""


async def test_hostile_text_stays_in_its_line(database):
    async with database.write() as session:
        await audit.record(session, WHO, "stop", HOSTILE, cluster=HOSTILE, result=HOSTILE)
    async with database.read() as session:
        (line,) = await audit.list_lines(session)
        for told in (line.user, line.object, line.cluster, line.result):
            assert len(told) <= 200
            assert told.isprintable()
        assert await audit.first_broken_line(session) == 0


async def test_the_database_refuses_to_change_it(database):
    async with database.write() as session:
        await audit.record(session, WHO, "stop")
    for change in (update(AuditRow).values(user="nobody"), delete(AuditRow)):
        with pytest.raises(DBAPIError, match="append-only"):
            async with database.write() as session:
                await session.execute(change)


@pytest.mark.parametrize("change", ["UPDATE", "2", "3"])
async def test_what_was_changed_or_taken_away_shows(database, change):
    async with database.write() as session:
        for number in range(3):
            await audit.record(session, WHO, "stop", str(number))
    statement = (
        """UPDATE audit SET "user" = 'x' WHERE id = 2"""
        if change.startswith("UPDATE")
        else f"DELETE FROM audit WHERE id = {change}"
    )
    async with database.write() as session:
        if database.sqlite:
            await session.execute(text("DROP TRIGGER audit_no_update"))
            await session.execute(text("DROP TRIGGER audit_no_delete"))
        else:
            await session.execute(text("DROP TRIGGER audit_append_only ON audit"))
        await session.execute(text(statement))
    async with database.read() as session:
        expected = {"UPDATE": 2, "2": 3, "3": -1}[change.split()[0]]
        assert await audit.first_broken_line(session) == expected


async def test_many_writers_make_one_chain(database):
    async def write(number):
        async with database.write() as session:
            await audit.record(session, WHO, "stop", str(number))

    await asyncio.gather(*(write(number) for number in range(30)))
    async with database.read() as session:
        assert len(await audit.list_lines(session)) == 30
        assert await audit.first_broken_line(session) == 0
