"""Routes of a job's log: plain text for a pipe, events for a client that resumes."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Response

from backend.jobs.log_reading import healed_log, log_frames, log_query, raw_log, started
from backend.jobs.log_text import text_parts
from backend.routes.deps import RuntimeDep, SelectedJob
from backend.routes.request_text import Count, Moment
from backend.routes.streams import EVENTS, StreamCaller, event_stream, text_stream
from backend_client.server.wire import EVENT_STREAM

router = APIRouter(prefix="/api", tags=["jobs"])
BOTH: dict[int | str, dict[str, Any]] = {
    200: {**EVENTS[200], "description": "Text, or server-sent events where they are accepted."}
}
BOTH[200]["content"] = {"text/plain": {}, EVENT_STREAM: {}}


class LogSelection:
    """The lines that the query selects."""

    def __init__(  # noqa: PLR0917  one for each word of the query
        self,
        follow: bool = False,
        tail: Count = None,
        since: Moment | None = None,
        rank: Count = None,
        attempt: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
        timestamps: bool = False,
        after: str = "",
    ) -> None:
        self.lines = {"follow": follow, "tail": tail, "since": since, "rank": rank, "attempt": attempt}
        self.timestamps = timestamps
        self.after = after


@router.get("/jobs/{name}/logs", responses=BOTH)
async def logs(  # noqa: PLR0917  one for each part of the request
    name: str,
    runtime: RuntimeDep,
    caller: StreamCaller,
    selector: SelectedJob,
    selection: Annotated[LogSelection, Depends()],
    accept: Annotated[str, Header()] = "",
    last_event_id: Annotated[str, Header()] = "",
) -> Response:
    """`follow` goes on with what is written; `tail` lines, `since` a moment, of one `rank` or `attempt`.

    As events: `opened`, `lines`, `gap`, `closed`; `Last-Event-ID` (or `after`) goes on behind those lines.
    """
    query = await log_query(runtime.jobs, caller, name, selector, **selection.lines)
    after = selection.after or last_event_id
    if EVENT_STREAM in accept:
        batches = await started(runtime.revocations, caller, raw_log(runtime.jobs, query, after))
        return event_stream(runtime.revocations, caller, log_frames(batches))
    batches = await started(runtime.revocations, caller, healed_log(runtime.jobs, query))
    parts = text_parts(batches, timestamps=selection.timestamps)
    return text_stream(runtime.revocations, caller, parts)
