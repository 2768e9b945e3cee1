"""The accounts of a server, as its admins list, make and change them."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.audit import record
from backend.auth import tokens
from backend.auth.caller import Caller
from backend.auth.stream_revocation import LOGIN_ENDED, ROLE_CHANGED
from backend.auth.users import add_user, check_team, get_user, viewers_of
from backend.db.models import User
from backend.runtime import Runtime
from backend_client.errors import Conflict
from backend_client.server.roles import Role


async def list_people(runtime: Runtime) -> Sequence[User]:
    """List all accounts, by name."""
    async with runtime.database.read() as session:
        return [*await session.scalars(select(User).order_by(User.name_key))]


async def get_person(runtime: Runtime, name: str) -> User:
    """Return one account. Raises NotFound."""
    async with runtime.database.read() as session:
        return await get_user(session, name)


async def add_person(
    runtime: Runtime, admin: Caller, name: str, password: str, *, role: Role = Role.VIEWER, team: str = ""
) -> User:
    """Add an account. Raises Invalid, Conflict."""
    hashed = await runtime.passwords.hash_new(password, name)
    async with runtime.database.write() as session:
        user = await add_user(session, name, hashed, role)
        user.team = check_team(team)
        viewers = await viewers_of(session, {user.team})
        await record(session, admin, "add user", f"{user.name} {user.role} {user.team}".rstrip())
    runtime.revocations.revoke(viewers, ROLE_CHANGED)
    return user


async def change_person(
    runtime: Runtime, admin: Caller, name: str, changes: Mapping[str, Any], password: str = ""
) -> User:
    """Change role, team, disabled or quotas of an account, its password where one is given.

    Disabling and a new password end all logins of that person. Raises NotFound, Invalid, Conflict.
    """
    hashed = await runtime.passwords.hash_new(password, name) if password else ""
    async with runtime.database.write() as session:
        admins = await _lock_admins(session)
        user = await get_user(session, name)
        role, team = user.role, user.team
        _apply(user, changes, hashed)
        if admins == [user.id] and (user.disabled or user.role != Role.ADMIN):
            raise Conflict(f"{user.name} is the last admin.", "Make another one first.")
        over = user.disabled or bool(hashed)
        logins = await (tokens.revoke if over else tokens.token_ids)(session, user.id)
        await record(session, admin, "change user", f"{user.name}: {_change_text(changes, hashed)}")
        viewers = await viewers_of(session, {team, user.team}) if user.team != team else []
    if over or (user.role, user.team) != (role, team):
        runtime.revocations.revoke(logins, LOGIN_ENDED if over else ROLE_CHANGED)
    runtime.revocations.revoke(viewers, ROLE_CHANGED)
    return user


async def _lock_admins(session: AsyncSession) -> list[int]:
    """Lock the admins, and return their ids: two who disable each other at once do not both succeed."""
    query = select(User.id).where(User.role == Role.ADMIN, User.disabled.is_(False)).order_by(User.id)
    return [*await session.scalars(query.with_for_update())]


def _apply(user: User, changes: Mapping[str, Any], hashed: str) -> None:
    """Set what is to change; None is no value but for a quota, where it is the server's own."""
    for field, value in changes.items():
        if value is not None or field.startswith("max_"):
            setattr(user, field, check_team(value) if field == "team" else value)
    user.password_hash = hashed or user.password_hash


def _change_text(changes: Mapping[str, Any], hashed: str) -> str:
    told = [f"{field}={value}" for field, value in sorted(changes.items())]
    return ", ".join([*told, "a new password"] if hashed else told)
