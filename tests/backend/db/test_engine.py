"""The database: its schema and migrations, transactions, and where it refuses to be."""

import asyncio
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import func, inspect, select, text
from sqlalchemy.exc import IntegrityError

from backend.db import server_lock
from backend.db.engine import Database, database_url, open_database
from backend.db.migrate import config, upgrade
from backend.db.models import Base, Meta, User
from backend.db.mounts import network_filesystem
from backend_client.errors import Refused, Unreachable
from tests.backend.support import crash_writers
from tests.support.wait import async_until

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def a_user(name="ann"):
    return User(name=name, name_key=name, password_hash="", role="viewer", created=NOW)


async def test_the_migrations_make_what_the_models_say(database):
    def differences(connection):
        return compare_metadata(MigrationContext.configure(connection), Base.metadata)

    async with database.reader.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_opening_again_changes_nothing(database, url, tmp_path):
    async with database.write() as session:
        session.add(a_user())
        server_id = (await session.get_one(Meta, "server_id")).value
    await database.aclose()
    again = await open_database(database_url(url, tmp_path))
    async with again.read() as session:
        assert (await session.get_one(Meta, "server_id")).value == server_id
        assert (await session.scalars(select(User.created))).all() == [NOW]
    await again.aclose()


async def test_each_migration_keeps_the_data(url, tmp_path):
    """One after the other, each over rows in every table that was there before it."""
    database = Database(database_url(url, tmp_path))
    script = ScriptDirectory.from_config(config())
    kept = {}
    for revision in reversed([step.revision for step in script.walk_revisions()]):
        async with database.writer.begin() as connection:
            await connection.run_sync(upgrade, revision)
            for table, count in kept.items():
                assert await connection.scalar(text(f"SELECT count(*) FROM {table}")) >= count
            await connection.run_sync(fill)
            tables = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
            for table in tables:
                kept[table] = await connection.scalar(text(f'SELECT count(*) FROM "{table}"'))
    assert all(kept.values()), kept
    await database.aclose()


def fill(connection):
    """Insert a row into every empty table, whatever its columns are."""
    for table in inspect(connection).get_sorted_table_and_fkc_names():
        name = table[0]
        if name and not connection.scalar(text(f'SELECT count(*) FROM "{name}"')):
            columns = [column for column in inspect(connection).get_columns(name) if not column["nullable"]]
            names = ", ".join(f'"{column["name"]}"' for column in columns)
            values = {f"v{at}": _value(column["type"].python_type) for at, column in enumerate(columns)}
            marks = ", ".join(f":{mark}" for mark in values)
            connection.execute(text(f'INSERT INTO "{name}" ({names}) VALUES ({marks})'), values)


def _value(kind):
    return {int: 1, str: "x", bool: False, float: 1.5, bytes: b"x", datetime: NOW}[kind]


async def test_a_migration_that_dies_in_the_middle_leaves_nothing(url, tmp_path):
    code = (
        "import asyncio, os, sys\n"
        "from pathlib import Path\n"
        "from alembic import op\n"
        "from backend.db.engine import *\n"
        "made = op.create_table\n"
        "def create(name, *columns, **options):\n"
        "    if name == 'jobs': os.kill(os.getpid(), 9)\n"
        "    return made(name, *columns, **options)\n"
        "op.create_table = create\n"
        "asyncio.run(open_database(database_url(sys.argv[1], Path('/'))))\n"
    )
    died = subprocess.run([sys.executable, "-c", code, url], cwd=Path.cwd(), timeout=60, check=False)
    assert died.returncode == -signal.SIGKILL
    database = await open_database(database_url(url, tmp_path))
    async with database.write() as session:
        session.add(a_user())
    await database.aclose()


async def test_of_servers_that_start_at_once_one_gets_the_database(url, tmp_path, monkeypatch):
    monkeypatch.setattr(server_lock, "WAIT_SECONDS", 0.0)
    attempts = (open_database(database_url(url, tmp_path)) for _ in range(3))
    opened = await asyncio.gather(*attempts, return_exceptions=True)
    (first,) = [one for one in opened if isinstance(one, Database)]
    refused = [one for one in opened if isinstance(one, Refused)]
    assert len(refused) == 2
    assert all(one.title.startswith("Another") for one in refused)
    async with first.read() as session:
        assert await session.get_one(Meta, "server_id")
    await first.aclose()
    await (await open_database(database_url(url, tmp_path))).aclose()


async def test_a_killed_server_keeps_nobody_out(url, tmp_path):
    code = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from backend.db.engine import *\n"
        "async def hold():\n"
        "    opened = await open_database(database_url(sys.argv[1], Path('/')))\n"
        "    print('open', flush=True)\n"
        "    await asyncio.sleep(600)\n"
        "asyncio.run(hold())\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "open\n"
    with pytest.raises(Refused, match="Another"):
        await open_database(database_url(url, tmp_path))
    holder.kill()
    holder.wait()
    holder.stdout.close()
    await (await open_database(database_url(url, tmp_path))).aclose()


async def test_a_lock_whose_connection_broke_is_taken_again(postgres, tmp_path, monkeypatch):
    monkeypatch.setattr(server_lock, "BEAT_SECONDS", 0.5)
    url = database_url(postgres.fresh("broken_lock"), tmp_path)
    first = await open_database(url)
    lock = f"pg_locks WHERE locktype = 'advisory' AND objid = {server_lock.LOCK % 2**32}"
    async with first.writer.connect() as connection:
        holder = await connection.scalar(text(f"SELECT pid FROM {lock}"))
        others = text(f"SELECT count(*) FROM {lock} AND granted AND pid <> {holder}")
        await connection.scalar(text(f"SELECT pg_terminate_backend({holder})"))
        await async_until(lambda: connection.scalar(others))
    monkeypatch.setattr(server_lock, "WAIT_SECONDS", 0.0)
    with pytest.raises(Refused, match="Another"):
        await open_database(url)
    await first.aclose()


async def test_a_sqlite_file_is_for_its_owner_alone(tmp_path):
    await (await open_database(database_url("", tmp_path))).aclose()
    assert (tmp_path / "traindeck.db").stat().st_mode & 0o777 == 0o600


async def test_what_reads_and_then_writes_never_fails_under_load(database):
    """200 transactions at once that read first: none is told that the database is locked."""
    async with database.write() as session:
        session.add(Meta(key="count", value="0"))

    async def add():
        async with database.write() as session:
            row = await session.get_one(Meta, "count", with_for_update=True)
            row.value = str(int(row.value) + 1)

    await asyncio.gather(*(add() for _ in range(200)))
    async with database.read() as session:
        assert (await session.get_one(Meta, "count")).value == "200"


async def test_an_exception_undoes_all(database):
    with pytest.raises(IntegrityError):
        async with database.write() as session:
            session.add_all([a_user(), a_user()])
    async with database.read() as session:
        assert await session.scalar(select(func.count(User.id))) == 0


async def test_sqlite_is_as_safe_as_it_can_be(tmp_path):
    database = await open_database(database_url("", tmp_path))
    for engine in (database.reader, database.writer):
        async with engine.connect() as connection:
            pragma = [
                await connection.scalar(text(f"PRAGMA {name}"))
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            ]
            assert pragma == ["wal", 2, 1, 5000]
    await database.aclose()


@pytest.mark.parametrize("wrong", ["mysql://a@b/c", "sqlite://", "sqlite:///:memory:", "nonsense"])
def test_databases_that_are_none(wrong):
    with pytest.raises(Refused):
        database_url(wrong, Path("/"))


async def test_a_database_that_is_away_is_said_in_words(tmp_path):
    with pytest.raises(Unreachable, match="does not answer") as told:
        await open_database(database_url(f"postgresql://someone:geheim@/x?host={tmp_path}", tmp_path))
    assert "geheim" not in str(told.value)


def test_network_file_systems_are_known():
    mounts = (
        "22 1 0:21 / / rw - ext4 /dev/sda1 rw\n"
        "23 22 0:22 / /home rw shared:1 - nfs4 server:/home rw\n"
        "24 23 0:23 / /home/local rw - xfs /dev/sdb rw\n"
        "25 22 0:24 / /my\\040data rw - lustre x@tcp:/l rw\n"
        "26 22 0:25 / /scratch rw - autofs x rw\n"
        "27 26 0:26 / /scratch rw - fuse.sshfs me@there: rw\n"
    )
    found = [
        network_filesystem(Path(place), mounts)
        for place in ("/var/lib", "/home/ann/x", "/home/local/x", "/my data/x", "/homes", "/scratch/a")
    ]
    assert found == ["", "nfs4", "", "lustre", "", "fuse.sshfs"]


async def test_sqlite_on_a_network_file_system_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(server_lock, "network_filesystem", lambda folder: "nfs4")
    with pytest.raises(Refused, match="nfs4"):
        await open_database(database_url("", tmp_path))
    assert not os.listdir(tmp_path)


def test_what_was_acknowledged_outlives_a_kill(request, tmp_path, url):
    """`python -m benchmarks server_crash` does the same 200 times."""
    report = crash_writers.rounds(url, tmp_path, 4)
    assert report.lost == 0
    assert report.acknowledged > 0
