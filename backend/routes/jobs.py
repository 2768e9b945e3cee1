"""Jobs of one's own: make, list, look, stop, resume, delete."""

from typing import Annotated, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from fastapi import APIRouter, Depends, Header, Query, Request, Response

from backend.auth.caller import Caller
from backend.authorization import Action, allowed, may
from backend.db.models import JobRow
from backend.jobs import lifecycle, listing
from backend.jobs.create import CreateRequest, create, plan
from backend.jobs.request_body import parse_job_body
from backend.jobs.rows import JobSelector, find_row, job_of, ref_of
from backend.openapi import struct_body, struct_response
from backend.routes.clusters import JSON
from backend.runtime import Runtime, get_runtime
from backend_client.errors import Invalid
from backend_client.models import Job, JobSpec
from backend_client.protocol import AccessDecision, AccessReview, Feature, Page, Plan, Verb
from backend_client.server.bodies import Events, VisibleJobs
from backend_client.server.wire import encode

T = TypeVar("T")

router = APIRouter(prefix="/api", tags=["jobs"])
Here = Annotated[Runtime, Depends(get_runtime)]
See = Annotated[Caller, Depends(allowed(Action.SEE))]
Create = Annotated[Caller, Depends(allowed(Action.CREATE))]
_LOOK = msgspec.json.Decoder(VisibleJobs)
_ASKS = msgspec.json.Decoder(list[AccessReview])
MAX_REVIEWS = 1_000
NOT_THERE = "There is no such job of yours."


def select_job(cluster: str = "", owner: str = "", uid: str = "") -> JobSelector:
    """Which of several jobs of one name; `uid` is a precondition."""
    return JobSelector(cluster, owner, uid)


Meant = Annotated[JobSelector, Depends(select_job)]


@router.post(
    "/jobs", status_code=201, responses={201: struct_response(Job)}, openapi_extra=struct_body(JobSpec)
)
async def submit(
    request: Request,
    runtime: Here,
    caller: Create,
    idempotency_key: Annotated[str, Header(max_length=255)] = "",
) -> Response:
    """Make a job. Without `kind` a deployment. `secrets` are NAME: value; their values are kept nowhere.

    `deploymentName`, `imageName` and `resources` (limits, requests) say the same in other names.
    """
    body = await request.body()
    spec, secrets = parse_job_body(body, runtime.jobs.clusters.kubernetes.gpu_resource)
    job = await create(
        runtime.jobs,
        CreateRequest(caller=caller, spec=spec, secrets=secrets, idempotency_key=idempotency_key, body=body),
    )
    where = urlencode({"cluster": job.ref.context, "uid": job.ref.uid})
    return Response(encode(job), 201, {"Location": f"/api/jobs/{quote(job.name)}?{where}"}, JSON)


@router.post("/plan", responses={200: struct_response(Plan)}, openapi_extra=struct_body(JobSpec))
async def dry_run(request: Request, runtime: Here, caller: Create) -> Response:
    """What a create of the same body would do."""
    spec, _ = parse_job_body(await request.body(), runtime.jobs.clusters.kubernetes.gpu_resource)
    return Response(encode(await plan(runtime.jobs, caller, spec)), media_type=JSON)


@router.get("/jobs", responses={200: struct_response(Page)})
async def jobs(
    runtime: Here,
    caller: See,
    wanted: Annotated[listing.JobFilter, Depends(listing.parse_filter)],
    limit: Annotated[int, Query(ge=1, le=1000)] = 500,
    after: str = "",
) -> Response:
    """Newest first, in pages."""
    return Response(await listing.page(runtime.jobs, caller, wanted, limit, after), media_type=JSON)


@router.get("/jobs/{name}", responses={200: struct_response(Job)})
async def job(name: str, runtime: Here, caller: See, meant: Meant) -> Response:
    """One job, as its cluster has it; as it was last known, where that does not answer."""
    row, owner = await _find_row(runtime, caller, name, meant)
    known = runtime.jobs.hub.get(row.cluster, row.uid or "")
    return Response(known.encoded if known else encode(job_of(row, owner)), media_type=JSON)


@router.delete("/jobs/{name}", status_code=204, response_class=Response)
async def delete(name: str, runtime: Here, caller: See, meant: Meant, wait: bool = True) -> None:
    """Accept the deletion; how it goes comes by the watch.

    Without `wait` the job is gone once its cluster has taken the deletion on, whatever still holds it there.
    """
    await lifecycle.delete(runtime.jobs, caller, name, meant, wait=wait)


@router.post("/jobs/{name}/stop", responses={200: struct_response(Job)})
async def stop(name: str, runtime: Here, caller: See, meant: Meant) -> Response:
    """Ask for the end. Of an ended job: nothing happens."""
    return Response(encode(await lifecycle.stop(runtime.jobs, caller, name, meant)), media_type=JSON)


@router.post("/jobs/{name}/resume", responses={200: struct_response(Job)})
async def resume(name: str, runtime: Here, caller: See, meant: Meant) -> Response:
    """Go on with a stopped job."""
    return Response(encode(await lifecycle.resume(runtime.jobs, caller, name, meant)), media_type=JSON)


@router.get("/jobs/{name}/events", responses={200: struct_response(Events)})
async def events(name: str, runtime: Here, caller: See, meant: Meant) -> Response:
    """What happened to it, oldest first."""
    row, _ = await _find_row(runtime, caller, name, meant)
    cluster = runtime.jobs.clusters.get(row.cluster)
    async with cluster.breaker.call():
        found = await cluster.backend.events(ref_of(row))
    return Response(encode(Events(tuple(found))), media_type=JSON)


@router.post("/access", openapi_extra=struct_body(AccessReview, several=True))
async def access(request: Request, runtime: Here, caller: See) -> Response:
    """May I do this? A list of asks, a list of verdicts."""
    asks = _decoded(_ASKS, await request.body(), "a list of asks")
    if len(asks) > MAX_REVIEWS:
        raise Invalid({"body": f"at most {MAX_REVIEWS} at once"})
    return Response(encode([await _access_decision(runtime, caller, ask) for ask in asks]), media_type=JSON)


@router.post("/look", status_code=204, response_class=Response, openapi_extra=struct_body(VisibleJobs))
async def look(request: Request, runtime: Here, caller: See) -> None:
    """These jobs are on a screen: their progress is read out of their logs, and comes by the watch.

    Replaces what that screen said before; forgotten after 90 seconds.
    """
    await runtime.jobs.visible_jobs.set_visible_jobs(
        caller, _decoded(_LOOK, await request.body(), "a screen and its uids")
    )


def _decoded(decoder: msgspec.json.Decoder[T], body: bytes, what: str) -> T:
    """A request's body. Raises Invalid where it is not `what`."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid({"body": f"write {what}: {error}"}) from None


async def _access_decision(runtime: Runtime, caller: Caller, ask: AccessReview) -> AccessDecision:
    """The server's own; a job that is not the caller's is as one that is not there."""
    action = Action.SEE if ask.verb is Verb.LOGS else Action(ask.verb)
    if ask.ref is None:
        return may(caller, action)
    found = runtime.jobs.hub.find_owner(ask.ref.uid)
    if found is None:
        return AccessDecision(None, NOT_THERE)
    cluster, owner = found
    lacks = runtime.jobs.clusters.get(cluster).backend.missing_features
    verdict = may(caller, action, owner.user_id)
    if verdict.allowed and ask.verb is Verb.RESUME and Feature.RESUME in lacks:
        return AccessDecision(False, lacks[Feature.RESUME])
    return verdict if owner.user_id == caller.user_id or verdict.allowed else AccessDecision(None, NOT_THERE)


async def _find_row(runtime: Runtime, caller: Caller, name: str, meant: JobSelector) -> tuple[JobRow, str]:
    async with runtime.database.read() as session:
        return await find_row(session, caller, name, meant)
