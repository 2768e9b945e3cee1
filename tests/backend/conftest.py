"""A server for tests: its database (SQLite, and PostgreSQL, started here), the app, people with tokens."""

import asyncio
import contextlib
import shutil
import sqlite3
import uuid
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from backend.app import create_app
from backend.auth import tokens
from backend.auth.caller import Caller
from backend.auth.users import add_user, find_user
from backend.db.engine import database_url, open_database
from backend.settings import ServerSettings
from backend_client.server.roles import Role
from tests.backend.support.postgres import Postgres, binaries

PASSWORD = "correct horse battery"
DATABASES = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def postgres():
    """Start a PostgreSQL for this worker, on a unix socket of its own."""
    where = binaries()
    if not where:
        pytest.skip("needs PostgreSQL: apt-get install postgresql")
    server = Postgres(where)
    server.start()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory):
    """Return a SQLite file with the schema, to be copied: its migrations take longer than most tests."""
    path = tmp_path_factory.mktemp("migrated") / "traindeck.db"
    asyncio.run(_migrate(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def migrated_postgres(postgres):
    """Return the same in PostgreSQL: the name of a template."""
    asyncio.run(_migrate(postgres.fresh("migrated")))
    postgres.make_template("migrated")
    return "migrated"


async def _migrate(url):
    await (await open_database(database_url(url, Path("/")))).aclose()


@pytest.fixture(params=DATABASES)
def url(request, tmp_path):
    """Return the URL of a database of a server that has never run: its schema, and an id of its own."""
    if request.param == "sqlite":
        path = shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "traindeck.db")
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE meta SET value = ? WHERE key = 'server_id'", [uuid.uuid4().hex])
        yield f"sqlite:///{path}"
        return
    template = request.getfixturevalue("migrated_postgres")
    with request.getfixturevalue("postgres").borrow(template) as borrowed:
        yield borrowed


@pytest.fixture
async def database(url, tmp_path):
    """Open a database with its schema, of each kind."""
    opened = await open_database(database_url(url, tmp_path))
    yield opened
    await opened.aclose()


@pytest.fixture
def settings(url, tmp_path):
    """Settings of a server whose password hashes are quick."""
    return ServerSettings(
        folder=tmp_path / "server",
        database=SecretStr(url),
        hosts=("test",),
        argon2_memory=64,
        argon2_time=1,
        rate=1e6,
        burst=10**6,
    )


@pytest.fixture
async def app(settings, tmp_path):
    """Run a server without a socket, with its admin `root`."""
    made = create_app(settings, announce=lambda words: None)
    async with made.router.lifespan_context(made):
        await person(made, "root", Role.ADMIN)
        yield made


@pytest.fixture
async def client(app):
    """Return a client without a token: `client.get(path, headers=await login(app, "ann"))`."""
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as made:
        yield made


async def person(app, name, role=Role.RESEARCHER):
    """Add a user with the password PASSWORD; return its id."""
    runtime = app.state.runtime
    hashed = await runtime.passwords.hash(PASSWORD)
    async with runtime.database.write() as session:
        return (await add_user(session, name, hashed, Role(role))).id


async def login(app, name, role=Role.RESEARCHER):
    """Return the headers of a new login of a user, who is added where there is none yet."""
    return {"Authorization": f"Bearer {(await logged_in(app, name, role))[0]}"}


async def logged_in(app, name, role=Role.RESEARCHER):
    """Log a user in, added where there is none yet: return the token and its Caller."""
    runtime = app.state.runtime
    async with runtime.database.read() as session:
        user = await find_user(session, name)
    user_id = user.id if user else await person(app, name, role)
    async with runtime.database.write() as session:
        token, row = await tokens.issue(session, user_id, "test", runtime.settings)
    runtime.known_logins.add(token.reveal())
    who = Caller(user_id, name, Role(user.role if user else role), row.id, "127.0.0.1", "test")
    return token.reveal(), who
