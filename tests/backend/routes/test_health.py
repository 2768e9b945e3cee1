"""/readyz on databases that take no writes: a full disk, a read-only PostgreSQL."""

import asyncio
import os
import subprocess

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from backend.db import write_probe
from tests.backend.conftest import PASSWORD
from tests.backend.support.people import enter, serving
from tests.support.wait import async_until

DEADLINE = 60.0
BLOCK = 2**16


@pytest.fixture
def small_disk(tmp_path):
    """Mount a file system of 8 MiB."""
    where = tmp_path / "disk"
    where.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m,mode=700", "tmpfs", str(where)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs root, to mount a small tmpfs")
    yield where
    subprocess.run(["umount", "-l", str(where)], check=True)


def fill(disk):
    with (disk / "filler").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(BLOCK))
        except OSError:
            return


async def ready(app):
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/readyz")
    return answer.status_code, answer.json().get("title", "")


async def says(app, status, words=""):
    async def so():
        code, title = await ready(app)
        return code == status and words in title

    await async_until(so, DEADLINE)


@pytest.fixture
def on_sqlite(settings, small_disk):
    database = SecretStr(f"sqlite:///{small_disk}/traindeck.db")
    return settings.model_copy(update={"folder": small_disk / "server", "database": database})


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_a_full_disk_makes_it_unready_until_there_is_room(on_sqlite, small_disk):
    async with serving(on_sqlite) as app:
        assert await ready(app) == (200, "")
        fill(small_disk)
        await says(app, 503, "does not take writes")
        assert "full" in (await ready(app))[1] or "No space left" in (await ready(app))[1]
        (small_disk / "filler").unlink()
        await says(app, 200)
        assert not [*small_disk.glob("*.probe")]


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_a_read_only_postgresql_makes_it_unready(app):
    """As a standby is, or a disk that its provider has locked. Each request says so, too."""
    database = app.state.runtime.database
    await enter(app, "ann")
    assert await ready(app) == (200, "")
    for setting in ("on", "off"):
        async with database.writer.connect() as connection:
            await connection.execute(text("SET default_transaction_read_only = off"))
            name = await connection.scalar(text("SELECT current_database()"))
            await connection.execute(text("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE"))
            await connection.commit()
            await connection.execute(
                text(f"ALTER DATABASE {name} SET default_transaction_read_only = {setting}")
            )
            await connection.commit()
        await database.writer.dispose()
        if setting == "on":
            await says(app, 503, "does not take writes: the server's database is read-only.")
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                answer = await client.post("/api/auth/login", json={"user": "ann", "password": PASSWORD})
            assert (answer.status_code, answer.json()["title"]) == (
                503,
                "The server's database is read-only.",
            )
    await says(app, 200)


async def test_many_who_ask_cost_one_write_a_second(app, monkeypatch):
    monkeypatch.setattr(write_probe, "GOOD_FOR_SECONDS", 3600.0)
    probe, tries = app.state.runtime.write_probe, []
    inner = probe._failure_now

    async def counted():
        tries.append(1)
        return await inner()

    monkeypatch.setattr(probe, "_failure_now", counted)
    await asyncio.gather(*(ready(app) for _ in range(50)))
    assert len(tries) == 1
