"""Read a local job's log as the items of the protocol: attempt after attempt, followed by inotify."""

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
from backend_client.protocol import Closed, Lines, LogItem, LogQuery, Opened

_LOG_NEWS = inotify.MODIFY | inotify.CREATE | inotify.DELETE
_JOB_NEWS = inotify.MODIFY | inotify.CLOSE_WRITE | inotify.DELETE_SELF
_BATCHES = 4


async def read_logs(
    store: JobStore, job: Job, query: LogQuery, after: str
) -> AsyncIterator[Sequence[LogItem]]:
    """Read the lines of a query; the last item is Closed."""
    uid, folder = job.ref.uid, store.root.log(job.ref.uid)
    position = await asyncio.to_thread(_start_position, folder, job, query, after)
    fresh, about_log, about_job = not after, -1, True
    with contextlib.closing(inotify.Inotify()) as news:
        if query.follow:
            about_log = news.add(folder, _LOG_NEWS)
            news.add(store.root.live / uid, _JOB_NEWS)
        current: Job | None = job
        while True:
            if about_job:  # before the lines: what it says has ended was written before
                current = await asyncio.to_thread(store.job, uid)
            if current is None:
                yield [Closed("the job was deleted")]
                return
            if position is None and current.attempts:
                position = Position(current.attempts[-1].number)
            if position:
                where = next((a.node for a in current.attempts if a.number == position.attempt), "")
                with contextlib.closing(SegmentReader(folder, position, where)) as reader:
                    async for items in _read_all(reader, fresh=fresh):
                        yield items
                    position, fresh = reader.position, False
                later = _next_attempt(current, position.attempt)
                if later and query.follow and query.attempt is None:
                    position, fresh = Position(later), True
                    continue
            if end := _end_reason(current, query, position):
                yield [Closed(end)]
                return
            await readable(news.fd)
            about_job = any(watch != about_log for watch, _, _ in news.read())


async def _read_all(reader: SegmentReader, *, fresh: bool) -> AsyncIterator[Sequence[LogItem]]:
    """Read what is there. A `fresh` source is opened first, and gives an empty batch if it has none."""
    if fresh:
        yield [Opened(reader.source)]
    while items := await asyncio.to_thread(_read_some, reader):
        yield items
        fresh = False
        if len(items) < _BATCHES:
            return
    if fresh:
        yield [Lines(source=reader.source, lines=[], times=[], open=True, cursor=str(reader.position))]


def _read_some(reader: SegmentReader) -> Sequence[LogItem]:
    """Read what is there, at most a few batches: one change of threads, as many may follow at once."""
    items: list[LogItem] = []
    while len(items) < _BATCHES and (item := reader.read()):
        items.append(item)
    return items


def _start_position(folder: Path, job: Job, query: LogQuery, after: str) -> Position | None:
    """Return the position to begin at; None where nothing was written yet. Raises NotFound, Invalid."""
    if after:
        try:
            return Position.parse(after)
        except ValueError:
            raise Invalid({"after": "is no cursor of this context"}) from None
    number = query.attempt or (job.attempts[-1].number if job.attempts else 0)
    if query.attempt and query.attempt not in {attempt.number for attempt in job.attempts}:
        raise NotFound(f"{job.ref} has no attempt {query.attempt}.", "The last 10 attempts are kept.")
    if not number:
        return None
    positions = [Position(number)]
    if query.tail is not None:
        positions.append(tail_start(folder, number, query.tail))
    if query.since is not None:
        positions.append(since_start(folder, number, int(query.since.timestamp() * 1_000_000_000)))
    return max(positions)


def _next_attempt(job: Job, attempt: int) -> int:
    """Return the number of the attempt after this one, or 0."""
    return next((a.number for a in job.attempts if a.number > attempt), 0)


def _end_reason(job: Job, query: LogQuery, position: Position | None) -> str:
    """Return why the log ends here, "" where it goes on."""
    if job.ended:
        return f"{job.state}: {job.reason}" if job.reason else str(job.state)
    attempt = next((a for a in job.attempts if a.number == query.attempt), None)
    if attempt and attempt.finished:
        return attempt.reason or f"attempt {attempt.number} has ended"
    if query.follow:
        return ""
    if position is None:
        return f"it has not started yet; {job.reason}" if job.reason else "it has not started yet"
    return "this is all so far"
