"""The series of figures in a job's log, to be compared: read when a page asks, and no line is kept."""

import asyncio

from backend.jobs.log_reading import healed_log
from backend.jobs.service import JobService
from backend_client.errors import BackendError, Unreachable
from backend_client.models import Job
from backend_client.progress.series_reader import SeriesReader
from backend_client.protocol import LogQuery

MOST_LINES = 40_000
"""From the ends of the logs of all jobs together that one page compares."""
MOST_POINTS = 1024
"""Of each series: more than a page draws."""
FRESH_SECONDS = 15.0
"""So long are series that were read shown to all who ask."""
_READ_SECONDS = 20.0


async def series_of(service: JobService, job: Job, of: int) -> SeriesReader:
    """Return the series of a job that the caller may see, one of `of`; read once for all who ask."""
    cluster = service.clusters.get(job.ref.context)
    key = ("series", job.ref.uid, job.restarts, len(job.attempts), job.state, of)
    return await cluster.questions.ask(key, FRESH_SECONDS, lambda: _read(service, job, of))


def no_series(service: JobService, job: Job, trouble: str = "") -> SeriesReader:
    """Return the series of a job none of whose lines have been read."""
    reader = SeriesReader(job, service.clusters.get(job.ref.context).backend)
    reader.trouble = Unreachable(trouble) if trouble else None
    return reader


async def _read(service: JobService, job: Job, of: int) -> SeriesReader:
    """Read the end of a log: of several ranks that of the lowest."""
    cluster = service.clusters.get(job.ref.context)
    rank = min((attempt.rank for attempt in job.attempts), default=None)
    turn = service.losses.turn
    reader = SeriesReader(job, cluster.backend, most=MOST_POINTS, tail=MOST_LINES // of, turn=turn)
    try:
        async with asyncio.timeout(_READ_SECONDS):
            await reader.take(healed_log(service, LogQuery(ref=job.ref, tail=reader.tail, rank=rank)))
    except TimeoutError:
        reader.trouble = Unreachable(f"It was not read to its end within {_READ_SECONDS:g} seconds.")
    except BackendError as error:
        reader.trouble = error
    reader.answered = True
    return reader
