"""Routes of the queues: what they have, what waits; priority, hold, release, another queue of a job."""

import msgspec
from fastapi import APIRouter, Request, Response

from backend.jobs import queueing
from backend.openapi import struct_body, struct_response
from backend.routes.bodies import StructResponse, decode_body
from backend.routes.deps import CanSee, RuntimeDep, SelectedJob
from backend_client.models import Job
from backend_client.queues import QueueBoard
from backend_client.server.bodies import NewPriority, NewQueue

router = APIRouter(prefix="/api", tags=["queues"])
_PRIORITY = msgspec.json.Decoder(NewPriority)
_QUEUE = msgspec.json.Decoder(NewQueue)


@router.get("/queues", responses={200: struct_response(QueueBoard)})
async def queues(runtime: RuntimeDep, caller: CanSee, cluster: str = "") -> Response:
    """The queues of one cluster, or of all, and what waits in them; jobs of others as figures without names.

    Of LocalQueues those of the caller's own namespace; an admin sees all.
    """
    return StructResponse(await queueing.board(runtime.jobs, caller, cluster))


@router.post(
    "/jobs/{name}/priority",
    responses={200: struct_response(Job)},
    openapi_extra=struct_body(NewPriority),
)
async def priority(
    name: str, request: Request, runtime: RuntimeDep, caller: CanSee, selector: SelectedJob
) -> Response:
    """Give a waiting job another priority in its queue, of those that `queue_priorities` lists."""
    asked = (await decode_body(request, _PRIORITY, "a priority")).priority
    return StructResponse(await queueing.set_priority(runtime.jobs, caller, name, selector, asked))


@router.post("/jobs/{name}/hold", responses={200: struct_response(Job)})
async def hold(name: str, runtime: RuntimeDep, caller: CanSee, selector: SelectedJob) -> Response:
    """Hold a waiting job back: it is not started, and keeps its place."""
    return StructResponse(await queueing.hold(runtime.jobs, caller, name, selector))


@router.post("/jobs/{name}/release", responses={200: struct_response(Job)})
async def release(name: str, runtime: RuntimeDep, caller: CanSee, selector: SelectedJob) -> Response:
    """Put a held job into its queue again."""
    return StructResponse(await queueing.release(runtime.jobs, caller, name, selector))


@router.post("/jobs/{name}/queue", responses={200: struct_response(Job)}, openapi_extra=struct_body(NewQueue))
async def move(
    name: str, request: Request, runtime: RuntimeDep, caller: CanSee, selector: SelectedJob
) -> Response:
    """Put a waiting job into another queue of its namespace."""
    asked = (await decode_body(request, _QUEUE, "a queue")).queue
    return StructResponse(await queueing.move(runtime.jobs, caller, name, selector, asked))
