"""Pages of the accounts, for admins: all of them, and one."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response

from backend.accounts import people as service
from backend.auth.caller import Caller
from backend.db.models import User
from backend.error_responses import status_of
from backend.routes.deps import CanManageUsers, RuntimeDep
from backend.runtime import Runtime
from backend.web.deps import SiteDep
from backend.web.forms import Form, read_form, typed_twice
from backend.web.rendering import Site
from backend_client.errors import BackendError, Conflict, Invalid
from backend_client.server.roles import Role
from backend_client.text.sanitize import clean

QUOTAS = {
    "max_gpus": "GPUs",
    "max_jobs": "Jobs",
    "max_pods": "Pods",
    "max_cpus": "CPUs",
    "max_memory_gib": "Memory (GiB)",
}
"""Field -> its label."""
_MOST = 2**31 - 1
_SAID_IN_THE_FORM = (Invalid, Conflict)
_DONE = {
    "added": "The account is made.",
    "changed": "It is changed.",
    "password": "The password is changed; all logins of this person have ended.",
    "disabled": "The account is disabled; all its logins have ended.",
    "enabled": "The account can log in again.",
}
"""`?done=` -> what has just been done, as a sentence."""
router = APIRouter(include_in_schema=False)


def person_path(name: str, part: str = "") -> str:
    """Return the path of a person's page, or of a part of it."""
    return f"/people/{quote(name, '')}" + (f"/{part}" if part else "")


@router.get("/people")
async def people(request: Request, runtime: RuntimeDep, admin: CanManageUsers, site: SiteDep) -> Response:
    """Show all accounts, and the form of a new one."""
    return await _list_page(request, runtime, admin, site)


@router.post("/people")
async def add(request: Request, runtime: RuntimeDep, admin: CanManageUsers, site: SiteDep) -> Response:
    """Make a new account."""
    form = await read_form(request)
    try:
        name, team = form.text("user").strip(), form.text("team").strip()
        added = await service.add_person(runtime, admin, name, typed_twice(form), role=_role(form), team=team)
    except _SAID_IN_THE_FORM as error:
        return await _list_page(request, runtime, admin, site, typed=form, error=error)
    return site.redirect(person_path(added.name), done="added")


@router.get("/people/{name}")
async def person(  # noqa: PLR0917  one for each part of the request
    name: str, request: Request, runtime: RuntimeDep, admin: CanManageUsers, site: SiteDep, done: str = ""
) -> Response:
    """Show one account."""
    found = await service.get_person(runtime, name)
    return _person_page(request, admin, site, found, done=_DONE.get(done, ""))


@router.post("/people/{name}")
async def change(
    name: str, request: Request, runtime: RuntimeDep, admin: CanManageUsers, site: SiteDep
) -> Response:
    """Change role, team and quotas: what differs from what is."""
    form = await read_form(request)
    found = await service.get_person(runtime, name)
    try:
        wanted = _changes(form)
        changes = {field: value for field, value in wanted.items() if value != getattr(found, field)}
        if changes:
            await service.change_person(runtime, admin, name, changes)
    except _SAID_IN_THE_FORM as error:
        return _person_page(request, admin, site, found, typed=form, where="change", error=error)
    return site.redirect(person_path(found.name), done="changed")


@router.post("/people/{name}/password")
async def password(
    name: str, request: Request, runtime: RuntimeDep, admin: CanManageUsers, site: SiteDep
) -> Response:
    """Set a new password; all logins of that person end."""
    form = await read_form(request)
    found = await service.get_person(runtime, name)
    try:
        if not form.text("password"):
            raise Invalid({"password": "is missing"})
        await service.change_person(runtime, admin, name, {}, typed_twice(form))
    except _SAID_IN_THE_FORM as error:
        return _person_page(request, admin, site, found, where="password", error=error)
    return site.redirect(person_path(found.name), done="password")


@router.get("/people/{name}/disable")
async def ask_disable(
    name: str, request: Request, runtime: RuntimeDep, admin: CanManageUsers, site: SiteDep
) -> Response:
    """Ask before an account is disabled."""
    found = await service.get_person(runtime, name)
    return site.page(
        request,
        "question.html",
        caller=admin,
        question=f"Disable {clean(found.name, 64)}?",
        detail=["All logins of this person end at once. Jobs that run go on."],
        action=site.url(person_path(found.name, "disable")),
        hidden=[],
        back=site.url(person_path(found.name)),
        yes="Disable",
    )


@router.post("/people/{name}/disable")
async def disable(name: str, runtime: RuntimeDep, admin: CanManageUsers, site: SiteDep) -> Response:
    """Let somebody in no more."""
    found = await service.change_person(runtime, admin, name, {"disabled": True})
    return site.redirect(person_path(found.name), done="disabled")


@router.post("/people/{name}/enable")
async def enable(name: str, runtime: RuntimeDep, admin: CanManageUsers, site: SiteDep) -> Response:
    """Let somebody in again."""
    found = await service.change_person(runtime, admin, name, {"disabled": False})
    return site.redirect(person_path(found.name), done="enabled")


def _role(form: Form) -> Role:
    try:
        return Role(form.text("role"))
    except ValueError:
        raise Invalid({"role": f"is one of {', '.join(Role)}"}) from None


def _changes(form: Form) -> dict[str, Any]:
    """Return what a form says of a person. Raises Invalid, which names all that is wrong."""
    wrong: dict[str, str] = {}
    changes: dict[str, Any] = {"role": _role(form), "team": form.text("team").strip()}
    for field in QUOTAS:
        try:
            changes[field] = _quota(form.text(field).strip())
        except ValueError as error:
            wrong[field] = str(error)
    if wrong:
        raise Invalid(wrong)
    return changes


def _quota(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(_MOST)) and int(text) <= _MOST):
        raise ValueError("write a whole number from 0, or nothing")
    return int(text)


async def _list_page(
    request: Request,
    runtime: Runtime,
    admin: Caller,
    site: Site,
    *,
    typed: Mapping[str, str] | None = None,
    error: BackendError | None = None,
) -> Response:
    return site.page(
        request,
        "people.html",
        caller=admin,
        status=status_of(error) if error else 200,
        people=await service.list_people(runtime),
        quotas=QUOTAS,
        path=person_path,
        roles=Role,
        typed=typed or {},
        error=error,
    )


def _person_page(
    request: Request,
    admin: Caller,
    site: Site,
    found: User,
    *,
    done: str = "",
    typed: Mapping[str, str] | None = None,
    where: str = "",
    error: BackendError | None = None,
) -> Response:
    """Render one account. `where`: the form that has the `error`; `typed`: what its fields held."""
    return site.page(
        request,
        "person.html",
        caller=admin,
        status=status_of(error) if error else 200,
        person=found,
        quotas=QUOTAS,
        path=person_path,
        roles=Role,
        typed=typed or {},
        where=where,
        done=done,
        error=error,
    )
