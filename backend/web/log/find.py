"""Finds the part of a log that a page's address asks for."""

from contextlib import aclosing
from datetime import UTC, datetime, timedelta

from msgspec import Struct, structs

from backend.jobs.service import JobService
from backend.web.log.html import parse_name
from backend.web.log.part import MOST_READ, Batches, Part, Reading, last_lines, lines_around, lines_before
from backend.web.log.view import LogView, Shown
from backend_client.protocol import LogQuery

_LEAD = timedelta(seconds=60)
"""How long before a line that a link names is read, for what led to it."""
_FAR = f"It lies more than {MOST_READ:,} lines back: the download has the whole log."


class Found(Struct, frozen=True):
    """What was read for a page, the part of it that it shows, and why that is missing."""

    reading: Reading
    part: Part
    missing: str = ""


def found_none(why: str, reading: Reading | None = None) -> Found:
    """Return no lines, and why."""
    return Found(reading or Reading(), Part((), ()), why)


async def _read(service: JobService, query: LogQuery, most: int = 2 * MOST_READ) -> Reading:
    reading = Reading()
    await reading.read(_batches(service, query), most=most)
    return reading


async def _batches(service: JobService, query: LogQuery) -> Batches:
    """Yield what there is now, as the cluster gives it: each batch whole, as its cursor says."""
    log = service.clusters.get(query.ref.context).backend.logs(query)
    async with aclosing(log) as batches:  # type: ignore[type-var]  # it is a generator
        async for batch in batches:
            yield batch


async def find_end(service: JobService, shown: Shown, view: LogView) -> Found:
    """Find the newest lines."""
    tail = shown.tail(view)
    reading = await _read(service, shown.log_query(view, tail=tail))
    return Found(reading, last_lines(reading, tail))


async def find_line(service: JobService, shown: Shown, view: LogView, name: str) -> Found:
    """Find a line by its name, with what led to it and what follows."""
    line = parse_name(name)
    if not line:
        return found_none("This link names no line.")
    when = datetime.fromtimestamp(line.time / 1000, UTC)
    of_attempt = structs.replace(view, attempt=view.attempt or line.attempt)
    reading = Reading()
    for since in (when - _LEAD, when):
        reading = await _read(service, shown.log_query(of_attempt, since=since), MOST_READ)
        if part := lines_around(reading, name):
            return Found(reading, part)
        if reading.lost or reading.error or reading.is_whole:
            break
    return found_none("This line is not in the log any more." if reading.is_whole else "", reading)


async def find_before(service: JobService, shown: Shown, view: LogView, name: str, tail: int) -> Found:
    """Find the lines before one, which stood among the last `tail` when the address was made."""
    reading = Reading()
    for length in dict.fromkeys((tail, MOST_READ)):
        of_each = shown.tail(view, length)
        reading = await _read(service, shown.log_query(view, tail=of_each))
        if part := lines_before(reading, name, of_each):
            return Found(reading, part)
        if reading.lost or reading.error:
            break
    return found_none("" if reading.lost or reading.error else _FAR, reading)
