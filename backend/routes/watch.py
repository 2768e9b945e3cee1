"""Jobs as they change."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Response
from sqlalchemy import select

from backend.auth.caller import Caller
from backend.authorization import Action, allowed
from backend.clusters.event_log import Audience
from backend.db.models import User
from backend.routes.streams import EVENTS, events
from backend.runtime import Runtime, runtime
from backend_client.server.roles import Role

router = APIRouter(prefix="/api", tags=["jobs"])
Here = Annotated[Runtime, Depends(runtime)]
See = Annotated[Caller, Depends(allowed(Action.SEE))]
NOBODY = -1


@router.get("/watch", responses=EVENTS)
async def watch(
    here: Here,
    who: See,
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
    audience = Audience(await _listens(here, who, owner), cluster, uid)
    return events(here.revocations, who, here.desk.hub.frames(audience, last_event_id))


async def _listens(here: Runtime, who: Caller, owner: str) -> int | None:
    """Whose jobs the stream tells of; None is everybody's."""
    if who.role is not Role.ADMIN:
        return who.user_id if owner.casefold() in ("", who.name.casefold()) else NOBODY
    if not owner:
        return None
    async with here.database.read() as session:
        found = await session.scalar(select(User.id).where(User.name_key == owner.casefold()))
    return found or NOBODY
