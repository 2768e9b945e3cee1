"""What is known of the use of one job, read again and again, and why nothing newer is known."""

from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from backend_client.errors import BackendError, fragment
from backend_client.job_use import read_use
from backend_client.models import Job
from backend_client.usage import HasUsage, Usage, UsageHistory

EVERY = 30.0
"""Seconds between two readings, while they are on the screen."""


class Reading(Struct, frozen=True, kw_only=True):
    """What is known of the use of a job."""

    usage: Usage = Usage()
    history: UsageHistory | None = None
    trouble: str = ""
    """Why nothing newer is known."""
    since: datetime | None = None
    """Since when that is so."""


async def read_anew(last: Reading, backend: HasUsage, job: Job) -> Reading:
    """Read the use of a job; where it cannot be read, keep the last figures, and say since when and why."""
    try:
        usage, history = await read_use(backend, job)
    except BackendError as error:
        since = last.since if last.trouble else datetime.now(UTC)
        return replace(last, trouble=fragment(error.title), since=since)
    return Reading(usage=usage, history=history)
