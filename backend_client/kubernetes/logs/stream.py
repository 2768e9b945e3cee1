"""The log of a job: of all its ranks, merged, or of one; attempt after attempt."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from functools import partial

from backend_client.errors import BackendError, NotFound, Unreachable, fragment
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.logs.container_log import ContainerLog, Put
from backend_client.kubernetes.logs.container_stream import MOST_STREAMS, ContainerLogReader
from backend_client.kubernetes.logs.cursor import Cursor
from backend_client.kubernetes.logs.job_tracker import JobTracker
from backend_client.kubernetes.logs.rank_stream import RankStream
from backend_client.kubernetes.status.attempts import NO_PAST, PastAttempts
from backend_client.logs.merge import WINDOW_SECONDS, MergedStream
from backend_client.models import Job
from backend_client.protocol import Closed, Gap, LogItem, LogQuery, LogSource

_PATIENT_SECONDS = 5.0
"""How long, in a log that is not followed, a line waits for those of other ranks."""


async def stream_job_log(
    transport: Transport,
    query: LogQuery,
    *,
    after: str = "",
    past: Callable[[], PastAttempts] = lambda: NO_PAST,
) -> AsyncGenerator[Sequence[LogItem], None]:
    """Stream the log of a job as `JobBackend.logs` promises. `tail` counts the lines of each rank.

    `past`: what was seen of attempts that are gone; the others keep the numbers that a list shows.
    Every pod's log is a request of its own; at most 50 are read at a time. Raises NotFound, Invalid,
    Forbidden; a connection that breaks after the beginning is a Closed(lost=True).
    """
    tracker = JobTracker(transport, query.ref, past)
    log = _JobLog(transport, query, Cursor.parse(after) if after else Cursor.of(query), tracker)
    await log.load(resumed=bool(after))
    reading = asyncio.create_task(log.read())
    try:
        async for items in log.batches():
            yield items
        await reading
        yield [log.closed()]
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


class _JobLog:
    """One stream: a RankStream for every rank, in a task of its own, merged."""

    def __init__(self, transport: Transport, query: LogQuery, cursor: Cursor, tracker: JobTracker) -> None:
        self._transport = transport
        self._query = query
        self._cursor = cursor
        self._tracker = tracker
        self._merged = MergedStream(WINDOW_SECONDS if query.follow else _PATIENT_SECONDS)
        self._readers: dict[int, asyncio.Task[None]] = {}
        """By rank."""
        self._error: BackendError | None = None

    async def load(self, *, resumed: bool) -> None:
        """Load the job first. Raises NotFound where it, or the attempt or rank of the query, is not there."""
        await self._tracker.load()
        job, query = self._tracker.job, self._query
        if job is None:
            if resumed:
                return
            raise NotFound(f"There is no {query.ref.kind} {query.ref} any more.")
        if query.attempt:
            self._check_attempt(job, query.attempt)
        if not query.follow and query.rank not in (None, *(attempt.rank for attempt in job.attempts)):
            raise NotFound(f"{query.ref} has no rank {query.rank}.")

    def _check_attempt(self, job: Job, number: int) -> None:
        """Raise NotFound where the log of an attempt is gone, or the attempt never was."""
        runs = [run for runs in self._tracker.runs().values() for run in runs]
        left = sorted({run.attempt for run in runs if self._query.rank in (None, run.rank)})
        known = {attempt.number for attempt in job.attempts}
        gone = {attempt.number for attempt in job.attempts if attempt.log_gone}
        if number in left or (self._query.follow and number in known - gone):
            return
        latest = max([*left, *known], default=0)
        if number > latest:
            raise NotFound(f"{self._query.ref} has no attempt {number}.", f"There were {latest} so far.")
        there = f"Attempts with a log: {', '.join(map(str, left))}." if left else ""
        raise NotFound(
            f"The log of attempt {number} of {self._query.ref} is gone.",
            "A log goes with its pod, and a node keeps the last two of a container that is restarted. "
            f"{there}".rstrip(),
        )

    async def batches(self) -> AsyncIterator[list[LogItem]]:
        """Yield all items in order, with their cursors."""
        async for batch in self._merged.batches():
            yield [self._cursor.advance(item) for _, item in batch]

    async def read(self) -> None:
        """Read all ranks to the end. What breaks is kept for `closed`."""
        try:
            async with asyncio.TaskGroup() as group:
                await (self._follow(group) if self._query.follow else self._read_once(group))
        except* BackendError as group_of_errors:
            errors = list(_all(group_of_errors))
            self._error = next((error for error in errors if not isinstance(error, Unreachable)), errors[0])
        finally:
            self._merged.finish()

    def closed(self) -> Closed:
        """Return how the stream ended. Raises an error that is not about the connection."""
        if isinstance(self._error, Unreachable):
            return Closed(fragment(self._error.title), lost=True)
        if self._error:
            raise self._error
        return Closed(_why(self._tracker.job, self._query))

    async def _read_once(self, group: asyncio.TaskGroup) -> None:
        self._start(group)
        await self._put_unread_ranks()

    async def _follow(self, group: asyncio.TaskGroup) -> None:
        follower = group.create_task(self._tracker.follow())
        while not self._tracker.ended and not self._has_attempt():
            self._start(group)
            await self._tracker.wait_for_change()
        await self._tracker.load()  # what ended a moment ago may have started a moment before
        self._tracker.final = True
        self._tracker.wake_waiters()
        self._start(group)
        await self._put_unread_ranks()
        await asyncio.gather(*self._readers.values())
        follower.cancel()

    def _has_attempt(self) -> bool:
        """Check whether the query is for one attempt, and it has been read."""
        done = all(reader.done() for reader in self._readers.values())
        return bool(self._query.attempt and self._readers) and done

    def _start(self, group: asyncio.TaskGroup) -> None:
        """Start a reader for each rank that has none yet."""
        for rank in sorted(self._tracker.runs()):
            if (
                rank in self._readers
                or self._query.rank not in (None, rank)
                or len(self._readers) == MOST_STREAMS
            ):
                continue
            self._merged.open(rank)
            self._readers[rank] = group.create_task(self._read_rank(rank, self._rank_stream(rank)))
            self._readers[rank].add_done_callback(lambda _: self._tracker.wake_waiters())

    def _rank_stream(self, rank: int) -> RankStream:
        put = partial(self._merged.put, rank)
        log = self._open_log(put)
        return RankStream(log, put, self._tracker, self._query, cursor=self._cursor, rank=rank)

    async def _read_rank(self, rank: int, rank_stream: RankStream) -> None:
        try:
            await rank_stream.run()
        finally:
            self._merged.close(rank)

    def _open_log(self, put: Put) -> ContainerLog:
        """Open the source of one rank's log; another source would be chosen here."""
        return ContainerLogReader(self._transport, self._tracker, put, follow=self._query.follow)

    async def _put_unread_ranks(self) -> None:
        """Put a gap for each rank that nobody reads: its pod is gone, or there are too many."""
        unread = dict.fromkeys(self._cursor.ranks, "the log went with its pod")
        unread |= {
            rank: f"only {MOST_STREAMS} logs are read at a time: choose one rank"
            for rank in self._tracker.runs()
            if self._query.rank in (None, rank)
        }
        for rank in unread.keys() - self._readers.keys():
            reached = self._cursor.ranks.get(rank)
            source = LogSource(reached.attempt if reached else 1, rank)
            await self._merged.put(rank, [Gap(source, unread[rank])])


def _all(group: BaseExceptionGroup[BackendError]) -> Iterator[BackendError]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _all(error)
        else:
            yield error


def _why(job: Job | None, query: LogQuery) -> str:
    """Say why nothing more comes."""
    if job is None:
        return "the job was deleted"
    if job.ended:
        return f"{job.state}: {job.reason}" if job.reason else str(job.state)
    attempt = next((a for a in job.attempts if a.number == query.attempt), None)
    if attempt and attempt.finished:
        return attempt.reason or f"attempt {attempt.number} has ended"
    started = [a for a in job.attempts if a.started and query.rank in (None, a.rank)]
    if started:
        all_gone = all(a.log_gone for a in started)
        return "the log of what ran so far went with its pod" if all_gone else "this is all so far"
    return f"it has not started yet; {job.reason}" if job.reason else "it has not started yet"
