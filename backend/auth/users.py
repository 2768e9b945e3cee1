"""The users of a server: their names, and how they are added and found."""

import re
from collections.abc import Collection
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from backend.db.models import EVERY_TEAM, Token, User
from backend_client.errors import Conflict, Invalid, NotFound
from backend_client.server.roles import Role

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")


def check_user_name(text: str) -> str:
    """Check the name of a user, and return it. Raises Invalid."""
    if not _NAME.fullmatch(text):
        raise Invalid({"user": "1 to 64 letters, digits, '.', '_', '@', '+' or '-', a letter or digit first"})
    return text


def check_team(text: str) -> str:
    """Check the name of a team, "" and EVERY_TEAM too, and return it. Raises Invalid."""
    if text not in ("", EVERY_TEAM) and not _NAME.fullmatch(text):
        raise Invalid({"team": "letters, digits, '.', '_', '@', '+' or '-'; or * for a viewer of all teams"})
    return text


async def viewers_of(session: AsyncSession, teams: Collection[str]) -> list[int]:
    """Return the logins of the viewers of these teams, whose streams end when a team changes."""
    named = [team for team in teams if team]
    query = select(Token.id).join(User, User.id == Token.user_id).where(Token.revoked.is_(None))
    return [*await session.scalars(query.where(User.role == Role.VIEWER, User.team.in_(named)))]


async def add_user(session: AsyncSession, name: str, password_hash: str, role: Role) -> User:
    """Add a user. Raises Invalid, or Conflict where the name is taken, in whatever case."""
    user = User(
        name=check_user_name(name),
        name_key=name.casefold(),
        password_hash=password_hash,
        role=role,
        created=datetime.now(UTC),
    )
    session.add(user)
    try:
        await session.flush()
    except IntegrityError:
        raise Conflict(f"There is a user {name} already.", "Choose another name.") from None
    return user


async def find_user(session: AsyncSession, name: str) -> User | None:
    """Find the user of a name, in whatever case."""
    user: User | None = await session.scalar(select(User).where(User.name_key == name.casefold()))
    return user


async def get_user(session: AsyncSession, name: str) -> User:
    """Return the user of a name, in whatever case. Raises NotFound."""
    user = await find_user(session, name)
    if user is None:
        raise NotFound(f"There is no user {name[:64]}.")
    return user
