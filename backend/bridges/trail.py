"""The trail of bridges in the audit log: who, where and for how long, never what.

A command has two lines. Connections to one port have two as well, however many a browser opens: one for the
first of them, and one when for a while there was none.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from sqlalchemy.exc import SQLAlchemyError

from backend import audit
from backend.auth.caller import Caller
from backend.bridges.target import Target
from backend.db.engine import Database
from backend_client.errors import BackendError

QUIET_SECONDS = 60.0
"""Seconds without a connection after which the use of a port has ended."""
log = logging.getLogger("traindeck.bridges")


class Trail:
    """The line of a beginning, and the one of its end."""

    def __init__(self, database: Database, caller: Caller, verb: str, target: Target, what: str = "") -> None:
        self._database, self._caller, self._verb = database, caller, verb
        self._object = f"{target}{what}"
        self._cluster = target.cluster.name
        self._began: float | None = None

    async def begin(self) -> None:
        """Write that it began. Raises Unreachable where the database takes nothing: then nothing begins."""
        await self._record("began")
        self._began = time.monotonic()

    async def end(self, how: str, *, quiet: float = 0.0) -> None:
        """Write that it ended, and how, where it ever began; `quiet` seconds ago."""
        if self._began is None:
            return
        seconds, self._began = max(0.0, time.monotonic() - self._began - quiet), None
        try:
            await self._record(f"ended after {seconds:.0f} s: {how}")
        except (BackendError, SQLAlchemyError):
            log.exception("the end of a bridge could not be written to the audit log")

    async def _record(self, result: str) -> None:
        async with self._database.write() as session:
            await audit.record(
                session, self._caller, self._verb, self._object, cluster=self._cluster, result=result
            )


class _Use:
    """The use of one port by one login."""

    def __init__(self, trail: Trail) -> None:
        self.trail = trail
        self.beginning = asyncio.Lock()
        self.began = False
        self.open = self.count = 0
        self.ending: asyncio.Task[None] | None = None


class PortTrails:
    """The ports in use, by login."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._uses: dict[Hashable, _Use] = {}

    @asynccontextmanager
    async def connection(self, caller: Caller, target: Target, port: int) -> AsyncIterator[None]:
        """Count a connection in; the first is written down before it is used. Raises Unreachable."""
        key = caller.token_id, target.ref.uid, target.rank, port
        use = self._uses.get(key)
        if use is None:
            trail = Trail(self._database, caller, "port", target, f" port {port}")
            use = self._uses[key] = _Use(trail)
        if use.ending:
            use.ending.cancel()
            use.ending = None
        use.open += 1
        try:
            async with use.beginning:
                if not use.began:
                    await use.trail.begin()
                    use.began = True
            use.count += 1
            yield
        finally:
            use.open -= 1
            if not use.open:
                use.ending = asyncio.create_task(self._end_when_quiet(key, use))

    async def aclose(self) -> None:
        """Write the end of all."""
        for key, use in [*self._uses.items()]:
            if use.ending:
                use.ending.cancel()
            await self._end(key, use, 0.0)

    async def _end_when_quiet(self, key: Hashable, use: _Use) -> None:
        await asyncio.sleep(QUIET_SECONDS)
        await self._end(key, use, QUIET_SECONDS)

    async def _end(self, key: Hashable, use: _Use, quiet: float) -> None:
        self._uses.pop(key, None)
        await use.trail.end(f"connections: {use.count}", quiet=quiet)
