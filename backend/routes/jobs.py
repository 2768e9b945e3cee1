"""Jobs of one's own: make, list, look, stop, resume, delete."""

from typing import Annotated, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from fastapi import APIRouter, Depends, Header, Query, Request, Response

from backend.auth.caller import Caller
from backend.authorization import Action, allowed, may
from backend.db.models import JobRow
from backend.jobs import lifecycle, listing
from backend.jobs.create import Order, create, plan
from backend.jobs.request_body import read
from backend.jobs.rows import JobSelector, find, job_of, ref_of
from backend.openapi import ref, takes
from backend.routes.clusters import JSON
from backend.runtime import Runtime, runtime
from backend_client.errors import Invalid
from backend_client.models import Job, JobSpec
from backend_client.protocol import AccessDecision, AccessReview, Feature, Page, Plan, Verb
from backend_client.server.bodies import Events, VisibleJobs
from backend_client.server.wire import encode

T = TypeVar("T")

router = APIRouter(prefix="/api", tags=["jobs"])
Here = Annotated[Runtime, Depends(runtime)]
See = Annotated[Caller, Depends(allowed(Action.SEE))]
Create = Annotated[Caller, Depends(allowed(Action.CREATE))]
_LOOK = msgspec.json.Decoder(VisibleJobs)
_ASKS = msgspec.json.Decoder(list[AccessReview])
MOST_ASKS = 1_000
NOT_THERE = "There is no such job of yours."


def which(cluster: str = "", owner: str = "", uid: str = "") -> JobSelector:
    """Which of several jobs of one name; `uid` is a precondition."""
    return JobSelector(cluster, owner, uid)


Meant = Annotated[JobSelector, Depends(which)]


@router.post("/jobs", status_code=201, responses={201: ref(Job)}, openapi_extra=takes(JobSpec))
async def submit(
    request: Request, here: Here, who: Create, idempotency_key: Annotated[str, Header(max_length=255)] = ""
) -> Response:
    """Make a job. Without `kind` a deployment. `secrets` are NAME: value; their values are kept nowhere.

    `deploymentName`, `imageName` and `resources` (limits, requests) say the same in other names.
    """
    body = await request.body()
    spec, secrets = read(body, here.desk.clusters.site.gpu_resource)
    job = await create(here.desk, Order(who=who, spec=spec, secrets=secrets, key=idempotency_key, body=body))
    where = urlencode({"cluster": job.ref.context, "uid": job.ref.uid})
    return Response(encode(job), 201, {"Location": f"/api/jobs/{quote(job.name)}?{where}"}, JSON)


@router.post("/plan", responses={200: ref(Plan)}, openapi_extra=takes(JobSpec))
async def dry_run(request: Request, here: Here, who: Create) -> Response:
    """What a create of the same body would do."""
    spec, _ = read(await request.body(), here.desk.clusters.site.gpu_resource)
    return Response(encode(await plan(here.desk, who, spec)), media_type=JSON)


@router.get("/jobs", responses={200: ref(Page)})
async def jobs(
    here: Here,
    who: See,
    wanted: Annotated[listing.Wanted, Depends(listing.wanted)],
    limit: Annotated[int, Query(ge=1, le=1000)] = 500,
    after: str = "",
) -> Response:
    """Newest first, in pages."""
    return Response(await listing.page(here.desk, who, wanted, limit, after), media_type=JSON)


@router.get("/jobs/{name}", responses={200: ref(Job)})
async def job(name: str, here: Here, who: See, meant: Meant) -> Response:
    """One job, as its cluster has it; as it was last known, where that does not answer."""
    row, owner = await _row(here, who, name, meant)
    known = here.desk.hub.get(row.cluster, row.uid or "")
    return Response(known.encoded if known else encode(job_of(row, owner)), media_type=JSON)


@router.delete("/jobs/{name}", status_code=204, response_class=Response)
async def delete(name: str, here: Here, who: See, meant: Meant, wait: bool = True) -> None:
    """Accept the deletion; how it goes comes by the watch.

    Without `wait` the job is gone once its cluster has taken the deletion on, whatever still holds it there.
    """
    await lifecycle.delete(here.desk, who, name, meant, wait=wait)


@router.post("/jobs/{name}/stop", responses={200: ref(Job)})
async def stop(name: str, here: Here, who: See, meant: Meant) -> Response:
    """Ask for the end. Of an ended job: nothing happens."""
    return Response(encode(await lifecycle.stop(here.desk, who, name, meant)), media_type=JSON)


@router.post("/jobs/{name}/resume", responses={200: ref(Job)})
async def resume(name: str, here: Here, who: See, meant: Meant) -> Response:
    """Go on with a stopped job."""
    return Response(encode(await lifecycle.resume(here.desk, who, name, meant)), media_type=JSON)


@router.get("/jobs/{name}/events", responses={200: ref(Events)})
async def events(name: str, here: Here, who: See, meant: Meant) -> Response:
    """What happened to it, oldest first."""
    row, _ = await _row(here, who, name, meant)
    cluster = here.desk.clusters.get(row.cluster)
    async with cluster.gate.call():
        found = await cluster.backend.events(ref_of(row))
    return Response(encode(Events(tuple(found))), media_type=JSON)


@router.post("/access", openapi_extra=takes(AccessReview, several=True))
async def access(request: Request, here: Here, who: See) -> Response:
    """May I do this? A list of asks, a list of verdicts."""
    asks = _decoded(_ASKS, await request.body(), "a list of asks")
    if len(asks) > MOST_ASKS:
        raise Invalid({"body": f"at most {MOST_ASKS} at once"})
    return Response(encode([await _verdict(here, who, ask) for ask in asks]), media_type=JSON)


@router.post("/look", status_code=204, response_class=Response, openapi_extra=takes(VisibleJobs))
async def look(request: Request, here: Here, who: See) -> None:
    """These jobs are on a screen: their progress is read out of their logs, and comes by the watch.

    Replaces what that screen said before; forgotten after 90 seconds.
    """
    await here.desk.looks.set_visible_jobs(
        who, _decoded(_LOOK, await request.body(), "a screen and its uids")
    )


def _decoded(decoder: msgspec.json.Decoder[T], body: bytes, what: str) -> T:
    """A request's body. Raises Invalid where it is not `what`."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid({"body": f"write {what}: {error}"}) from None


async def _verdict(here: Runtime, who: Caller, ask: AccessReview) -> AccessDecision:
    """The server's own; a job that is not the caller's is as one that is not there."""
    action = Action.SEE if ask.verb is Verb.LOGS else Action(ask.verb)
    if ask.ref is None:
        return may(who, action)
    found = here.desk.hub.whose(ask.ref.uid)
    if found is None:
        return AccessDecision(None, NOT_THERE)
    cluster, owner = found
    lacks = here.desk.clusters.get(cluster).backend.missing_features
    verdict = may(who, action, owner.user_id)
    if verdict.allowed and ask.verb is Verb.RESUME and Feature.RESUME in lacks:
        return AccessDecision(False, lacks[Feature.RESUME])
    return verdict if owner.user_id == who.user_id or verdict.allowed else AccessDecision(None, NOT_THERE)


async def _row(here: Runtime, who: Caller, name: str, meant: JobSelector) -> tuple[JobRow, str]:
    async with here.database.read() as session:
        return await find(session, who, name, meant)
