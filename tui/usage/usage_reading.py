"""What is known of the use of one job, who says so, how old it is, and what is not known and why."""

from collections.abc import Iterator
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from backend_client.errors import BackendError, fragment
from backend_client.job_use import read_use
from backend_client.models import Job
from backend_client.usage import HasUsage, Measure, Usage, UsageHistory, UsageSource
from tui.ui.format import span
from tui.ui.sanitize import clean

EVERY = 30.0
"""Seconds between two readings, while they are on the screen."""
_OF_GPUS = {Measure.UTILISATION, Measure.ACTIVITY, Measure.MEMORY, Measure.POWER, Measure.TEMPERATURE}


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


def source_lines(reading: Reading, now: datetime) -> Iterator[tuple[str, str]]:
    """Yield who tells the figures and how old they are, then what is not known and why, each with a style."""
    sources = reading.usage.sources or (reading.history.sources if reading.history else ())
    answering = [_source_text(source, reading.usage, now) for source in sources if not source.missing]
    if answering:
        yield f"from {', '.join(answering)}", "$text-muted"
    for source in sources:
        if source.missing:
            yield _unknown(_what(source), source.since, source.missing), "$text-muted"
    if reading.trouble:
        yield _unknown("use", reading.since, reading.trouble), "$warning"


def _source_text(source: UsageSource, usage: Usage, now: datetime) -> str:
    newest = _newest(source, usage)
    age = f", {age_text((now - newest).total_seconds())}" if newest else ""
    return f"{clean(source.name, 60)}{age}"


def _newest(source: UsageSource, usage: Usage) -> datetime | None:
    """Return when the newest of the figures that a source gives was measured."""
    gives = source.gives or tuple(Measure)
    times = [rank.as_of for rank in usage.ranks] if {Measure.CPU, Measure.RSS} & set(gives) else []
    if _OF_GPUS & set(gives):
        times += [gpu.as_of for rank in usage.ranks for gpu in rank.gpus]
    return max((time for time in times if time), default=None)


def age_text(seconds: float) -> str:
    """Format how old a figure is: 12 s ago, 3m ago."""
    return f"{max(0, int(seconds))} s ago" if seconds < 60 else f"{span(seconds)} ago"


def _what(source: UsageSource) -> str:
    if not source.gives:
        return f"use from {clean(source.name, 60)}"
    return "utilisation" if _OF_GPUS & set(source.gives) else "CPU and memory"


def _unknown(what: str, since: datetime | None, why: str) -> str:
    when = f" since {since.astimezone():%H:%M}" if since else ""
    return f"{what} unknown{when}: {clean(why, 300)}"
