"""Route of the watch: jobs as they change."""

from typing import Annotated

from fastapi import APIRouter, Header, Response
from sqlalchemy import select

from backend.auth.caller import Caller
from backend.clusters.event_log import Audience
from backend.db.models import User
from backend.routes.deps import CanSee, RuntimeDep
from backend.routes.streams import EVENTS, event_stream
from backend.runtime import Runtime
from backend_client.server.roles import Role

router = APIRouter(prefix="/api", tags=["jobs"])
NOBODY = -1


@router.get("/watch", responses=EVENTS)
async def watch(
    runtime: RuntimeDep,
    caller: CanSee,
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
    audience = Audience(await _audience_user(runtime, caller, owner), cluster, uid)
    return event_stream(runtime.revocations, caller, runtime.jobs.hub.frames(audience, last_event_id))


async def _audience_user(runtime: Runtime, caller: Caller, owner: str) -> int | None:
    """Return the id of the user whose jobs the stream is about; None is everybody's."""
    if caller.role is not Role.ADMIN:
        return caller.user_id if owner.casefold() in ("", caller.name.casefold()) else NOBODY
    if not owner:
        return None
    async with runtime.database.read() as session:
        user_id = await session.scalar(select(User.id).where(User.name_key == owner.casefold()))
    return user_id or NOBODY
