"""The database engine of a server: SQLite in its folder, or PostgreSQL by URL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from backend.db.migrate import upgrade
from backend.db.postgres_url import PostgresUrl, parse_postgres_url
from backend.db.server_lock import ServerLock, take_lock
from backend.db.start_errors import explain_start
from backend_client.errors import BackendError, Invalid, Refused, Unreachable

DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
_UNAVAILABLE = ("25006", "53", "57P", "58")
"""SQLSTATEs of a PostgreSQL that does no work now: read-only, a full disk, stopping, a failing disk."""
PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000")


class Database:
    """Sessions on one database. Short ones: no network call to anything else inside."""

    def __init__(self, place: URL | PostgresUrl) -> None:
        """Opens nothing yet; `open_database` does. `place` is of `database_url`."""
        self.place = place
        self.lock: ServerLock | None = None
        if isinstance(place, PostgresUrl):
            self.url = URL.create(DRIVERS["postgresql"])
            self.reader = self.writer = create_async_engine(
                self.url,
                hide_parameters=True,
                pool_size=10,
                max_overflow=10,
                pool_pre_ping=True,
                pool_timeout=10,
                connect_args={"dsn": place.dsn.reveal(), "timeout": place.timeout},
            )
        else:
            self.url = place
            self.reader = _sqlite(place, "BEGIN", 4)
            self.writer = _sqlite(place, "BEGIN IMMEDIATE", 1)

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
        if self.lock:
            await self.lock.release()
            self.lock = None


async def open_database(place: URL | PostgresUrl) -> Database:
    """Open the database for this server alone, its schema up to date. Raises Refused, Unreachable."""
    database = Database(place)
    try:
        with explain_start(place):
            database.lock = await take_lock(place)
            async with database.writer.begin() as connection:
                await connection.run_sync(upgrade)
    except BaseException:
        await database.aclose()
        raise
    return database


def database_url(text: str, folder: Path) -> URL | PostgresUrl:
    """Return where a database is; "" is a SQLite file in `folder`. Raises Refused."""
    if not text:
        return URL.create(DRIVERS["sqlite"], database=str(folder / "traindeck.db"))
    kind, separator, _ = text.partition("://")
    name = kind.partition("+")[0]
    if not separator:
        raise Refused("The database's URL cannot be read.", "Write postgresql://USER@HOST/NAME.")
    if name not in DRIVERS:
        raise Refused("The kind of the database's URL is not known.", "Write postgresql:// or sqlite:///")
    if name != "sqlite":
        return parse_postgres_url(text)
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise Refused("The database's URL cannot be read.", "Write sqlite:////PATH.") from None
    if url.host or url.query or url.database in (None, "", ":memory:"):
        raise Refused("The database's URL names no file of SQLite, and that alone.", "Write sqlite:////PATH.")
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
    if (
        isinstance(error, DBAPIError)
        and not isinstance(error, OperationalError | InterfaceError)
        and not state.startswith(_UNAVAILABLE)
    ):
        return None
    hint = "Try again; the server's log says more."
    return Unreachable(_unavailable(state, str(getattr(error, "orig", ""))), hint, retry_after=2)


def _unavailable(state: str, message: str) -> str:
    """Say why the database does no work: by PostgreSQL's SQLSTATE, or by SQLite's message."""
    if state == "53100" or "disk is full" in message:
        return "The disk of the server's database is full."
    if state == "25006" or "readonly database" in message:
        return "The server's database is read-only."
    return "The server's database does not answer."
