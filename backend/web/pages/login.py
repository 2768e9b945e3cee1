"""Pages to log in and out."""

from fastapi import APIRouter, Request, Response

from backend.web.deps import SiteDep

router = APIRouter(include_in_schema=False)


@router.get("/login")
async def login_form(request: Request, site: SiteDep, next: str = "") -> Response:  # noqa: A002  the usual word
    """The form."""
    return site.page(request, "login.html", next=next, user="", error=None)
