"""Errors as pages, for who asked for a page: the same sentences as the API's, and the way to log in."""

from fastapi import Request, Response

from backend.auth.caller import request_id
from backend.auth.first_admin import NoAdmin
from backend.error_responses import Answer, headers_of, status_of
from backend.web.rendering import site_of
from backend_client.errors import BackendError, LoginNeeded

_PROGRAMS = ("/api/", "/live/", "/static/", "/metrics/", "/livez/", "/readyz/")
"""Where the paths of programs begin; all others are pages."""


def pages_or(request: Request, problem: Answer) -> Answer:
    """Return what answers a request with an error: a page for a page, else a problem."""
    return problem if f"{request.scope['path']}/".startswith(_PROGRAMS) else error_page


def error_page(request: Request, error: BackendError, status: int, back: str = "") -> Response:
    """Answer with an error as a page; where a login is needed, with the way there and back.

    `back`: the address of the job that it is about.
    """
    site = site_of(request)
    if isinstance(error, LoginNeeded):
        query = f"?{request.url.query}" if request.url.query else ""
        here = request.scope["path"] + query
        return site.redirect("/login", next="" if request.method != "GET" or here == "/" else here)
    status = status or status_of(error)
    way = (site.url("/register"), "Become its admin") if isinstance(error, NoAdmin) else None
    page = site.page(
        request,
        "error.html",
        # Whoever is known by now keeps the way to all other pages.
        caller=getattr(request.state, "caller", None),
        status=status,
        error=error,
        back=back,
        request_id=request_id(request),
        way=way,
    )
    page.headers.update(headers_of(error))
    return page
