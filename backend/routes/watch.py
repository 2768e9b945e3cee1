"""Route of the watch: jobs as they change."""

from typing import Annotated

from fastapi import APIRouter, Header, Response

from backend.auth.caller import Caller
from backend.auth.users import find_user
from backend.authorization import visible_users
from backend.clusters.event_log import Audience
from backend.routes.deps import RuntimeDep
from backend.routes.streams import EVENTS, StreamCaller, event_stream
from backend.runtime import Runtime

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
    audience = Audience(await _audience_users(runtime, caller, owner), cluster, uid)
    return event_stream(runtime.revocations, caller, runtime.jobs.hub.frames(audience, last_event_id))


async def _audience_users(runtime: Runtime, caller: Caller, owner: str) -> frozenset[int] | None:
    """Return the ids of the users whose jobs the stream is about; None is everybody's."""
    visible = visible_users(caller)
    if not owner:
        return visible
    async with runtime.database.read() as session:
        user = await find_user(session, owner)
    named = frozenset({user.id} if user else ())
    return named if visible is None else named & visible
