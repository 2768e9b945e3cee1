"""Routes of the audit log, for admins."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from backend import audit
from backend.db.models import AuditRow
from backend.routes.deps import CanReadAudit, RuntimeDep

router = APIRouter(prefix="/api/audit", tags=["people"])


class Line(BaseModel):
    """Who did what to which object, from where, and what came of it."""

    id: int
    time: datetime
    user: str
    verb: str
    object: str
    cluster: str
    result: str
    address: str
    request_id: str
    digest: str


class Lines(BaseModel):
    """A part of the log, newest first; `next` is the `after` of the following part, "" at the end."""

    items: list[Line]
    next: str


@router.get("")
async def lines(
    runtime: RuntimeDep,
    _admin: CanReadAudit,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[int, Query(ge=0, le=2**62)] = 0,
) -> Lines:
    """The log, newest first. Each digest covers the line and the digest of the line before it."""
    async with runtime.database.read() as session:
        rows = await audit.list_lines(session, after, limit)
    more = str(rows[-1].id) if len(rows) == limit else ""
    return Lines(items=[_line(row) for row in rows], next=more)


def _line(row: AuditRow) -> Line:
    return Line(**{field: getattr(row, field) for field in Line.model_fields})
