"""Pages to come in and to go: log in, log out, make an account."""

from fastapi import APIRouter, Request, Response

from backend.accounts import log_in as service
from backend.accounts.log_in import Entrance, LoggedIn, entrance
from backend.auth.caller import Caller, identify
from backend.auth.cookie import clear_login_cookie, clear_site_data, set_login_cookie, token_of
from backend.auth.password_guard import TooMany
from backend.auth.safe_next import safe_next
from backend.auth.users import check_user_name
from backend.error_responses import headers_of, status_of
from backend.routes.deps import RuntimeDep
from backend.runtime import Runtime
from backend.web.browsers import browser_name
from backend.web.deps import SiteDep
from backend.web.forms import Form, read_form, typed_twice
from backend.web.rendering import Site
from backend_client.errors import BackendError, Conflict, Forbidden, Invalid, LoginNeeded, Refused

_SAID_IN_THE_FORM = (LoginNeeded, Forbidden, Invalid, Conflict, TooMany)
router = APIRouter(include_in_schema=False)


@router.get("/login")
async def login_form(
    request: Request,
    runtime: RuntimeDep,
    site: SiteDep,
    next: str = "",  # noqa: A002  the usual word
) -> Response:
    """Show the form, and why an earlier login has ended; for who is logged in already, the way on."""
    caller, ended = await _visitor(request)
    return _login_page(request, site, runtime, goal=safe_next(next), caller=caller, ended=ended)


@router.post("/login")
async def log_in(request: Request, runtime: RuntimeDep, site: SiteDep) -> Response:
    """Make a new login for a user and a password.

    The one that this browser had ends: nothing holds it any more.
    """
    form = await read_form(request)
    user, goal = form.text("user").strip(), safe_next(form.text("next"))
    caller, _ = await _visitor(request)
    try:
        came = await service.log_in(runtime, check_user_name(user), form.text("password"), _browser(request))
    except _SAID_IN_THE_FORM as error:
        return _login_page(request, site, runtime, goal=goal, user=user, error=error)
    if caller:
        await service.log_out(runtime, caller)
    return _enter(site, came, goal)


@router.get("/login/check")
async def check(request: Request, site: SiteDep, next: str = "") -> Response:  # noqa: A002  the usual word
    """Send on to where one wanted to go; a browser that did not keep its login would come back for ever."""
    caller, ended = await _visitor(request)
    goal = safe_next(next)
    if caller:
        return site.redirect(goal)
    if ended:
        return site.redirect("/login", next=goal)
    raise Refused(
        "The browser did not keep the login.",
        "Some keep it over https alone: open this server by https, and allow its cookie.",
    )


@router.post("/logout")
async def log_out(request: Request, runtime: RuntimeDep, site: SiteDep) -> Response:
    """End this login, also in the browser; one that has ended already is forgotten there too."""
    caller, _ = await _visitor(request)
    if caller:
        await service.log_out(runtime, caller)
    response = site.redirect("/login")
    clear_login_cookie(response)
    clear_site_data(response)
    return response


@router.get("/register")
async def register_form(request: Request, runtime: RuntimeDep, site: SiteDep) -> Response:
    """Show the form of a new account; on a server without an admin, with its set-up code."""
    first = not await runtime.first_admin.exists()
    if not first:
        await service.check_registration(runtime)
    return _register_page(request, site, Form([]), first=first)


@router.post("/register")
async def register(request: Request, runtime: RuntimeDep, site: SiteDep) -> Response:
    """Make a new account, and a login of it."""
    form = await read_form(request)
    first = not await runtime.first_admin.exists()
    try:
        came = await _register(runtime, form, _browser(request), first=first)
    except _SAID_IN_THE_FORM as error:
        return _register_page(request, site, form, first=first, error=error)
    return _enter(site, came, "/")


async def _register(runtime: Runtime, form: Form, origin: Entrance, *, first: bool) -> LoggedIn:
    user, password, code = form.text("user").strip(), typed_twice(form), form.text("code").strip()
    if first and not code:
        raise Invalid({"code": "is missing"})
    return await service.register(runtime, check_user_name(user), password, origin, code=code)


async def _visitor(request: Request) -> tuple[Caller | None, str]:
    """Return who a browser is logged in as; where its login has ended, None and the sentence why."""
    try:
        return await identify(request), ""
    except LoginNeeded as error:
        return None, error.title if token_of(request.headers) is not None else ""


def _browser(request: Request) -> Entrance:
    return entrance(request, browser_name(request.headers.get("user-agent", "")))


def _enter(site: Site, came: LoggedIn, goal: str) -> Response:
    response = site.redirect("/login/check", next="" if goal == "/" else goal)
    set_login_cookie(response, came.token, came.expires)
    return response


def _login_page(
    request: Request,
    site: Site,
    runtime: Runtime,
    *,
    goal: str,
    user: str = "",
    caller: Caller | None = None,
    ended: str = "",
    error: BackendError | None = None,
) -> Response:
    page = site.page(
        request,
        "login.html",
        caller=caller,
        status=status_of(error) if error else 200,
        goal=goal,
        user=user,
        ended=ended,
        error=error,
        is_open=runtime.settings.registration == "open",
    )
    page.headers.update(headers_of(error) if error else {})
    return page


def _register_page(
    request: Request, site: Site, form: Form, *, first: bool, error: BackendError | None = None
) -> Response:
    page = site.page(
        request,
        "register.html",
        status=status_of(error) if error else 200,
        # Whoever has it may read it: typing it off a terminal again is no better.
        secret=True,
        first=first,
        user=form.text("user"),
        code=form.text("code"),
        error=error,
    )
    page.headers.update(headers_of(error) if error else {})
    return page
