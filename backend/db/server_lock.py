"""One server for one database: a second would answer for half of the jobs, and end half of the streams.

SQLite: a lock of a file beside it. PostgreSQL: an advisory lock, held by a connection for nothing else. Both
are let go of by the system when the server dies, however it dies.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import time
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import URL

from backend.db.mounts import network_filesystem
from backend.db.postgres_url import PostgresUrl
from backend_client.errors import Refused

LOCK = 7_236_451_191
"""PostgreSQL's advisory lock of a server; any fixed number."""
WAIT_SECONDS = 3.0
"""Seconds that a start waits for the lock: the one before may be about to end."""
PAUSE_SECONDS = 0.2
BEAT_SECONDS = 5.0
"""Seconds between two signs of life; also how soon a lost connection is noticed."""
WATCHED = "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 2"
"""PostgreSQL notices within 15 s that the machine of a server has died, and lets go of its lock."""
log = logging.getLogger("traindeck.database")


class ServerLock(Protocol):
    """The right to be the server of a database."""

    async def release(self) -> None:
        """Let go."""


async def take_lock(place: URL | PostgresUrl) -> ServerLock:
    """Take the lock of a database. Raises Refused where another server has it; else as the driver."""
    if isinstance(place, PostgresUrl):
        lock = _PostgresLock(place)
        await lock.take()
        return lock
    return _FileLock(Path(place.database or ""))


class _FileLock:
    """The lock of a SQLite file."""

    def __init__(self, path: Path) -> None:
        """Raises Refused.

        Not on a network file system, where locks do not hold (sqlite.org/lockingv3.html, section 6).
        """
        kind = network_filesystem(path.parent)
        if kind:
            raise Refused(
                f"{path.parent} lies on a network file system ({kind}), where SQLite loses data.",
                "Choose a folder on this machine's own disk (--folder), or PostgreSQL (--database).",
            )
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise Refused(f"The database {path} cannot be written: {why}.", "--folder DIR") from None
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise Refused(
                f"Another process has the database {path} open.", "One server at a time has one database."
            ) from None

    async def release(self) -> None:
        os.close(self._descriptor)


class _PostgresLock:
    """The lock of a PostgreSQL database, held while its connection lives, and taken again when that broke."""

    def __init__(self, place: PostgresUrl) -> None:
        self._place = place
        self._connection: Any = None
        self._keeper: asyncio.Task[None] | None = None

    async def take(self) -> None:
        """Take the lock, and keep it. Raises Refused."""
        try:
            await self._take(WAIT_SECONDS)
        except BaseException:
            await self.release()
            raise
        self._keeper = asyncio.create_task(self._keep())

    async def release(self) -> None:
        if self._keeper:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        await self._close()

    async def _take(self, patience: float) -> None:
        import asyncpg  # type: ignore[import-untyped]  # noqa: PLC0415  servers with SQLite need none

        await self._close()
        self._connection = await asyncpg.connect(self._place.dsn.reveal(), timeout=self._place.timeout)
        await self._connection.execute(WATCHED)
        end = time.monotonic() + patience
        while not await self._connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
            if time.monotonic() > end:
                place = f"the database {self._place.database} at {self._place.where}"
                raise Refused(
                    f"Another traindeck server has {place}.",
                    "One server at a time has one database; one that died lets go of it within 15 s.",
                )
            await asyncio.sleep(PAUSE_SECONDS)

    async def _keep(self) -> None:
        """Give signs of life; where the connection broke, take the lock again with a new one."""
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            try:
                await self._connection.fetchval("SELECT 1", timeout=BEAT_SECONDS)
            except asyncio.CancelledError:
                raise
            except Exception:  # noqa: BLE001  however it broke, it is taken again
                log.warning("the connection that holds the database's lock broke; it is taken again")
                await self._take_again()

    async def _take_again(self) -> None:
        while True:
            try:
                await self._take(WAIT_SECONDS)
            except Refused as error:
                log.critical("this server ends, as another one took its database: %s", error.title)
                signal.raise_signal(signal.SIGTERM)
                return
            except asyncio.CancelledError:
                raise
            except Exception:  # noqa: BLE001  as above
                log.info("the database's lock cannot be taken yet")
            else:
                return
            await asyncio.sleep(BEAT_SECONDS)

    async def _close(self) -> None:
        if self._connection:
            with contextlib.suppress(Exception):
                await self._connection.close(timeout=1)
            self._connection = None
