"""Routes of the accounts, for admins."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field, SecretStr

from backend.accounts.people import add_person, change_person, get_person, list_people
from backend.db.models import User
from backend.routes.bodies import RequestModel
from backend.routes.deps import CanManageUsers, RuntimeDep
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
    return People(items=[_person(row) for row in await list_people(runtime)])


@router.post("", status_code=201)
async def add(body: NewUser, runtime: RuntimeDep, admin: CanManageUsers) -> Person:
    """A new account."""
    password = body.password.get_secret_value()
    added = await add_person(runtime, admin, body.user, password, role=body.role, team=body.team)
    return _person(added)


@router.get("/{name}")
async def person(name: str, runtime: RuntimeDep, _admin: CanManageUsers) -> Person:
    """One account."""
    return _person(await get_person(runtime, name))


@router.patch("/{name}")
async def change(name: str, body: Change, runtime: RuntimeDep, admin: CanManageUsers) -> Person:
    """Role, disabled, quotas, a new password. Disabling and a new password end all logins of that person."""
    changes = {field: getattr(body, field) for field in body.model_fields_set - {"password"}}
    password = body.password.get_secret_value() if body.password else ""
    return _person(await change_person(runtime, admin, name, changes, password))


def _person(user: User) -> Person:
    fields = {field: getattr(user, field) for field in Person.model_fields if field != "user"}
    return Person(user=user.name, **fields)
