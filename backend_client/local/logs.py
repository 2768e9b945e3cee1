"""A job's log as the protocol tells it: attempt after attempt, followed by inotify."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from backend_client.errors import Invalid, NotFound
from backend_client.local import inotify
from backend_client.local.log_reader import Position, SegmentReader, since_start, tail_start
from backend_client.local.store import JobStore
from backend_client.local.watch import readable
from backend_client.models import Job
from backend_client.protocol import Closed, LogItem, LogQuery, Opened

_LOG_NEWS = inotify.MODIFY | inotify.CREATE | inotify.DELETE
_JOB_NEWS = inotify.MODIFY | inotify.CLOSE_WRITE | inotify.DELETE_SELF


async def read_logs(
    store: JobStore, job: Job, query: LogQuery, after: str
) -> AsyncIterator[Sequence[LogItem]]:
    """The lines that the query asks for. Ends with Closed."""
    uid, folder = job.ref.uid, store.root.log(job.ref.uid)
    place = await asyncio.to_thread(_start, folder, job, query, after)
    fresh = not after
    with contextlib.closing(inotify.Inotify()) as news:
        if query.follow:
            news.add(folder, _LOG_NEWS)
            news.add(store.root.live / uid, _JOB_NEWS)
        while True:
            now = await asyncio.to_thread(store.job, uid)  # first: what it says has ended was written before
            if now is None:
                yield [Closed("the job was deleted")]
                return
            if place is None and now.attempts:
                place = Position(now.attempts[-1].number)
            if place:
                where = next((a.node for a in now.attempts if a.number == place.attempt), "")
                with contextlib.closing(SegmentReader(folder, place, where)) as reader:
                    if fresh:
                        yield [Opened(reader.source)]
                        fresh = False
                    while item := await asyncio.to_thread(reader.read):
                        yield [item]
                    place = reader.position
                later = _later(now, place.attempt)
                if later and query.follow and query.attempt is None:
                    place, fresh = Position(later), True
                    continue
            if end := _end(now, query, place):
                yield [Closed(end)]
                return
            await readable(news.fd)
            news.read()


def _start(folder: Path, job: Job, query: LogQuery, after: str) -> Position | None:
    """Where to begin; None where nothing was written yet. Raises NotFound, Invalid."""
    if after:
        try:
            return Position.parse(after)
        except ValueError:
            raise Invalid({"after": "is no cursor of this context"}) from None
    number = query.attempt or (job.attempts[-1].number if job.attempts else 0)
    if query.attempt and query.attempt not in {attempt.number for attempt in job.attempts}:
        raise NotFound(f"{job.ref} has no attempt {query.attempt}", "the last 10 attempts are kept")
    if not number:
        return None
    places = [Position(number)]
    if query.tail is not None:
        places.append(tail_start(folder, number, query.tail))
    if query.since is not None:
        places.append(since_start(folder, number, int(query.since.timestamp() * 1_000_000_000)))
    return max(places)


def _later(job: Job, attempt: int) -> int:
    """The number of the attempt after this one, or 0."""
    return next((a.number for a in job.attempts if a.number > attempt), 0)


def _end(job: Job, query: LogQuery, place: Position | None) -> str:
    """Why nothing more comes, or ""."""
    if job.ended:
        return f"{job.state}: {job.reason}" if job.reason else str(job.state)
    attempt = next((a for a in job.attempts if a.number == query.attempt), None)
    if attempt and attempt.finished:
        return attempt.reason or f"attempt {attempt.number} has ended"
    if query.follow:
        return ""
    if place is None:
        return f"it has not started yet; {job.reason}" if job.reason else "it has not started yet"
    return "this is all so far"
