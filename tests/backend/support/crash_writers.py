"""Writers whose process is killed: is every write there whose end they were told?

A writer notes each write in a file once it is committed, and goes on until somebody kills it.
"""

import asyncio
import multiprocessing
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import select

from backend.audit import first_broken_line, record
from backend.auth.caller import Caller
from backend.db.engine import database_url, open_database
from backend.db.models import AuditRow
from backend_client.server.roles import Role
from tests.support.wait import until

WRITERS = 8
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([__name__])
WHO = Caller(1, "writer", Role.ADMIN, 1, "local", "crash")


class Report(NamedTuple):
    """What came of it."""

    kills: int
    acknowledged: int
    lost: int


def rounds(url: str, folder: Path, kills: int, cut: Callable[[], None] | None = None) -> Report:
    """Kill writers so many times, each time after some acknowledged writes; then count what is missing.

    `cut` kills the database too, and starts it again; every tenth time.
    """
    notes = folder / "acknowledged"
    notes.touch()
    for number in range(kills):
        _one_life(url, notes, random.Random(number).uniform(0, 0.15), cut if number % 10 == 9 else None)
    told = notes.read_text().split()
    there = asyncio.run(_written(url, folder))
    return Report(kills, len(told), len(set(told) - there))


def _one_life(url: str, notes: Path, seconds: float, cut: Callable[[], None] | None) -> None:
    before = notes.stat().st_size
    writer = PROCESSES.Process(target=_write_for_ever, args=(url, notes))
    writer.start()
    try:
        until(lambda: notes.stat().st_size > before or writer.exitcode is not None, 60, pause=0.005)
        assert writer.exitcode is None, "the writer ended by itself"
        time.sleep(seconds)  # any moment: that it is one of many is the point
        if cut:
            cut()
    finally:
        writer.kill()
        writer.join()


async def _written(url: str, folder: Path) -> set[str]:
    database = await open_database(database_url(url, folder))
    async with database.read() as session:
        assert await first_broken_line(session) == 0
        found = set(await session.scalars(select(AuditRow.object)))
    await database.aclose()
    return found


def _write_for_ever(url: str, notes: Path) -> None:
    os.close(2)  # where the database dies first, its end needs no words
    asyncio.run(_write(url, notes))


async def _write(url: str, notes: Path) -> None:
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
