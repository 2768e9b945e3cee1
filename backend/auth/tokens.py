"""Tokens: opaque, 256 random bits, shown once. `td_`, 43 characters, 6 of a checksum; only a hash is kept."""

import base64
import hashlib
import re
import secrets
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.db.models import Token
from backend.settings import ServerSettings
from backend_client.models.secret import Secret

_SHAPE = re.compile(r"td_[A-Za-z0-9_-]{49}")
MAX_NAME_LENGTH = 100


def new_token() -> Secret:
    """Generate a new token."""
    body = secrets.token_urlsafe(32)
    return Secret(f"td_{body}{_checksum(body)}")


def well_formed(token: str) -> bool:
    """Tell whether a token has our shape and checksum: a typing error costs no look-up."""
    return bool(_SHAPE.fullmatch(token)) and secrets.compare_digest(_checksum(token[3:46]), token[46:])


def digest(token: str) -> str:
    """Return the SHA-256 under which a token is stored. No salt: 256 random bits are not guessed."""
    return hashlib.sha256(token.encode()).hexdigest()


def _checksum(body: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(b"td_" + body.encode()).digest())[:6].decode()


async def issue(
    session: AsyncSession, user_id: int, name: str, settings: ServerSettings
) -> tuple[Secret, Token]:
    """Log a user in: return the new token and its row."""
    token, now = new_token(), datetime.now(UTC)
    row = Token(
        user_id=user_id,
        digest=digest(token.reveal()),
        name=name[:MAX_NAME_LENGTH],
        created=now,
        expires=now + timedelta(seconds=settings.token_life),
        last_used=now,
    )
    session.add(row)
    await session.flush()
    return token, row


async def live_tokens(session: AsyncSession, user_id: int, settings: ServerSettings) -> list[Token]:
    """List the logins of a user that are still valid, newest first."""
    now = datetime.now(UTC)
    rows = await session.scalars(
        select(Token)
        .where(Token.user_id == user_id, Token.revoked.is_(None), Token.expires > now)
        .where(Token.last_used > now - timedelta(seconds=settings.token_idle))
        .order_by(Token.id.desc())
    )
    return [*rows]


async def revoke(session: AsyncSession, user_id: int, *, only: int = 0, keep: int = 0) -> list[int]:
    """End logins of a user (the one `only`, or all but `keep`); return the ids of those that were alive."""
    query = select(Token).where(Token.user_id == user_id, Token.revoked.is_(None), Token.id != keep)
    rows = [*await session.scalars(query.where(Token.id == only) if only else query)]
    for row in rows:
        row.revoked = datetime.now(UTC)
    return [row.id for row in rows]


async def token_ids(session: AsyncSession, user_id: int) -> list[int]:
    """Return the ids of a user's logins that nobody revoked."""
    query = select(Token.id).where(Token.user_id == user_id, Token.revoked.is_(None))
    return [*await session.scalars(query)]
