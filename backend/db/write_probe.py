"""The probe of /readyz: does the database take a write now, and if not, why?

It commits a row, for a transaction that is rolled back never meets a full disk. SQLite writes into room that
its journal has already, so beside it a file is written too. Whoever asks, however often: one probe at a time,
whose result is good for a second.
"""

import asyncio
import contextlib
import os
import time
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from backend.db.engine import Database
from backend.db.models import Meta
from backend_client.errors import BackendError, Unreachable, fragment

LIMIT_SECONDS = 1.0
GOOD_FOR_SECONDS = 1.0
_FILE_BYTES = 2**18
"""More than a write of the server's needs at once."""


class WriteProbe:
    """The probe of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = asyncio.Lock()
        self._next = 0.0
        self._failure = ""

    async def check(self) -> None:
        """Check that the database takes a write. Raises Unreachable, which says why it does not."""
        async with self._lock:
            if time.monotonic() >= self._next:
                self._failure = await self._failure_now()
                self._next = time.monotonic() + GOOD_FOR_SECONDS
        if self._failure:
            raise Unreachable(
                f"The server's database does not take writes: {self._failure}.", retry_after=GOOD_FOR_SECONDS
            )

    async def _failure_now(self) -> str:
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                async with self._database.write() as session:
                    await session.merge(Meta(key="probe", value=str(time.time_ns())))
                if self._database.sqlite:
                    await asyncio.to_thread(_write_file, Path(self._database.url.database or ""))
        except TimeoutError:
            return f"no answer in {LIMIT_SECONDS:g} s"
        except BackendError as error:
            return fragment(error.title)
        except (SQLAlchemyError, OSError) as error:
            return str(getattr(error, "strerror", "") or type(error).__name__)
        return ""


def _write_file(database: Path) -> None:
    """Write a file beside a database, down to the disk, and remove it. Raises OSError."""
    path = database.with_name(f"{database.name}.probe")
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        left = memoryview(bytes(_FILE_BYTES))
        while left:
            left = left[os.write(handle, left) :]
        os.fsync(handle)
    finally:
        os.close(handle)
        with contextlib.suppress(OSError):
            path.unlink()
