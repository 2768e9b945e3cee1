"""Route of the watch: jobs as they change."""

from typing import Annotated

from fastapi import APIRouter, Header, Response

from backend.jobs.reading import audience_of
from backend.routes.deps import RuntimeDep
from backend.routes.streams import EVENTS, StreamCaller, event_stream

router = APIRouter(prefix="/api", tags=["jobs"])


@router.get("/watch", responses=EVENTS)
async def watch(
    runtime: RuntimeDep,
    caller: StreamCaller,
    *,
    cluster: str = "",
    owner: str = "",
    uid: str = "",
    last_event_id: Annotated[str, Header()] = "",
) -> Response:
    """`snapshot`s and `synced`, then `changed` and `gone`; `link` of each cluster; `step` of deletions.

    With `uid` of one job alone. `Last-Event-ID` goes on behind that event, where that is still known.
    `lagged` and `bye` end the stream.
    """
    audience = await audience_of(runtime.jobs, caller, cluster=cluster, owner=owner, uid=uid)
    return event_stream(runtime.revocations, caller, runtime.jobs.hub.frames(audience, last_event_id))
