"""Routes of what jobs have cost: sums over attempts, and the receipt of one job."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from backend.jobs.reading import receipt_of
from backend.jobs.rows import now
from backend.openapi import struct_response
from backend.routes.bodies import StructResponse
from backend.routes.deps import CanSee, RuntimeDep, SelectedJob
from backend.routes.request_text import Moment
from backend.usage import queries
from backend_client.usage_report import GroupBy, Receipt, ReportQuery, UsageReport

router = APIRouter(prefix="/api", tags=["jobs"])


@router.get("/usage", responses={200: struct_response(UsageReport)})
async def usage(  # noqa: PLR0917  one for each word of the query
    runtime: RuntimeDep,
    caller: CanSee,
    by: GroupBy = "user",
    since: Moment | None = None,
    until: Moment | None = None,
    zone: Annotated[str, Query(max_length=64)] = "UTC",
    user: str = "",
) -> Response:
    """What was held and used, in groups; of the last 7 days, where no time is named.

    Of one's own jobs; for a viewer also those of the team, for an admin all. Days are those of `zone`.
    """
    query = ReportQuery(by=by, since=since, until=until, zone=zone, user=user)
    return StructResponse(await queries.report(runtime.database, caller, query, now()))


@router.get("/jobs/{name}/receipt", responses={200: struct_response(Receipt)})
async def receipt(name: str, runtime: RuntimeDep, caller: CanSee, selector: SelectedJob) -> Response:
    """What one job has held and used so far, over all its attempts; also of one that is deleted."""
    return StructResponse(await receipt_of(runtime.jobs, caller, name, selector))
