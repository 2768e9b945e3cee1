"""Routes of the accounts, for admins."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field, SecretStr
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.audit import record
from backend.auth import tokens
from backend.auth.stream_revocation import LOGIN_ENDED, ROLE_CHANGED
from backend.auth.users import add_user, check_team, get_user, viewers_of
from backend.db.models import User
from backend.routes.bodies import RequestModel
from backend.routes.deps import CanManageUsers, RuntimeDep
from backend_client.errors import Conflict
from backend_client.server.roles import Role

router = APIRouter(prefix="/api/users", tags=["people"])


Quota = Annotated[int | None, Field(ge=0, le=2**31 - 1)]


class NewUser(RequestModel):
    """An account; the least role unless said otherwise."""

    user: str = Field(max_length=64)
    password: SecretStr
    role: Role = Role.VIEWER
    team: str = Field("", max_length=64)


class Change(RequestModel):
    """What to change; what is left out stays. A quota of null is the server's own."""

    role: Role | None = None
    disabled: bool | None = None
    team: str | None = Field(None, max_length=64)
    """Viewers see the jobs of their team; "*" lets a viewer see everybody's, "" nobody's but their own."""
    max_gpus: Quota = None
    max_jobs: Quota = None
    max_pods: Quota = None
    max_cpus: Quota = None
    max_memory_gib: Quota = None
    password: SecretStr | None = None


class Person(BaseModel):
    """An account, as admins see it."""

    user: str
    role: Role
    disabled: bool
    team: str
    created: datetime
    max_gpus: int | None
    max_jobs: int | None
    max_pods: int | None
    max_cpus: int | None
    max_memory_gib: int | None


class People(BaseModel):
    """All accounts, by name."""

    items: list[Person]


@router.get("")
async def people(runtime: RuntimeDep, _admin: CanManageUsers) -> People:
    """All accounts."""
    async with runtime.database.read() as session:
        rows = await session.scalars(select(User).order_by(User.name_key))
        return People(items=[_person(row) for row in rows])


@router.post("", status_code=201)
async def add(body: NewUser, runtime: RuntimeDep, admin: CanManageUsers) -> Person:
    """A new account."""
    hashed = await runtime.passwords.hash_new(body.password.get_secret_value(), body.user)
    async with runtime.database.write() as session:
        user = await add_user(session, body.user, hashed, body.role)
        user.team = check_team(body.team)
        viewers = await viewers_of(session, {user.team})
        await record(session, admin, "add user", f"{user.name} {user.role} {user.team}".rstrip())
        added = _person(user)
    runtime.revocations.revoke(viewers, ROLE_CHANGED)
    return added


@router.get("/{name}")
async def person(name: str, runtime: RuntimeDep, _admin: CanManageUsers) -> Person:
    """One account."""
    async with runtime.database.read() as session:
        return _person(await get_user(session, name))


@router.patch("/{name}")
async def change(name: str, body: Change, runtime: RuntimeDep, admin: CanManageUsers) -> Person:
    """Role, disabled, quotas, a new password. Disabling and a new password end all logins of that person."""
    fresh = body.password
    hashed = await runtime.passwords.hash_new(fresh.get_secret_value(), name) if fresh else ""
    async with runtime.database.write() as session:
        admins = await _lock_admins(session)
        user = await get_user(session, name)
        role, team = user.role, user.team
        _apply(user, body, hashed)
        if admins == [user.id] and (user.disabled or user.role != Role.ADMIN):
            raise Conflict(f"{user.name} is the last admin.", "Make another one first.")
        over = user.disabled or bool(hashed)
        logins = await (tokens.revoke if over else tokens.token_ids)(session, user.id)
        await record(session, admin, "change user", f"{user.name}: {_change_text(body)}")
        viewers = await viewers_of(session, {team, user.team}) if user.team != team else []
        changed = _person(user)
    if over or (changed.role, changed.team) != (role, team):
        runtime.revocations.revoke(logins, LOGIN_ENDED if over else ROLE_CHANGED)
    runtime.revocations.revoke(viewers, ROLE_CHANGED)
    return changed


async def _lock_admins(session: AsyncSession) -> list[int]:
    """Lock the admins, and return their ids: two who disable each other at once do not both succeed."""
    query = select(User.id).where(User.role == Role.ADMIN, User.disabled.is_(False)).order_by(User.id)
    return [*await session.scalars(query.with_for_update())]


def _apply(user: User, body: Change, hashed: str) -> None:
    for field in body.model_fields_set - {"password"}:
        value = getattr(body, field)
        if value is not None or field.startswith("max_"):
            setattr(user, field, check_team(value) if field == "team" else value)
    user.password_hash = hashed or user.password_hash


def _change_text(body: Change) -> str:
    changes = [f"{field}={getattr(body, field)}" for field in sorted(body.model_fields_set - {"password"})]
    return ", ".join([*changes, "a new password"] if body.password else changes)


def _person(user: User) -> Person:
    fields = {field: getattr(user, field) for field in Person.model_fields if field != "user"}
    return Person(user=user.name, **fields)
