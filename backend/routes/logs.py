"""Routes of a job's log: plain text for a pipe, events for a client that resumes."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Response

from backend.auth.caller import ENDED, HINT, Caller
from backend.jobs.log_text import healed_log, text_parts
from backend.jobs.rows import find_row, ref_of
from backend.jobs.service import JobService
from backend.routes.deps import RuntimeDep, SelectedJob
from backend.routes.request_text import Count, Moment
from backend.routes.streams import EVENTS, StreamCaller, event_stream, text_stream
from backend.runtime import Runtime
from backend_client.errors import BackendError, LoginNeeded, fragment
from backend_client.logs.snapshot import until_asked
from backend_client.protocol import Closed, LogItem, LogQuery
from backend_client.server.wire import EVENT_STREAM, HEARTBEAT_SECONDS, log_frame

router = APIRouter(prefix="/api", tags=["jobs"])
Batches = AsyncGenerator[Sequence[LogItem], None]
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
    async with runtime.database.read() as session:
        row, _ = await find_row(session, caller, name, selector)
    query = LogQuery(ref=ref_of(row), **selection.lines)  # type: ignore[arg-type]  # each as FastAPI has checked it
    after = selection.after or last_event_id
    if EVENT_STREAM in accept:
        batches = await started(runtime, caller, _raw_log(runtime.jobs, query, after))
        return event_stream(runtime.revocations, caller, _frames(batches))
    begun = await started(runtime, caller, healed_log(runtime.jobs, query))
    parts = text_parts(begun, timestamps=selection.timestamps)
    return text_stream(runtime.revocations, caller, parts)


async def started(runtime: Runtime, caller: Caller, batches: Batches) -> Batches:
    """Wait for the first batch, then yield all: until then an error can still be answered as a problem.

    Not for long: a job that waits for its node has none for hours, and who asked wants to hear of the server.
    Raises LoginNeeded where the login ends meanwhile, and what the backend raises.
    """
    coming: asyncio.Future[Sequence[LogItem]] = asyncio.ensure_future(anext(batches, ()))
    async with runtime.revocations.until_revoked(caller) as bye:
        either: set[asyncio.Future[Any]] = {coming, bye}
        try:
            await asyncio.wait(either, timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            coming.cancel()
            raise
    if bye.done() and not coming.done():
        coming.cancel()
        raise LoginNeeded(ENDED, HINT)
    if coming.done():
        coming.result()

    async def all_of_them() -> Batches:
        async with aclosing(batches):
            yield await coming
            async for batch in batches:
                yield batch

    return all_of_them()


async def _raw_log(service: JobService, query: LogQuery, after: str) -> Batches:
    """Yield the batches as the cluster gives them: what breaks is sent, and the client resumes by itself."""
    cluster = service.clusters.get(query.ref.context)
    log = cluster.backend.logs(query, after=after)
    async with aclosing(log if query.follow else until_asked(log)) as batches:  # type: ignore[type-var, arg-type]  # each is a generator
        async for batch in batches:
            yield batch


async def _frames(batches: Batches) -> AsyncGenerator[bytes, None]:
    async with aclosing(batches):
        try:
            async for batch in batches:
                if batch:
                    yield b"".join(map(log_frame, batch))
        except BackendError as error:
            yield log_frame(Closed(fragment(error.title), lost=True))
