"""What one job uses now and has used in its last hour, read in one way for all who show it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from backend_client.errors import Unreachable
from backend_client.models import Job
from backend_client.protocol import Feature, JobBackend
from backend_client.usage import HasUsage, Usage, UsageHistory

PATIENCE = 20.0
"""Seconds that a reading may take."""
_HOUR = timedelta(hours=1)


class JobUse(NamedTuple):
    """What one job uses now, and has used until now, or until its end."""

    usage: Usage
    history: UsageHistory


def measuring(backend: JobBackend) -> HasUsage | None:
    """Return the backend as one that tells what jobs use; None where it does not."""
    return backend if isinstance(backend, HasUsage) and Feature.METRICS in backend.features else None


async def read_use(backend: HasUsage, job: Job) -> JobUse:
    """Read the use of a job; one that has ended uses nothing now. Raises a BackendError."""
    since = (job.finished if job.ended and job.finished else datetime.now(UTC)) - _HOUR
    since = max(since, job.started) if job.started else since
    try:
        async with asyncio.timeout(PATIENCE):
            usage, history = await asyncio.gather(
                _nothing() if job.ended else backend.usage(job.ref),
                backend.usage_history(job.ref, since),
            )
    except TimeoutError:
        raise Unreachable(f"No answer within {PATIENCE:.0f} seconds.") from None
    return JobUse(usage, history)


async def _nothing() -> Usage:
    """Return what a job uses that has ended."""
    return Usage()
