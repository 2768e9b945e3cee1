"""Routes of jobs: create, plan, list, stop, extend, resume, delete, events, access reviews, visible jobs."""

from typing import Annotated
from urllib.parse import quote, urlencode

import msgspec
from fastapi import APIRouter, Depends, Header, Query, Request, Response

from backend.jobs import lifecycle, listing, reading
from backend.jobs.access import review
from backend.jobs.create import CreateRequest, create, plan
from backend.jobs.request_body import parse_job_body
from backend.openapi import struct_body, struct_response
from backend.routes.bodies import StructResponse, decode_body
from backend.routes.deps import CanCreate, CanSee, RuntimeDep, SelectedJob
from backend.routes.request_text import read_json
from backend_client.errors import Invalid
from backend_client.models import Job, JobSpec
from backend_client.protocol import AccessReview, Page, Plan
from backend_client.server.bodies import Events, NewLimit, VisibleJobs
from backend_client.why import Explanation

router = APIRouter(prefix="/api", tags=["jobs"])
_VISIBLE_JOBS = msgspec.json.Decoder(VisibleJobs)
_LIMIT = msgspec.json.Decoder(NewLimit)
_REVIEWS = msgspec.json.Decoder(list[AccessReview])
MAX_REVIEWS = 1_000


@router.post(
    "/jobs", status_code=201, responses={201: struct_response(Job)}, openapi_extra=struct_body(JobSpec)
)
async def submit(
    request: Request,
    runtime: RuntimeDep,
    caller: CanCreate,
    idempotency_key: Annotated[str, Header(max_length=255)] = "",
) -> Response:
    """Make a job. Without `kind` a deployment. `secrets` are NAME: value; their values are kept nowhere.

    `deploymentName`, `imageName` and `resources` (limits, requests) say the same in other names.
    """
    body = await read_json(request)
    spec, secrets = parse_job_body(body, runtime.jobs.clusters.kubernetes.gpu_resource)
    job = await create(
        runtime.jobs,
        CreateRequest(caller=caller, spec=spec, secrets=secrets, idempotency_key=idempotency_key, body=body),
    )
    where = urlencode({"cluster": job.ref.context, "uid": job.ref.uid})
    return StructResponse(job, 201, {"Location": f"/api/jobs/{quote(job.name)}?{where}"})


@router.post("/plan", responses={200: struct_response(Plan)}, openapi_extra=struct_body(JobSpec))
async def dry_run(request: Request, runtime: RuntimeDep, caller: CanCreate) -> Response:
    """What a create of the same body would do."""
    spec, _ = parse_job_body(await read_json(request), runtime.jobs.clusters.kubernetes.gpu_resource)
    return StructResponse(await plan(runtime.jobs, caller, spec))


@router.get("/jobs", responses={200: struct_response(Page)})
async def jobs(
    runtime: RuntimeDep,
    caller: CanSee,
    job_filter: Annotated[listing.JobFilter, Depends(listing.parse_filter)],
    limit: Annotated[int, Query(ge=1, le=1000)] = 500,
    after: str = "",
) -> Response:
    """Newest first, in pages."""
    runtime.jobs.hub.note_look()
    return StructResponse(await listing.page(runtime.jobs, caller, job_filter, limit, after))


@router.get("/jobs/{name}", responses={200: struct_response(Job)})
async def job(name: str, runtime: RuntimeDep, caller: CanSee, selector: SelectedJob) -> Response:
    """One job, as its cluster has it; as it was last known, where that does not answer."""
    return StructResponse(await reading.current_job(runtime.jobs, caller, name, selector))


@router.delete("/jobs/{name}", status_code=204, response_class=Response)
async def delete(
    name: str, runtime: RuntimeDep, caller: CanSee, selector: SelectedJob, wait: bool = True
) -> None:
    """Accept the deletion; how it goes comes by the watch.

    Without `wait` the job is gone once its cluster has taken the deletion on, whatever still holds it there.
    """
    await lifecycle.delete(runtime.jobs, caller, name, selector, wait=wait)


@router.post("/jobs/{name}/stop", responses={200: struct_response(Job)})
async def stop(name: str, runtime: RuntimeDep, caller: CanSee, selector: SelectedJob) -> Response:
    """Ask for the end. Of an ended job: nothing happens."""
    return StructResponse(await lifecycle.stop(runtime.jobs, caller, name, selector))


@router.post(
    "/jobs/{name}/extend", responses={200: struct_response(Job)}, openapi_extra=struct_body(NewLimit)
)
async def extend(
    name: str, request: Request, runtime: RuntimeDep, caller: CanSee, selector: SelectedJob
) -> Response:
    """Raise the time limit of a job to so many seconds, from its start. May be repeated."""
    limit = (await decode_body(request, _LIMIT, "a time limit")).max_runtime
    return StructResponse(await lifecycle.extend(runtime.jobs, caller, name, selector, limit))


@router.post("/jobs/{name}/resume", responses={200: struct_response(Job)})
async def resume(name: str, runtime: RuntimeDep, caller: CanSee, selector: SelectedJob) -> Response:
    """Go on with a stopped job."""
    return StructResponse(await lifecycle.resume(runtime.jobs, caller, name, selector))


@router.get("/jobs/{name}/events", responses={200: struct_response(Events)})
async def events(name: str, runtime: RuntimeDep, caller: CanSee, selector: SelectedJob) -> Response:
    """What happened to it, oldest first."""
    return StructResponse(Events(tuple(await reading.events_of(runtime.jobs, caller, name, selector))))


@router.get("/jobs/{name}/why", responses={200: struct_response(Explanation)})
async def why(name: str, runtime: RuntimeDep, caller: CanSee, selector: SelectedJob) -> Response:
    """Why it does not run, or how it failed; names no job of others, unless `show_others` is set."""
    return StructResponse(await reading.explanation_of(runtime.jobs, caller, name, selector))


@router.post("/access", openapi_extra=struct_body(AccessReview, several=True))
async def access(request: Request, runtime: RuntimeDep, caller: CanSee) -> Response:
    """May I do this? A list of asks, a list of verdicts."""
    reviews = await decode_body(request, _REVIEWS, "a list of asks")
    if len(reviews) > MAX_REVIEWS:
        raise Invalid({"body": f"at most {MAX_REVIEWS} at once"})
    return StructResponse([await review(runtime.jobs, caller, asked) for asked in reviews])


@router.post("/look", status_code=204, response_class=Response, openapi_extra=struct_body(VisibleJobs))
async def look(request: Request, runtime: RuntimeDep, caller: CanSee) -> None:
    """These jobs are on a screen: their progress is read out of their logs, and comes by the watch.

    Replaces what that screen said before; forgotten after 90 seconds.
    """
    visible = await decode_body(request, _VISIBLE_JOBS, "a screen and its uids")
    await runtime.jobs.visible_jobs.set_visible_jobs(caller, visible)
