"""The loss curve of a job, out of the last lines of its log: read when a page asks, and no line is kept."""

import asyncio
from collections.abc import Hashable
from contextlib import aclosing

from backend.jobs.log_reading import raw_log
from backend.jobs.loss_store import LossReading, LossStore
from backend.jobs.service import JobService
from backend_client.errors import BackendError, Unreachable, fragment
from backend_client.models import Job
from backend_client.progress.loss_curve import split_batch
from backend_client.protocol import Lines, LogQuery

MOST_LINES = 10_000
"""From the end of the log; those that come later are added."""
FRESH_SECONDS = 10.0
"""So long is a curve that was read shown to all who ask."""
_READ_SECONDS = 20.0
_AT_ONCE = 50
"""Lines that are parsed before others have their turn."""


async def loss_of(service: JobService, job: Job) -> LossReading:
    """Return the loss of a job that the caller may see, read once for all who ask. Raises NotFound."""
    cluster = service.clusters.get(job.ref.context)
    key = ("loss", job.ref.uid, job.restarts, len(job.attempts))
    return await cluster.questions.ask((*key, job.state), FRESH_SECONDS, lambda: _read(service, job, key))


def part_of(found: LossReading) -> str:
    """Return which part of the log a curve is of, where older lines are not."""
    return f"last {found.lines:,} lines" if found.lines >= MOST_LINES else ""


async def _read(service: JobService, job: Job, key: Hashable) -> LossReading:
    """Read a log on: of several ranks the lowest, and the others where that one tells of no loss."""
    ranks = sorted({attempt.rank for attempt in job.attempts})
    store = service.losses
    found = store.get(key) or LossReading(rank=ranks[0] if len(ranks) > 1 else None)
    await _read_on(service, job, found, MOST_LINES)
    if found.is_empty and found.rank is not None and not found.trouble:
        found = LossReading()
        await _read_on(service, job, found, max(1, MOST_LINES // len(ranks)))
    if found.trouble and not found.cursor:
        store.drop(key)
    else:
        store.put(key, found)
    return found


async def _read_on(service: JobService, job: Job, found: LossReading, tail: int) -> None:
    query = LogQuery(ref=job.ref, tail=None if found.cursor else tail, rank=found.rank)
    found.trouble = ""
    try:
        async with asyncio.timeout(_READ_SECONDS):
            async with aclosing(raw_log(service, query, found.cursor)) as batches:
                async for batch in batches:
                    for item in batch:
                        if isinstance(item, Lines):
                            await _feed(service.losses, found, item)
    except TimeoutError:
        found.trouble = f"it was not read to its end within {_READ_SECONDS:g} seconds"
    except BackendError as error:
        found.trouble = fragment(error.title)
        if not isinstance(error, Unreachable):
            found.cursor = ""  # it may be the cursor that is refused: begin anew


async def _feed(store: LossStore, found: LossReading, batch: Lines) -> None:
    for part in split_batch(batch, _AT_ONCE):
        async with store.turn:
            found.curve.feed(part)
            await asyncio.sleep(0)
    found.lines += len(batch.lines)
    found.cursor = batch.cursor or found.cursor
