"""The log of a job as a caller reads it: which lines, from the cluster, whole or as events."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

from backend.auth.caller import ENDED, HINT, Caller
from backend.auth.stream_revocation import StreamRevocations
from backend.jobs.log_text import Batches
from backend.jobs.rows import JobSelector, find_row, ref_of
from backend.jobs.service import JobService
from backend_client.errors import BackendError, LoginNeeded, fragment
from backend_client.logs.follow import follow as following
from backend_client.logs.snapshot import until_asked
from backend_client.protocol import Closed, LogItem, LogQuery
from backend_client.server.wire import HEARTBEAT_SECONDS, log_frame


async def log_query(
    service: JobService, caller: Caller, name: str, selector: JobSelector, **lines: Any
) -> LogQuery:
    """Return the query for lines of a job's log. Raises NotFound, Conflict."""
    async with service.database.read() as session:
        row, _ = await find_row(session, caller, name, selector)
    return LogQuery(ref=ref_of(row), **lines)


async def raw_log(service: JobService, query: LogQuery, after: str) -> Batches:
    """Yield the batches as the cluster gives them: what breaks is sent, and the client resumes by itself."""
    cluster = service.clusters.get(query.ref.context)
    log = cluster.backend.logs(query, after=after)
    async with aclosing(log if query.follow else until_asked(log)) as batches:  # type: ignore[type-var, arg-type]  # each is a generator
        async for batch in batches:
            yield batch


async def healed_log(service: JobService, query: LogQuery, after: str = "") -> Batches:
    """Yield the batches over broken connections, from behind the cursor `after`."""
    cluster = service.clusters.get(query.ref.context)
    log = following(cluster.backend, query, after=after)
    async with aclosing(log if query.follow else until_asked(log)) as batches:
        async for batch in batches:
            yield batch


async def started(revocations: StreamRevocations, caller: Caller, batches: Batches) -> Batches:
    """Wait for the first batch, then yield all: until then an error can still be answered as a problem.

    Not for long: a job that waits for its node has none for hours, and who asked wants to hear of the server.
    Raises LoginNeeded where the login ends meanwhile, and what the backend raises.
    """
    coming: asyncio.Future[Sequence[LogItem]] = asyncio.ensure_future(anext(batches, ()))
    async with revocations.until_revoked(caller) as bye:
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


async def log_frames(batches: Batches) -> AsyncGenerator[bytes, None]:
    """Yield the events of a log; what breaks it is the last one."""
    async with aclosing(batches):
        try:
            async for batch in batches:
                if batch:
                    yield b"".join(map(log_frame, batch))
        except BackendError as error:
            yield log_frame(Closed(fragment(error.title), lost=True))
