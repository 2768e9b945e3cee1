"""The loss curve of a job, out of the last lines of its log: read when a page asks, and no line is kept."""

import asyncio
from collections.abc import Hashable
from contextlib import aclosing

from msgspec import Struct

from backend.jobs.log_reading import healed_log
from backend.jobs.service import JobService
from backend_client.errors import BackendError, fragment
from backend_client.models import Job
from backend_client.progress.loss_curve import LossCurve, split_batch
from backend_client.protocol import Lines, LogQuery

MOST_LINES = 20_000
"""Of each rank, from the end of the log."""
FRESH_SECONDS = 15.0
"""So long is a curve that was read shown to all who ask."""
_READ_SECONDS = 20.0
_AT_ONCE = 200
"""Lines that are parsed before others have their turn."""


class LossReading(Struct):
    """A curve, and how much of the log it is of."""

    curve: LossCurve
    lines: int = 0
    trouble: str = ""
    """Why it may lack lines, as a fragment."""

    @property
    def part(self) -> str:
        """Which part of the log it is of, where older lines are not."""
        return f"last {self.lines:,} lines" if self.lines >= MOST_LINES else ""


async def loss_of(service: JobService, job: Job) -> LossReading:
    """Return the loss of a job that the caller may see, read once for all who ask. Raises NotFound."""
    cluster = service.clusters.get(job.ref.context)
    question: Hashable = ("loss", job.ref.uid, job.state, job.restarts)
    return await cluster.questions.ask(question, FRESH_SECONDS, lambda: _read(service, job))


async def _read(service: JobService, job: Job) -> LossReading:
    found = LossReading(LossCurve())
    try:
        async with asyncio.timeout(_READ_SECONDS):
            query = LogQuery(ref=job.ref, tail=MOST_LINES)
            async with aclosing(healed_log(service, query)) as batches:
                async for batch in batches:
                    for item in batch:
                        if isinstance(item, Lines):
                            await _feed(found, item)
    except TimeoutError:
        found.trouble = f"its log was not read to its end within {_READ_SECONDS:g} seconds"
    except BackendError as error:
        found.trouble = fragment(error.title)
    return found


async def _feed(found: LossReading, batch: Lines) -> None:
    found.lines += len(batch.lines)
    for part in split_batch(batch, _AT_ONCE):
        found.curve.feed(part)
        await asyncio.sleep(0)
