"""How one job waits in its queue: hold, release, priority, another queue."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from backend.auth.caller import Caller
from backend.authorization import Action, may
from backend.error_responses import status_of
from backend.jobs import queueing
from backend.jobs.reading import current_job
from backend.jobs.rows import JobSelector
from backend.jobs.service import JobService
from backend.routes.deps import CanSee, RuntimeDep, SelectedJob
from backend.web.deps import SiteDep
from backend.web.forms import Form, read_form
from backend.web.rendering import Site
from backend_client.errors import BackendError, Invalid, LoginNeeded, sentence
from backend_client.gpu_nodes import Whose
from backend_client.models import Job
from backend_client.queues import LocalQueueInfo, QueueBoard, WaitingJob
from backend_client.text.queues import (
    AGE_STAYS,
    NOT_QUEUED,
    PRIORITY_STAYS,
    TITLES,
    change_question,
    notes,
    waiting_cells,
    why_fixed,
)

router = APIRouter(include_in_schema=False)


@router.get("/jobs/{name}/queue")
async def ask(  # noqa: PLR0917  one for each part of the request
    name: str, request: Request, runtime: RuntimeDep, caller: CanSee, selector: SelectedJob, site: SiteDep
) -> Response:
    """Show how a job waits, and what of that can be changed."""
    job = await current_job(runtime.jobs, caller, name, selector)
    return await _page(request, runtime.jobs, caller, site, job)


@router.post("/jobs/{name}/queue")
async def change(name: str, request: Request, runtime: RuntimeDep, caller: CanSee, site: SiteDep) -> Response:
    """Hold or release it, give it another priority, or put it into another queue."""
    form = await read_form(request)
    if not form.text("uid"):
        raise Invalid({"uid": "is missing"})
    selector = JobSelector(form.text("cluster"), uid=form.text("uid"))
    job = await current_job(runtime.jobs, caller, name, selector)
    try:
        await _change(runtime.jobs, caller, name, selector, form)
    except LoginNeeded:
        raise
    except BackendError as error:
        return await _page(request, runtime.jobs, caller, site, job, form=form, error=error)
    return site.redirect("/queue", done=form.text("change"))


async def _change(service: JobService, caller: Caller, name: str, selector: JobSelector, form: Form) -> None:
    match form.text("change"):
        case "hold":
            await queueing.hold(service, caller, name, selector)
        case "release":
            await queueing.release(service, caller, name, selector)
        case "priority":
            await queueing.set_priority(service, caller, name, selector, _filled_in(form, "priority"))
        case "queue":
            await queueing.move(service, caller, name, selector, _filled_in(form, "queue"))
        case _:
            raise Invalid({"change": "there are hold, release, priority, queue"})


def _filled_in(form: Form, field: str) -> str:
    if not 0 < len(form.text(field)) <= 253:
        raise Invalid({field: "is missing" if not form.text(field) else "is too long"})
    return form.text(field)


async def _page(
    request: Request,
    service: JobService,
    caller: Caller,
    site: Site,
    job: Job,
    *,
    form: Form | None = None,
    error: BackendError | None = None,
) -> Response:
    """The page with the forms, filled in as it is, or as it was typed."""
    board = await queueing.board(service, caller, job.ref.context)
    place = next((waiting for waiting in board.waiting if waiting.uid == job.ref.uid), None)
    priority = next((one.name for one in board.priorities if place and one.value == place.priority), "")
    typed = form or Form([])
    return site.page(
        request,
        "job_queue.html",
        caller=caller,
        status=status_of(error) if error else 200,
        job=job,
        error=error,
        waiting=place,
        not_queued=NOT_QUEUED,
        cells=dict(zip(TITLES, waiting_cells(place, datetime.now(UTC)), strict=True)) if place else {},
        refused=may(caller, Action.QUEUE).why or (why_fixed(place) if place else ""),
        whose=change_question(place).detail if place and place.whose is not Whose.MINE else "",
        notes=[*map(sentence, notes(board))],
        priorities=board.priorities,
        priority=typed.text("priority") or priority,
        priority_note=PRIORITY_STAYS,
        queues=_queues_of(board, place) if place else [],
        queue=typed.text("queue") or (place.queue if place else ""),
        queue_note=AGE_STAYS,
    )


def _queues_of(board: QueueBoard, job: WaitingJob) -> list[LocalQueueInfo]:
    """Return the queues that a job can be in."""
    here = job.namespace, job.cluster
    return [queue for queue in board.local_queues if (queue.namespace, queue.cluster) == here]
