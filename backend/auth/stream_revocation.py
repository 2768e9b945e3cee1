"""Revocation of open streams: they end when their login ends, its role changes, or the server stops."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError

from backend.auth.caller import Caller
from backend.db.engine import Database
from backend.db.models import Token, User
from backend_client.errors import BackendError
from backend_client.server.roles import Role
from backend_client.server.wire import Bye

RECHECK_SECONDS = 3.0
"""Seconds between two queries of the database: another process may have ended a login."""
log = logging.getLogger("traindeck.logins")
LOGIN_ENDED = Bye("this login has ended", login=True)
SERVER_STOPPING = Bye("the server stops; it may come back")
ROLE_CHANGED = Bye("what this user may do has changed")

Goodbye = asyncio.Future[Bye]


class StreamRevocations:
    """The open streams by their login."""

    def __init__(self) -> None:
        self._streams: dict[int, set[Goodbye]] = {}
        self._roles: dict[int, Role] = {}
        """Login -> its role when its newest stream began."""
        self._stopping = False

    @asynccontextmanager
    async def until_revoked(self, caller: Caller) -> AsyncIterator[Goodbye]:
        """Register one stream; yield the future that gets the goodbye which ends it."""
        goodbye: Goodbye = asyncio.get_running_loop().create_future()
        if self._stopping:
            goodbye.set_result(SERVER_STOPPING)
        goodbyes = self._streams.setdefault(caller.token_id, set())
        goodbyes.add(goodbye)
        self._roles[caller.token_id] = caller.role
        try:
            yield goodbye
        finally:
            goodbyes.discard(goodbye)
            if not goodbyes:
                self._streams.pop(caller.token_id, None)
                self._roles.pop(caller.token_id, None)

    def revoke(self, tokens: Iterable[int], goodbye: Bye = LOGIN_ENDED) -> None:
        """End the streams of these logins."""
        for token in tokens:
            for stream in self._streams.get(token, ()):
                if not stream.done():
                    stream.set_result(goodbye)

    def revoke_all(self) -> None:
        """End all streams, and each new one at once: the server stops."""
        self._stopping = True
        self.revoke([*self._streams], SERVER_STOPPING)

    async def recheck_forever(self, database: Database) -> None:
        """Revoke the streams whose login has ended or changed its role in the database, for ever."""
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            try:
                roles = dict(self._roles)
                alive = await _live_roles(database, [*roles])
            except (BackendError, SQLAlchemyError):
                log.warning(
                    "logins of open streams could not be looked up; the next look tells", exc_info=True
                )
                continue
            self.revoke(set(roles) - set(alive))
            self.revoke((token for token, role in alive.items() if role != roles[token]), ROLE_CHANGED)


async def _live_roles(database: Database, tokens: list[int]) -> dict[int, str]:
    """Return login -> role of the logins that are still valid. An open stream counts as a use."""
    if not tokens:
        return {}
    now = datetime.now(UTC)
    stale = (Token.id.in_(tokens), Token.last_used < now - timedelta(minutes=1))
    async with database.read() as session:
        rows = await session.execute(
            select(Token.id, User.role)
            .join(User, User.id == Token.user_id)
            .where(Token.id.in_(tokens), Token.revoked.is_(None), Token.expires > now)
            .where(User.disabled.is_(False))
        )
        alive: dict[int, str] = {row.id: row.role for row in rows}
        idle = await session.scalar(select(Token.id).where(*stale).limit(1))
    if idle:
        async with database.write() as session:
            await session.execute(update(Token).where(*stale).values(last_used=now))
    return alive
