"""Routes of the history: jobs stay in it when they are deleted."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from backend.jobs import history_query
from backend.openapi import struct_response
from backend.routes.bodies import StructResponse
from backend.routes.deps import CanSee, RuntimeDep
from backend.routes.request_text import Moment
from backend_client.history import HistoryPage, HistoryQuery
from backend_client.models import JobState

router = APIRouter(prefix="/api", tags=["jobs"])


@router.get("/history", responses={200: struct_response(HistoryPage)})
async def history(  # noqa: PLR0917  one for each word of the query
    runtime: RuntimeDep,
    caller: CanSee,
    text: str = "",
    user: str = "",
    state: Annotated[list[JobState], Query()] = [],  # noqa: B006  FastAPI's way
    since: Moment | None = None,
    until: Moment | None = None,
    after: str = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> Response:
    """Newest first, in pages; `text` stands in the name, the command or the reason."""
    query = HistoryQuery(text=text, user=user, states=frozenset(state), since=since, until=until)
    return StructResponse(await history_query.page(runtime.database, caller, query, after, limit))
