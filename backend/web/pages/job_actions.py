"""Stop, resume and delete of one job: the question, and what it asks about."""

from collections.abc import Awaitable, Callable
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response

from backend.auth.caller import Caller
from backend.authorization import Action, may
from backend.jobs import lifecycle
from backend.jobs.access import decide
from backend.jobs.reading import current_job
from backend.jobs.rows import JobSelector
from backend.jobs.service import JobService
from backend.routes.deps import CanSee, RuntimeDep, SelectedJob
from backend.web.deps import SiteDep
from backend.web.errors import error_page
from backend.web.forms import read_form
from backend.web.pages.jobs import done_query
from backend_client.errors import BackendError, Conflict, Invalid, fragment, sentence
from backend_client.models import Job
from backend_client.protocol import AccessReview, Verb
from backend_client.text.questions import (
    Question,
    delete_question,
    leave_question,
    lost_by_stop,
    question,
    stop_question,
    why_left_out,
)
from backend_client.text.sanitize import clean

router = APIRouter(include_in_schema=False)
NO_WAIT = "leave"
"""The field of a second deletion, which no longer waits for what holds the job."""
Do = Callable[[JobService, Caller, str, JobSelector], Awaitable[object]]
DO: dict[Verb, Do] = {Verb.STOP: lifecycle.stop, Verb.RESUME: lifecycle.resume, Verb.DELETE: lifecycle.delete}
"""What is done to a job, by its name and a selector."""


def _verb_of(request: Request) -> Verb:
    """Return the verb at the end of an address."""
    return Verb(request.scope["path"].rpartition("/")[2])


VerbDep = Annotated[Verb, Depends(_verb_of)]


@router.get("/jobs/{name}/stop")
@router.get("/jobs/{name}/resume")
@router.get("/jobs/{name}/delete")
async def ask(  # noqa: PLR0917  one for each part of the request
    name: str,
    request: Request,
    runtime: RuntimeDep,
    caller: CanSee,
    selector: SelectedJob,
    site: SiteDep,
    verb: VerbDep,
) -> Response:
    """Ask the question; where the answer cannot be yes, why."""
    job = await current_job(runtime.jobs, caller, name, selector)
    refused, deleting = await _refusal(runtime.jobs, caller, verb, job)
    asked = _question(runtime.jobs, verb, job, deleting=deleting)
    hidden = [("cluster", job.ref.context), ("uid", job.ref.uid)]
    return site.page(
        request,
        "question.html",
        caller=caller,
        question=asked.question,
        detail=asked.detail.split("\n"),
        yes=asked.yes,
        kind="primary" if verb is Verb.RESUME else "bad",
        refused=refused,
        action=site.url(f"/jobs/{quote(job.name, '')}/{verb}"),
        hidden=[*hidden, (NO_WAIT, "yes")] if deleting else hidden,
        back=site.job_url(job.ref),
    )


@router.post("/jobs/{name}/stop")
@router.post("/jobs/{name}/resume")
@router.post("/jobs/{name}/delete")
async def act(  # noqa: PLR0917  one for each part of the request
    name: str, request: Request, runtime: RuntimeDep, caller: CanSee, site: SiteDep, verb: VerbDep
) -> Response:
    """Do it to the job that was asked about, and to no namesake."""
    form = await read_form(request)
    if not form.text("uid"):
        raise Invalid({"uid": "is missing"})
    selector = JobSelector(form.text("cluster"), uid=form.text("uid"))
    job = await current_job(runtime.jobs, caller, name, selector)
    try:
        if verb is Verb.DELETE and form.text(NO_WAIT):
            await lifecycle.delete(runtime.jobs, caller, name, selector, wait=False)
        else:
            await DO[verb](runtime.jobs, caller, name, selector)
    except BackendError as error:
        return error_page(request, error, 0, back=site.job_url(job.ref))
    if verb is Verb.DELETE:
        return site.redirect("/jobs", **done_query(verb, [job.name]))
    return site.redirect(f"/jobs/{quote(job.name, '')}", cluster=job.ref.context, uid=job.ref.uid)


def why_not(service: JobService, caller: Caller, verb: Verb, job: Job) -> str:
    """Return why this cannot be done to a job, with its name, as a fragment; "" where nothing is known."""
    name = clean(job.name, 80)
    decision = decide(service, caller, AccessReview(verb, job.ref))
    if decision.allowed is False:
        return f"{name}: {fragment(clean(decision.why, 300))}"
    left_out = why_left_out(verb, job)
    return f"{name} {left_out}" if left_out else ""


async def _refusal(service: JobService, caller: Caller, verb: Verb, job: Job) -> tuple[str, bool]:
    """Return why a job refuses a verb, as a sentence, and whether it is being deleted."""
    if refused := may(caller, Action(verb)).why or why_not(service, caller, verb, job):
        return sentence(refused), False
    selector = JobSelector(job.ref.context, uid=job.ref.uid)
    try:
        row, _ = await lifecycle.authorized_row(service, caller, Action(verb), job.name, selector)
    except Conflict as error:
        return error.title, True
    return "", row.deleting is not None


def _question(service: JobService, verb: Verb, job: Job, *, deleting: bool) -> Question:
    if verb is Verb.STOP:
        return stop_question(job, lost_by_stop(service.clusters.get(job.ref.context).backend))
    if verb is Verb.RESUME:
        return question(verb, [job], [], "")
    return leave_question(job) if deleting else delete_question(job)
