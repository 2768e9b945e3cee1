"""The logins that this server has given, by the hashes of their tokens, in memory.

Whoever shows one has a budget of requests and connections of their own, whatever others do from the same
address.
"""

from collections import OrderedDict

from sqlalchemy import select

from backend.auth.tokens import digest, well_formed
from backend.db.engine import Database
from backend.db.models import Token

MOST = 200_000
"""Logins at most; the oldest is dropped first."""


class KnownLogins:
    """Hashes of tokens, valid ones and ended ones."""

    def __init__(self) -> None:
        self._digests: OrderedDict[str, None] = OrderedDict()

    async def load(self, database: Database) -> None:
        """Learn the logins of the database."""
        async with database.read() as session:
            found = await session.scalars(select(Token.digest).order_by(Token.id.desc()).limit(MOST))
        for one in reversed([*found]):
            self._digests[one] = None

    def add(self, token: str) -> None:
        """Learn a new login."""
        self._digests[digest(token)] = None
        if len(self._digests) > MOST:
            self._digests.popitem(last=False)

    def find(self, token: str | None) -> str:
        """Return the hash of the token that a request shows, "" where it is of no login."""
        found = digest(token) if token and well_formed(token) else ""
        return found if found in self._digests else ""
