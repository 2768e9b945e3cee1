"""How far each rank of a job is: from the end of its log, read when a page asks, once for all who look."""

import asyncio
from contextlib import aclosing

from backend.jobs.log_reading import healed_log
from backend.jobs.service import JobService
from backend_client.errors import Unreachable
from backend_client.models import Job
from backend_client.progress.loss_curve import split_batch
from backend_client.progress.rank_pace import KEPT, RankPaces
from backend_client.protocol import Lines, LogQuery

FRESH_SECONDS = 10.0
_READ_SECONDS = 20.0
_AT_ONCE = 50
"""Lines that are parsed before others have their turn."""


async def paces_of(service: JobService, job: Job) -> RankPaces:
    """Return the paces of a job's ranks, whose job the caller may see. Raises NotFound, Unreachable."""
    questions = service.clusters.get(job.ref.context).questions
    key = ("ranks", job.ref.uid, job.state, job.restarts, len(job.attempts))
    return await questions.ask(key, FRESH_SECONDS, lambda: _read(service, job))


async def _read(service: JobService, job: Job) -> RankPaces:
    paces = RankPaces()
    try:
        async with asyncio.timeout(_READ_SECONDS):
            async with aclosing(healed_log(service, LogQuery(ref=job.ref, tail=KEPT))) as batches:
                async for batch in batches:
                    for item in batch:
                        if isinstance(item, Lines):
                            await _feed(service, paces, item)
    except TimeoutError:
        raise Unreachable(f"The log was not read to its end within {_READ_SECONDS:g} seconds.") from None
    return paces


async def _feed(service: JobService, paces: RankPaces, batch: Lines) -> None:
    for part in split_batch(batch, _AT_ONCE):
        async with service.losses.turn:
            paces.feed(part)
            await asyncio.sleep(0)
