"""When each login was last used: noted at once, written beside the requests, which wait for no write."""

import asyncio
import logging
from datetime import UTC, datetime

from sqlalchemy import update
from sqlalchemy.exc import SQLAlchemyError

from backend.db.engine import Database
from backend.db.models import Token
from backend_client.errors import BackendError

WRITE_SECONDS = 1.0
log = logging.getLogger("traindeck.logins")


class LastUses:
    """The logins in use whose time is to be written."""

    def __init__(self) -> None:
        self._tokens: set[int] = set()
        self._news = asyncio.Event()

    def note(self, token_id: int) -> None:
        """Have it written that a login is in use now."""
        self._tokens.add(token_id)
        self._news.set()

    async def write_forever(self, database: Database) -> None:
        """Write what was noted, at most once a second, for ever.."""
        while True:
            await self._news.wait()
            self._news.clear()
            used, self._tokens = self._tokens, set()
            try:
                async with database.write() as session:
                    query = update(Token).where(Token.id.in_(used))
                    await session.execute(query.values(last_used=datetime.now(UTC)))
            except (BackendError, SQLAlchemyError):
                log.warning("the last use of logins could not be written", exc_info=True)
            await asyncio.sleep(WRITE_SECONDS)
