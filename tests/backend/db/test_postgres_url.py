"""libpq's parameters in the database's URL: kept, or refused by name; and what goes wrong at the start."""

import socket
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text

from backend.db import server_lock
from backend.db.engine import database_url, open_database
from backend.db.postgres_url import LIBPQS_OTHERS, SAYS_NOTHING, parse_postgres_url
from backend_client.errors import BackendError, Refused, Unreachable


async def ask(url, query):
    """Open a database, and ask it one thing."""
    database = await open_database(database_url(url, Path("/")))
    try:
        async with database.reader.connect() as connection:
            return await connection.scalar(text(query))
    finally:
        await database.aclose()


@pytest.mark.parametrize(
    ("more", "query", "value"),
    [
        ("", "SHOW application_name", "traindeck"),
        ("&application_name=lab", "SHOW application_name", "lab"),
        ("&fallback_application_name=lab", "SHOW application_name", "lab"),
        ("&options=-c%20statement_timeout%3D5s", "SHOW statement_timeout", "5s"),
        ("&connect_timeout=5&sslmode=prefer&target_session_attrs=any", "SELECT 1", 1),
        ("&sslmode=disable&target_session_attrs=primary&port=5432", "SELECT 1", 1),
        ("&channel_binding=prefer&gssencmode=disable&sslcompression=0&sslsni=1", "SELECT 1", 1),
        ("&connect_timeout=0", "SELECT current_user", "postgres"),
    ],
)
async def test_what_is_kept(postgres, more, query, value):
    url = postgres.url("template_of_urls")
    if not getattr(postgres, "has_template", False):
        postgres.fresh("template_of_urls")
        postgres.has_template = True
    assert await ask(url + more, query) == value


async def test_several_hosts_and_a_socket_as_host(postgres):
    name = "several_hosts"
    postgres.fresh(name)
    folder = str(postgres.folder)
    assert await ask(f"postgresql://postgres@/{name}?host={folder}x,{folder}", "SELECT 1") == 1
    assert (
        await ask(f"postgresql://postgres@127.0.0.1:1,{folder.replace('/', '%2F')}/{name}", "SELECT 1") == 1
    )
    assert await ask(f"postgresql://?dbname={name}&host={folder}&user=postgres", "SELECT 1") == 1


@pytest.mark.parametrize("name", sorted(LIBPQS_OTHERS | {*SAYS_NOTHING}))
def test_what_the_driver_has_not_is_refused_by_name(name):
    with pytest.raises(Refused, match=name):
        parse_postgres_url(f"postgresql://u@h/d?{name}=require")


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("sslmod=require", "Did you mean sslmode"),
        ("statement_timeout=5", "options=-c%20NAME"),
        ("sslmode=on", "verify-full"),
        ("target_session_attrs=master", "primary"),
        ("connect_timeout=soon", "connect_timeout"),
        ("connect_timeout=-1", "connect_timeout"),
        ("sslrootcert=/nowhere/ca.pem", "/nowhere/ca.pem"),
        ("port=x", "port"),
        ("port=0", "port"),
        ("sslmode", "NAME=VALUE"),
    ],
)
def test_parameters_that_mean_nothing(query, says):
    with pytest.raises(Refused) as refused:
        parse_postgres_url(f"postgresql://u@h/d?{query}")
    assert says in str(refused.value)


@pytest.mark.parametrize("raw", ["@", "#", "/", ":", "?", "%", " ", "\n", "\x1b", "a@b#c", "//", "%zz", "::"])
@pytest.mark.parametrize("place", ["geheim{}x", "{}geheim", "geheim{}"])
def test_raw_characters_in_a_password_are_said_and_the_password_is_not(raw, place):
    with pytest.raises(Refused) as refused:
        parse_postgres_url(f"postgresql://ann:{place.format(raw)}@db.example.org/traindeck")
    assert "URL" in refused.value.title
    assert "%" in refused.value.hint
    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize("raw", ["@", "#", "/", ":", "?", "%", "&", "=", "ü", "+"])
def test_written_as_it_should_be_it_goes_to_the_driver(raw):
    from urllib.parse import quote  # noqa: PLC0415  as a person would

    url = parse_postgres_url(f"postgresql://ann:{quote(raw, safe='')}@db:5433/tr%20d")
    assert (url.user, url.database, url.where) == ("ann", "tr d", "db:5433")
    assert quote(raw, safe="") in url.dsn.reveal()
    assert raw not in repr(url).replace("=", "") or raw in "=:"


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "x",
        "host/db",
        "mysql://a@b/c",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///x?timeout=5",
        "sqlite://h/x",
    ],
)
def test_what_is_no_url(wrong):
    if wrong:
        with pytest.raises(Refused, match="URL"):
            database_url(wrong, Path("/"))


async def fails(place, kind, *says):
    """Open a database that cannot be opened; each of the words must stand in what is said."""
    with pytest.raises(BackendError) as told:
        await open_database(place if not isinstance(place, str) else database_url(place, Path("/")))
    assert isinstance(told.value, kind), told.value
    for word in says:
        assert word in str(told.value)
    assert "geheim" not in str(told.value)
    return told.value


async def test_what_postgresql_refuses(postgres, monkeypatch):
    monkeypatch.setattr(server_lock, "WAIT_SECONDS", 0.0)
    url = postgres.fresh("refusals")
    at = f"host={postgres.folder}"
    await fails(f"postgresql://postgres@/nowhere?{at}", Refused, "no database nowhere", "createdb")
    await fails(f"postgresql://eve:geheim@/refusals?{at}", Refused, "does not let eve in", "eve")
    await fails(f"{url}&target_session_attrs=standby", Unreachable, "target_session_attrs")
    await ask(url, "SELECT 1")
    database = await open_database(database_url(url, Path("/")))
    async with database.writer.begin() as connection:
        await connection.execute(text("CREATE ROLE guest LOGIN"))
        await connection.execute(text("UPDATE alembic_version SET version_num = 'r9999'"))
    await database.aclose()
    await fails(f"postgresql://guest@/refusals?{at}", Refused, "guest may not", "OWNER TO guest")
    await fails(url, Refused, "newer traindeck", "backup")


async def test_a_wrong_password(postgres):
    """In a database of passwords: its rule comes before the one that trusts everybody."""
    rules = postgres.folder / "data" / "pg_hba.conf"
    before = rules.read_text()
    url = postgres.fresh("passwords")
    await ask(url, "SELECT 1")
    database = await open_database(database_url(url, Path("/")))
    try:
        rules.write_text(f"local passwords ann scram-sha-256\n{before}")
        async with database.writer.begin() as connection:
            await connection.execute(text("CREATE ROLE ann LOGIN PASSWORD 'right'"))
            await connection.execute(text("SELECT pg_reload_conf()"))
        at = f"/passwords?host={postgres.folder}"
        await fails(f"postgresql://ann:geheim@{at}", Refused, "refused the password of ann")
        await fails(f"postgresql://ann@{at}", BackendError, "ann")
    finally:
        rules.write_text(before)
        await database.aclose()


async def test_a_database_that_nobody_reaches(tmp_path):
    await fails("postgresql://u:geheim@127.0.0.1:1/d", Unreachable, "no PostgreSQL listens at 127.0.0.1:1")
    await fails("postgresql://u@localhost:1/d", Unreachable, "no PostgreSQL listens at localhost:1")
    await fails(f"postgresql://u@/d?host={tmp_path}", Unreachable, str(tmp_path))
    await fails("postgresql://u@nowhere.invalid/d", Unreachable, "There is no host nowhere.invalid")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        await fails(f"postgresql://u@127.0.0.1:{port}/d?connect_timeout=1", Unreachable, "does not answer")


async def test_files_that_are_no_database(tmp_path):
    path = tmp_path / "traindeck.db"
    path.write_bytes(b"this is something else" * 100)
    await fails(database_url("", tmp_path), Refused, "is no SQLite database")
    path.unlink()
    await (await open_database(database_url("", tmp_path))).aclose()
    with sqlite3.connect(path) as other:
        other.execute("UPDATE alembic_version SET version_num = 'r9999'")
    await fails(database_url("", tmp_path), Refused, "newer traindeck")


async def test_a_database_that_another_program_holds(tmp_path, monkeypatch):
    monkeypatch.setattr("backend.db.engine.PRAGMAS", ("busy_timeout=50",))
    await (await open_database(database_url("", tmp_path))).aclose()
    with sqlite3.connect(tmp_path / "traindeck.db", isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        await fails(database_url("", tmp_path), Refused, "Another program holds", "sqlite3 shell")


async def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    await fails(database_url("", tmp_path / "file" / "x"), Refused, "cannot be written: not a directory")
