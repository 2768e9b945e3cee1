"""A log from its source, or the copy of what was followed of it where the source has nothing any more."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial

from msgspec import structs

from backend_client.errors import BackendError, NotFound
from backend_client.logs.block import Notice
from backend_client.logs.log_copies import LogCopies
from backend_client.models import Job, JobRef, JobState
from backend_client.protocol import Closed, DeleteStep, Feature, JobBackend, Lines, LogItem, LogQuery

_STARTED_AGAIN = "here the job was started again"
_WAITING = (JobState.QUEUED, JobState.PENDING, JobState.STARTING)

Batch = Sequence[LogItem | Notice]


def logs_go(backend: JobBackend) -> bool:
    """Return True where a log goes with what ran the job, so that a copy is worth keeping."""
    return Feature.STOPPED_LOGS in backend.missing_features


async def source_or_copy(
    batches: AsyncGenerator[Sequence[LogItem]], backend: JobBackend, query: LogQuery, job: Job
) -> AsyncGenerator[Batch]:
    """Yield `batches`, a query's log as it is read; where they have no line, the copy, behind a CopyHead.

    Of a job that waits to be started again the copy comes first, and its new lines then.
    """
    started = [attempt.number for attempt in job.attempts if attempt.started]
    copied = partial(_copied, backend, query, query.attempt or max(started, default=None))
    first = await copied() if query.follow and job.state in _WAITING and not started else []
    if first:
        yield first
    seen = False
    try:
        async with aclosing(batches):
            async for items in batches:
                if not seen and any(isinstance(item, Lines) and item.lines for item in items):
                    seen = True
                    if first:
                        yield [Notice(_STARTED_AGAIN)]
                ended = any(isinstance(item, Closed) and not item.lost for item in items)
                if ended and not (seen or first) and (copy := await copied()):
                    yield copy
                yield items
    except NotFound:
        copy = [] if seen or first else await copied()
        if not copy:
            raise
        yield copy
        yield [Closed("this is all that was followed")]


async def _copied(backend: JobBackend, query: LogQuery, attempt: int | None) -> Batch:
    if not logs_go(backend):
        return []
    copy = await asyncio.to_thread(LogCopies().find, query.ref, attempt)
    return copy.items(query) if copy else []


async def copy_by_name(backend: JobBackend, namespace: str, name: str, query: LogQuery) -> Batch:
    """Return what a query, but for its `ref`, selects of the copy of a job that is gone itself."""
    find = LogCopies().find_ref
    ref = await asyncio.to_thread(find, backend.context, namespace, name) if logs_go(backend) else None
    return await _copied(backend, structs.replace(query, ref=ref), query.attempt) if ref else []


async def delete_with_copy(
    backend: JobBackend, ref: JobRef, *, wait: bool = True
) -> AsyncGenerator[DeleteStep]:
    """Delete a job as its backend does, and the copies of its log; a refusal leaves both."""
    refused = False
    try:
        async for step in backend.delete(ref, wait=wait):
            yield step
    except BackendError as error:
        refused = not isinstance(error, NotFound)
        raise
    finally:
        if logs_go(backend) and not refused:
            await asyncio.to_thread(LogCopies().forget, ref)
