"""Errors as pages, for who asked for a page: the same sentences as the API's, and the way to log in."""

from fastapi import Request, Response

from backend.auth.caller import request_id
from backend.web.rendering import site_of
from backend_client.errors import BackendError, LoginNeeded

_NOT_PAGES = ("/api", "/metrics", "/livez", "/readyz", "/static/", "/live/")


def is_page(request: Request) -> bool:
    """Tell whether a request is for a page."""
    return not request.url.path.startswith(_NOT_PAGES)


def error_page(request: Request, error: BackendError, status: int) -> Response:
    """Answer with an error as a page; where a login is needed, with the way there and back."""
    site = site_of(request)
    if isinstance(error, LoginNeeded):
        if request.method != "GET":
            return site.redirect("/login")
        query = f"?{request.url.query}" if request.url.query else ""
        here = request.url.path + query
        return site.redirect("/login", next="" if here == "/" else here)
    return site.page(request, "error.html", status=status, error=error, request_id=request_id(request))
