"""Stop, resume and delete of all jobs that are marked in the list, with one question."""

from collections.abc import Sequence
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Query, Request, Response

from backend.auth.caller import Caller
from backend.authorization import Action, may, visible_users
from backend.clusters.event_log import Audience
from backend.error_responses import status_of
from backend.jobs.rows import JobSelector
from backend.jobs.service import JobService
from backend.routes.deps import CanSee, RuntimeDep
from backend.web.deps import SiteDep
from backend.web.forms import Form, read_form
from backend.web.pages.job_actions import DO, why_not
from backend.web.pages.jobs import MOST_DONE, Listing, ListingDep, done_query, parse_listing
from backend_client.bulk import do_all
from backend_client.errors import Invalid, LoginNeeded, sentence
from backend_client.models import Job
from backend_client.protocol import Verb
from backend_client.text.questions import lost_by_stop, not_all_done, question

router = APIRouter(include_in_schema=False)


class Selection(NamedTuple):
    """The marked jobs: those that take part, and why others do not."""

    jobs: list[Job]
    left_out: list[str]


@router.get("/selected")
async def ask(  # noqa: PLR0917  one for each part of the request
    request: Request,
    runtime: RuntimeDep,
    caller: CanSee,
    site: SiteDep,
    listing: ListingDep,
    verb: str = "",
    job: Annotated[list[str], Query()] = [],  # noqa: B006  FastAPI's way
) -> Response:
    """Ask one question for all; where nothing can be done, why."""
    asked = _verb(verb)
    jobs, left_out = select(runtime.jobs, caller, asked, job)
    words = question(asked, jobs, left_out, _lost(runtime.jobs, jobs))
    refused = may(caller, Action(asked)).why
    if not jobs:
        refused = sentence("; ".join(left_out) or "No job is marked")
    return site.page(
        request,
        "question.html",
        caller=caller,
        question=words.question,
        detail=words.detail.split("\n") if jobs else [],
        yes=words.yes,
        kind="primary" if asked is Verb.RESUME else "bad",
        refused=refused,
        action=site.url("/selected"),
        hidden=[
            ("verb", asked),
            *(("job", f"{one.ref.context}/{one.ref.uid}") for one in jobs),
            *listing.address.items(),
        ],
        back=site.url("/jobs", **listing.address),
    )


@router.post("/selected")
async def act(request: Request, runtime: RuntimeDep, caller: CanSee, site: SiteDep) -> Response:
    """Do it to each, some at a time; say which failed, and why."""
    form = await read_form(request)
    verb, listing = _verb(form.text("verb")), _listing(form)
    jobs, _ = select(runtime.jobs, caller, verb, form.all("job"))

    async def do(job: Job) -> None:
        await DO[verb](runtime.jobs, caller, job.name, JobSelector(job.ref.context, uid=job.ref.uid))

    failures = await do_all(do, jobs)
    for failure in failures:
        if isinstance(failure.error, LoginNeeded):
            raise failure.error
    if not failures:
        return site.redirect("/jobs", **listing.address, **done_query(verb, [job.name for job in jobs]))
    return site.page(
        request,
        "not_done.html",
        caller=caller,
        status=status_of(failures[0].error) if len(failures) == len(jobs) else 200,
        title=not_all_done(verb, len(failures), len(jobs)),
        failures=failures,
        back=site.url("/jobs", **listing.address),
    )


def select(service: JobService, caller: Caller, verb: Verb, marked: Sequence[str]) -> Selection:
    """Find the marked jobs, each CLUSTER/UID; others' are as none. Raises Invalid for too many."""
    if len(marked) > MOST_DONE:
        raise Invalid({"job": f"at most {MOST_DONE} at once"})
    is_allowed = may(caller, Action(verb)).allowed
    audience = Audience(visible_users(caller))
    jobs: list[Job] = []
    left_out: dict[str, None] = {}
    for mark in dict.fromkeys(marked):
        cluster, _, uid = mark.rpartition("/")
        found = service.hub.get(cluster, uid)
        if found is None or not audience.sees(found.user_id, found.key):
            left_out["there is no such job"] = None
        elif is_allowed and (why := why_not(service, caller, verb, found.job)):
            left_out[why] = None
        else:
            jobs.append(found.job)
    return Selection(jobs, [*left_out])


def _verb(word: str) -> Verb:
    for verb in DO:
        if word == verb:
            return verb
    raise Invalid({"verb": f"there are {', '.join(DO)}"})


def _listing(form: Form) -> Listing:
    page = form.text("page")
    number = int(page) if page.isdecimal() and len(page) < 7 else 1
    return parse_listing(form.text("q")[:200], form.text("order"), form.text("group"), max(1, number))


def _lost(service: JobService, jobs: Sequence[Job]) -> str:
    """Say what becomes of the logs of stopped jobs, in each cluster where they do not stay."""
    clusters = dict.fromkeys(job.ref.context for job in jobs)
    sentences = (lost_by_stop(service.clusters.get(cluster).backend) for cluster in clusters)
    return " ".join(dict.fromkeys(filter(None, sentences)))
