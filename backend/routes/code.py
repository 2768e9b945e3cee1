"""Routes of one's own code: keep a packed folder, look whether it is kept, give back what a job has."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field

from backend.jobs.code import code_of_job
from backend.jobs.code_store import too_large
from backend.openapi import struct_response
from backend.routes.bodies import StructResponse
from backend.routes.deps import CanCreate, CanSee, RuntimeDep, SelectedJob
from backend_client.errors import NotFound
from backend_client.models.code import Code

router = APIRouter(prefix="/api", tags=["jobs"])

Sha256 = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]
_GZIP = "application/gzip"
_BYTES = {"schema": {"type": "string", "format": "binary"}}


class Recorded(BaseModel):
    """What is recorded of packed code, as its sender knows it."""

    files: int = Field(0, ge=0, le=2**31 - 1)
    commit: str = Field("", pattern="^([0-9a-f]{7,64})?$")
    """That git stood at."""
    dirty: bool = False
    """Not all of it was committed."""
    remote: str = Field("", max_length=2000)
    """Where git fetches from, without a login."""


@router.get("/code/{sha256}", responses={200: struct_response(Code)})
async def kept(sha256: Sha256, runtime: RuntimeDep, caller: CanCreate) -> Response:
    """Whether packed code of one's own is kept, and what is recorded of it."""
    code = await runtime.jobs.code.look(caller.user_id, sha256)
    if code is None:
        raise NotFound("There is no such code of yours.")
    return StructResponse(code)


@router.put(
    "/code/{sha256}",
    status_code=204,
    response_class=Response,
    openapi_extra={"requestBody": {"required": True, "content": {_GZIP: _BYTES}}},
)
async def keep(
    request: Request,
    sha256: Sha256,
    runtime: RuntimeDep,
    caller: CanCreate,
    recorded: Annotated[Recorded, Query()],
) -> None:
    """Keep a packed folder, a tar.gz with this hash: a job whose `code` is sha256:HASH runs in it.

    The query says what is recorded of it. It is kept for a week after its last use.
    """
    limit = runtime.jobs.code_limit
    size = int(request.headers.get("content-length") or limit)
    if size > limit:
        raise too_large(limit)
    code = Code(sha256=sha256, **recorded.model_dump())
    await runtime.jobs.code.save(caller.user_id, code, request.stream(), size)


@router.get("/jobs/{name}/code", response_class=Response, responses={200: {"content": {_GZIP: _BYTES}}})
async def code(name: str, runtime: RuntimeDep, caller: CanSee, selector: SelectedJob) -> Response:
    """The packed code that it was made with, a tar.gz; for its owner and for admins."""
    return Response(await code_of_job(runtime.jobs, caller, name, selector), media_type=_GZIP)
