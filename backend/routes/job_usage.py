"""Routes of what jobs use: of one by rank, now and over time; of all that run in sum."""

from fastapi import APIRouter, Response

from backend.jobs import job_usage
from backend.openapi import struct_response
from backend.routes.bodies import StructResponse
from backend.routes.deps import CanSee, RuntimeDep, SelectedJob
from backend.routes.request_text import Moment
from backend_client.usage import Usage, UsageHistory, UsageTable

router = APIRouter(prefix="/api", tags=["jobs"])


@router.get("/usages", responses={200: struct_response(UsageTable)})
async def usages(runtime: RuntimeDep, caller: CanSee, cluster: str = "") -> Response:
    """What the running jobs of one cluster, or of all, use, by uid: as the watch told it last.

    While nobody looks the figures are up to five minutes old; `as_of` says how old.
    """
    return StructResponse(await job_usage.table(runtime.jobs, caller, cluster))


@router.get("/jobs/{name}/usage", responses={200: struct_response(Usage)})
async def usage(name: str, runtime: RuntimeDep, caller: CanSee, selector: SelectedJob) -> Response:
    """What one job uses now, by rank and GPU; what nobody tells is null, which is not 0."""
    return StructResponse(await job_usage.usage(runtime.jobs, caller, name, selector))


@router.get("/jobs/{name}/usage/history", responses={200: struct_response(UsageHistory)})
async def history(
    name: str, runtime: RuntimeDep, caller: CanSee, selector: SelectedJob, since: Moment | None = None
) -> Response:
    """What it has used since a time, without one in the last hour; after its end too, where that is kept.

    At most some 120 values of each measure; what many ask for is asked for once.
    """
    return StructResponse(await job_usage.history(runtime.jobs, caller, name, selector, since))
