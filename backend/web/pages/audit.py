"""The page of the audit log, for admins: newest first, part by part."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from backend.audit import list_lines
from backend.routes.deps import CanReadAudit, RuntimeDep
from backend.web.deps import SiteDep

PAGE = 100
"""Lines of one part."""
router = APIRouter(include_in_schema=False)


@router.get("/audit")
async def audit(
    request: Request,
    runtime: RuntimeDep,
    admin: CanReadAudit,
    site: SiteDep,
    after: Annotated[int, Query(ge=0, le=2**62)] = 0,
) -> Response:
    """Show the newest lines, or those older than the line `after`."""
    async with runtime.database.read() as session:
        lines = await list_lines(session, after, PAGE)
    older = lines[-1].id if len(lines) == PAGE else 0
    return site.page(request, "audit.html", caller=admin, lines=lines, after=after, older=older)
