"""The database engine of a server: SQLite in its folder, or PostgreSQL by URL."""

import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from backend.db.migrate import upgrade
from backend.db.mounts import network_filesystem
from backend_client.errors import BackendError, Invalid, Refused, Unreachable

DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000")


class Database:
    """Sessions on one database. Short ones: no network call to anything else inside."""

    def __init__(self, url: URL) -> None:
        """Opens nothing yet; `open_database` does. `url` is of `database_url`."""
        self.url = url
        self.lock = -1
        if self.sqlite:
            self.reader = _sqlite(url, "BEGIN", 4)
            self.writer = _sqlite(url, "BEGIN IMMEDIATE", 1)
        else:
            self.reader = self.writer = create_async_engine(
                url, hide_parameters=True, pool_size=10, max_overflow=10, pool_pre_ping=True, pool_timeout=10
            )

    @property
    def sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """Open a session that only reads. Raises Unreachable where the database does not answer."""
        async with _translate_errors(), _session(self.reader) as session:
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """Open a transaction: committed at the end, rolled back after any exception. Raises as `read`.

        In SQLite it holds the only write lock from the start; in PostgreSQL lock the rows that you decide by
        (`with_for_update`).
        """
        async with _translate_errors(), _session(self.writer) as session:
            yield session
            await session.commit()

    async def aclose(self) -> None:
        """Close all connections, and release the lock of the file."""
        await self.reader.dispose()
        await self.writer.dispose()
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1


async def open_database(url: URL) -> Database:
    """Open the database, and bring its schema up to date. Raises Refused, Unreachable."""
    database = Database(url)
    try:
        if database.sqlite:
            database.lock = _lock_file(Path(url.database or ""))
        async with _translate_errors(), database.writer.begin() as connection:
            await connection.run_sync(upgrade)
    except BaseException:
        await database.aclose()
        raise
    return database


def database_url(text: str, folder: Path) -> URL:
    """Return the URL with its asynchronous driver; "" is a SQLite file in `folder`. Raises Refused."""
    if not text:
        return URL.create(DRIVERS["sqlite"], database=str(folder / "traindeck.db"))
    try:
        url = make_url(text)
    except ArgumentError:
        raise Refused("The database's URL cannot be read.", "Write postgresql://USER@HOST/NAME.") from None
    name = url.get_backend_name()
    if name not in DRIVERS or (name == "sqlite" and url.database in (None, "", ":memory:")):
        raise Refused(
            f"A database of the kind {url.drivername} is not known.", "Write postgresql:// or sqlite:///"
        )
    return url.set(drivername=DRIVERS[name])


def _sqlite(url: URL, begin: str, size: int) -> AsyncEngine:
    """Create an engine on a SQLite file, whose transactions start with `begin`.

    A read that turns into a write would fail at once, whatever the busy timeout: so writers BEGIN IMMEDIATE.
    """
    engine = create_async_engine(
        url,
        hide_parameters=True,
        pool_size=size,
        max_overflow=0,
        pool_timeout=30,
        connect_args={"isolation_level": None},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def connected(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begun(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


@asynccontextmanager
async def _session(engine: AsyncEngine) -> AsyncIterator[AsyncSession]:
    async with async_sessionmaker(engine, expire_on_commit=False)() as session:
        await session.connection()
        yield session


@asynccontextmanager
async def _translate_errors() -> AsyncIterator[None]:
    try:
        yield
    except (DBAPIError, PoolTimeout, OSError, UnicodeEncodeError) as error:
        translated = _backend_error(error)
        if translated is None:
            raise
        raise translated from error


def _backend_error(error: Exception) -> BackendError | None:
    """Translate a database error; None for a broken constraint, which the code that wrote handles."""
    state = str(getattr(getattr(error, "orig", None), "sqlstate", ""))
    if state.startswith("22") or isinstance(
        error, DataError | UnicodeEncodeError
    ):  # PostgreSQL's data exceptions
        return Invalid({"request": "it has a character or a number that no database keeps"})
    if isinstance(error, DBAPIError) and not isinstance(error, OperationalError | InterfaceError):
        return None
    hint = "Try again; the server's log says more."
    return Unreachable("The server's database does not answer.", hint, retry_after=2)


def _lock_file(path: Path) -> int:
    """Lock a SQLite file for this process; return the descriptor of the lock. Raises Refused.

    Not on a network file system, where locks do not hold (sqlite.org/lockingv3.html, section 6).
    """
    kind = network_filesystem(path.parent)
    if kind:
        raise Refused(
            f"{path.parent} lies on a network file system ({kind}), where SQLite loses data.",
            "Choose a folder on this machine's own disk (--folder), or PostgreSQL (--database).",
        )
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise Refused(
            f"Another process has the database {path} open.", "One server at a time; several need PostgreSQL."
        ) from None
    return lock
