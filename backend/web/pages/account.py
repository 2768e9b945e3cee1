"""The page of one's own account: password, and one's logins."""

from typing import Any

from fastapi import APIRouter, Request, Response

from backend.accounts import log_in, own_logins
from backend.auth.caller import Caller
from backend.auth.password_guard import TooMany
from backend.error_responses import headers_of, status_of
from backend.routes.deps import CurrentCaller, RuntimeDep
from backend.runtime import Runtime
from backend.web.deps import SiteDep
from backend.web.forms import read_form, typed_twice
from backend.web.rendering import Site
from backend_client.errors import BackendError, Forbidden, Invalid, LoginNeeded

_SAID_IN_THE_FORM = (LoginNeeded, Forbidden, Invalid, TooMany)
_DONE = {
    "password": "The password is changed; your other logins have ended.",
    "ended": "The login has ended.",
    "others": "Your other logins have ended.",
}
"""`?done=` -> what has just been done, as a sentence."""
router = APIRouter(include_in_schema=False)


@router.get("/account")
async def account(
    request: Request, runtime: RuntimeDep, caller: CurrentCaller, site: SiteDep, done: str = ""
) -> Response:
    """Show who one is, and where one is logged in."""
    return await _page(request, runtime, caller, site, done=_DONE.get(done, ""))


@router.post("/account/password")
async def password(request: Request, runtime: RuntimeDep, caller: CurrentCaller, site: SiteDep) -> Response:
    """Change it; all other logins end."""
    form = await read_form(request)
    try:
        await log_in.change_password(runtime, caller, form.text("old"), typed_twice(form))
    except _SAID_IN_THE_FORM as error:
        return await _page(request, runtime, caller, site, where="password", error=error)
    return site.redirect("/account", done="password")


@router.post("/account/logins")
async def add_login(request: Request, runtime: RuntimeDep, caller: CurrentCaller, site: SiteDep) -> Response:
    """Make a login of a program's own, for one's password as at the login; its token is shown this once."""
    form = await read_form(request)
    name = form.text("name").strip()
    try:
        if not name:
            raise Invalid({"name": "is missing"})
        origin = log_in.entrance(request, name)
        came = await log_in.log_in(runtime, caller.name, form.text("password"), origin)
    except _SAID_IN_THE_FORM as error:
        return await _page(request, runtime, caller, site, where="logins", name=name, error=error)
    return site.page(request, "token.html", caller=caller, secret=True, name=name, came=came)


@router.post("/account/logins/end-others")
async def end_others(runtime: RuntimeDep, caller: CurrentCaller, site: SiteDep) -> Response:
    """End all logins but this one."""
    await own_logins.revoke_other_logins(runtime, caller)
    return site.redirect("/account", done="others")


@router.post("/account/logins/{token_id}/end")
async def end_login(token_id: int, runtime: RuntimeDep, caller: CurrentCaller, site: SiteDep) -> Response:
    """End one of one's logins."""
    await own_logins.revoke_login(runtime, caller, token_id)
    return site.redirect("/account", done="ended")


async def _page(
    request: Request,
    runtime: Runtime,
    caller: Caller,
    site: Site,
    *,
    error: BackendError | None = None,
    **context: Any,
) -> Response:
    """Render the page. `where`: the form that has the `error`."""
    page = site.page(
        request,
        "account.html",
        caller=caller,
        status=status_of(error) if error else 200,
        error=error,
        logins=await own_logins.list_logins(runtime, caller),
        **{"where": "", "done": "", "name": "", **context},
    )
    page.headers.update(headers_of(error) if error else {})
    return page
