"""The queues: quotas as bars, and what waits in which order."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response
from msgspec import Struct

from backend.auth.caller import Caller
from backend.authorization import Action, may, sees
from backend.jobs import queueing
from backend.jobs.service import JobService
from backend.routes.deps import CanSee, RuntimeDep
from backend.web.deps import SiteDep
from backend.web.rendering import Site
from backend_client.errors import sentence
from backend_client.gpu_nodes import Whose
from backend_client.models import JobRef
from backend_client.queues import ClusterQueueInfo, QueueBoard, WaitingJob
from backend_client.text.queues import (
    NOTHING_WAITS,
    TITLES,
    Bar,
    bar,
    has_several_clusters,
    held_words,
    longest,
    notes,
    queue_name,
    queue_words,
    quota_words,
    shown_quotas,
    waiting_cells,
    why_fixed,
)
from backend_client.text.sanitize import clean

BAR_UNITS = 200
_DONE = {
    "hold": "The job is held back.",
    "release": "The job is in its queue again.",
    "priority": "The job has another priority.",
    "queue": "The job is in another queue.",
}
"""`?done=` -> what has just been done, as a sentence."""
router = APIRouter(include_in_schema=False)


class QuotaLine(Struct, frozen=True):
    """One quota of a queue as it is drawn."""

    flavor: str
    words: str
    bar: Bar


class QueuePart(Struct, frozen=True):
    """One queue as it is shown: with its quotas, or with what its jobs hold."""

    name: str
    words: str
    quotas: Sequence[QuotaLine] = ()
    held: str = ""


class WaitingRow(Struct, frozen=True):
    """A waiting job as it is shown, with the links that it has for this reader."""

    cells: Sequence[str]
    is_mine: bool
    page: str = ""
    change: str = ""


@router.get("/queue")
async def queues(
    request: Request, runtime: RuntimeDep, caller: CanSee, site: SiteDep, done: str = ""
) -> Response:
    """Show all queues that the caller may see, and what waits in them."""
    board = await queueing.board(runtime.jobs, caller, "")
    return site.page(
        request,
        "queue.html",
        caller=caller,
        done=_DONE.get(done, ""),
        parts=[*_parts(board)],
        units=BAR_UNITS,
        notes=[*map(sentence, notes(board))],
        titles=TITLES,
        waiting=[_row(runtime.jobs, caller, site, job) for job in board.waiting],
        nothing=NOTHING_WAITS,
        barred=may(caller, Action.QUEUE).why,
    )


def _parts(board: QueueBoard) -> Iterator[QueuePart]:
    """Yield every ClusterQueue with its quotas; LocalQueues where those are hidden."""
    several = has_several_clusters(board)
    for queue in board.cluster_queues:
        name = queue_name(queue, several_clusters=several)
        yield QueuePart(name, queue_words(queue), [*_lines(board, queue)])
    if not board.cluster_queues:
        for local in board.local_queues:
            name = queue_name(local, several_clusters=several)
            yield QueuePart(name, queue_words(local), held=held_words(local))


def _lines(board: QueueBoard, queue: ClusterQueueInfo) -> Iterator[QuotaLine]:
    most = longest(board)
    for quota in shown_quotas(queue):
        drawn = bar(quota, BAR_UNITS, most)
        yield QuotaLine(clean(quota.flavor, 30), quota_words(board, queue, quota), drawn)


def _row(service: JobService, caller: Caller, site: Site, job: WaitingJob) -> WaitingRow:
    found = service.hub.find_owner(job.uid) if job.uid else None
    cells, is_mine = waiting_cells(job, datetime.now(UTC)), job.whose is Whose.MINE
    if found is None or not sees(caller, found[1].user_id):
        return WaitingRow(cells, is_mine)
    ref = JobRef(job.cluster, job.namespace, "job", job.name, job.uid)
    can_change = not why_fixed(job) and may(caller, Action.QUEUE, found[1].user_id).allowed
    return WaitingRow(cells, is_mine, site.job_url(ref), site.job_url(ref, "queue") if can_change else "")
