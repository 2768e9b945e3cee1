"""Writers whose process is killed: is every write there whose end they were told?

`python -m tests.backend.crash_writers URL FILE` is such a process: it notes each write in FILE once it is
committed, and goes on until somebody kills it.
"""

import asyncio
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import select

from backend.audit import broken, record
from backend.auth.caller import Caller, Role
from backend.db.engine import database_url, open_database
from backend.db.models import AuditRow

WRITERS = 8
WHO = Caller(1, "writer", Role.ADMIN, 1, "local", "crash")


class Report(NamedTuple):
    """What came of it."""

    kills: int
    acknowledged: int
    lost: int


def rounds(url: str, folder: Path, kills: int) -> Report:
    """Kill writers so many times, each time after some acknowledged writes; then count what is missing."""
    notes = folder / "acknowledged"
    for number in range(kills):
        _one_life(url, notes, random.Random(number).uniform(0, 0.15))
    told = notes.read_text().split()
    there = asyncio.run(_written(url, folder))
    return Report(kills, len(told), len(set(told) - there))


def _one_life(url: str, notes: Path, seconds: float) -> None:
    before = notes.stat().st_size if notes.exists() else 0
    writer = subprocess.Popen([sys.executable, "-m", __name__, url, str(notes)])
    try:
        deadline = time.monotonic() + 60
        while not notes.exists() or notes.stat().st_size == before:
            assert writer.poll() is None, "the writer ended by itself"
            assert time.monotonic() < deadline, "no write in 60 s"
            time.sleep(0.005)
        time.sleep(seconds)  # any moment: that it is one of many is the point
    finally:
        writer.kill()
        writer.wait()


async def _written(url: str, folder: Path) -> set[str]:
    database = await open_database(database_url(url, folder))
    async with database.read() as session:
        assert await broken(session) == 0
        found = set(await session.scalars(select(AuditRow.object)))
    await database.aclose()
    return found


async def _write_for_ever(url: str, notes: Path) -> None:
    database = await open_database(database_url(url, notes.parent))
    file = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def write(writer: int) -> None:
        number = 0
        while True:
            name, number = f"{os.getpid()}-{writer}-{time.time_ns()}", number + 1
            async with database.write() as session:
                await record(session, WHO, "write", name)
            os.write(file, f"{name}\n".encode())

    await asyncio.gather(*(write(writer) for writer in range(WRITERS)))


if __name__ == "__main__":
    asyncio.run(_write_for_ever(sys.argv[1], Path(sys.argv[2])))
