"""A server killed at any step between a failure and its message: nothing is lost, nothing is new twice."""

import asyncio
import json
import shutil
import sys
from pathlib import Path

import pytest

from backend.db.engine import database_url, open_database
from tests.backend.alerts.conftest import Office
from tests.backend.alerts.test_watcher import alerts
from tests.backend.support.receivers import receiver

ROOT = Path(__file__).parents[3]
MOST_STEPS = 60


@pytest.mark.timeout(400)
async def test_killed_at_every_step(tmp_path):
    prepared = tmp_path / "prepared.db"
    async with receiver() as there:
        await _prepare(tmp_path, prepared, there.port)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.backend.support.dying_alerts", cwd=ROOT,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip

        async def live(database, step, *, later=0):
            request = {"database": f"sqlite:///{database}", "folder": str(tmp_path), "port": there.port,
                       "step": step, "later": later, "has_failed": bool(later)}  # fmt: skip
            process.stdin.write(f"{json.dumps(request)}\n".encode())
            return json.loads(await process.stdout.readline())

        kills, sent_twice = 0, 0
        for step in range(1, MOST_STEPS):
            database = tmp_path / f"{step}.db"
            shutil.copy(prepared, database)
            there.heard.clear()
            if await live(database, step) is None:
                kills += 1
                told = await live(database, 0, later=91)  # the lease of the one that died is over
                assert told == {"states": ["sent"]}, step
            bodies = {one.body for one in there.heard}
            assert len(set(there.keys)) == len(bodies) == 1, step
            sent_twice += len(there.heard) - 1
            opened = await open_database(database_url(f"sqlite:///{database}", tmp_path))
            assert await alerts(Office(opened, tmp_path, [there.port])) == [("failed", 0, 1, True)], step
            await opened.aclose()
            if kills < step:
                break
        process.stdin.close()
        await process.wait()
    assert kills >= 8, "steps were found to die at"
    assert sent_twice, "it was killed between the message and its note too"


async def _prepare(folder, path, port):
    database = await open_database(database_url(f"sqlite:///{path}", folder))
    office = Office(database, folder, [port])
    ann = await office.person()
    await office.channel(ann, port)
    await office.job(ann)
    await database.aclose()
