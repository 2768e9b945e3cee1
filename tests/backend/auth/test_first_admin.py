"""The first admin of an empty server."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from pydantic import SecretStr

from backend.app import create_app
from backend.auth import first_admin
from backend.db.models import Meta
from backend_client.errors import Invalid
from tests.backend.conftest import PASSWORD


@asynccontextmanager
async def empty_server(settings):
    """Run a server without an admin: a client, and a queue of what its terminal said."""
    said = asyncio.Queue()
    app = create_app(settings, announce=said.put_nowait)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            client.app = app
            yield client, said


async def code_of(said):
    words = await asyncio.wait_for(said.get(), 60)
    return words.split("one hour: ")[1].split()[0]


def body(user, code):
    return {"user": user, "password": PASSWORD, "code": code}


async def test_nothing_works_before_there_is_an_admin(settings):
    async with empty_server(settings) as (client, said):
        await code_of(said)
        for path in ("/api/auth/me", "/api/jobs", "/api/users"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()["kind"]) == (503, "Unreachable"), path
            assert "set-up code" in answer.json()["detail"]
        assert (await client.get("/api/server")).json()["setup"] is True
        assert (await client.get("/livez")).status_code == 200
        assert (await client.get("/readyz")).status_code == 200


async def test_the_code_makes_one_admin_and_is_used_up(settings):
    async with empty_server(settings) as (client, said):
        code = await code_of(said)
        file = settings.folder / "setup-code"
        assert file.read_text().strip() == code
        assert file.stat().st_mode & 0o777 == 0o600
        wrong = await client.post("/api/auth/register", json=body("eve", "A" * 24))
        assert wrong.status_code == 403
        answers = await asyncio.gather(
            *(client.post("/api/auth/register", json=body(f"root{n}", code.lower())) for n in range(8))
        )
        assert sorted(answer.status_code for answer in answers) == [201] + [403] * 7
        won = next(answer for answer in answers if answer.status_code == 201).json()
        assert won["role"] == "admin"
        headers = {"Authorization": f"Bearer {won['token']}"}
        people = (await client.get("/api/users", headers=headers)).json()["items"]
        assert [one["user"] for one in people] == [won["user"]]
        async with asyncio.timeout(60):
            while file.exists():
                await asyncio.sleep(0)
        assert (await client.get("/api/server")).json()["setup"] is False


async def test_a_code_of_more_than_an_hour_is_dead(settings):
    async with empty_server(settings) as (client, said):
        code = await code_of(said)
        async with client.app.state.runtime.database.write() as session:
            row = await session.get_one(Meta, first_admin.CODE)
            old = datetime.now(UTC) - timedelta(minutes=61)
            row.value = f"{row.value.split()[0]} {old.isoformat()}"
        assert (await client.post("/api/auth/register", json=body("root", code))).status_code == 403


async def test_a_new_code_comes_when_the_old_one_is_dead(settings, monkeypatch):
    monkeypatch.setattr(first_admin, "LIFE", timedelta(seconds=0.2))
    async with empty_server(settings) as (_client, said):
        assert await code_of(said) != await code_of(said)


async def test_an_open_registration_makes_no_first_admin(settings):
    settings.registration = "open"
    async with empty_server(settings) as (client, said):
        await code_of(said)
        answer = await client.post("/api/auth/register", json={"user": "eve", "password": PASSWORD})
        assert answer.status_code == 403


async def test_the_environment_makes_the_first_admin(settings, monkeypatch):
    settings.admin_user, settings.admin_password = "root", SecretStr(PASSWORD)
    for _start in range(2):
        async with empty_server(settings) as (client, said):
            answer = await client.post("/api/auth/login", json={"user": "root", "password": PASSWORD})
            assert answer.json()["role"] == "admin"
            assert said.empty()


@pytest.mark.parametrize("password", ["", "password"])
async def test_a_bad_password_in_the_environment_is_refused(settings, password):
    settings.admin_user, settings.admin_password = "root", SecretStr(password)
    with pytest.raises(Invalid):
        async with empty_server(settings):
            pass
