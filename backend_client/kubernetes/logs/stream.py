"""The log of a job: of all its ranks, merged, or of one; attempt after attempt."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence

from backend_client.errors import BackendError, NotFound, Unreachable
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.logs.container_stream import MOST_STREAMS
from backend_client.kubernetes.logs.cursor import Cursor
from backend_client.kubernetes.logs.job_tracker import JobTracker
from backend_client.kubernetes.logs.rank_stream import RankStream
from backend_client.logs.merge import WINDOW_SECONDS, MergedStream
from backend_client.models import Job
from backend_client.protocol import Closed, Gap, LogItem, LogQuery, LogSource

_PATIENT_SECONDS = 5.0
"""How long, in a log that is not followed, a line waits for those of other ranks."""


async def stream(
    transport: Transport, query: LogQuery, *, after: str = ""
) -> AsyncGenerator[Sequence[LogItem], None]:
    """What `JobBackend.logs` promises. `tail` counts the lines of each rank.

    Every pod's log is a request of its own; at most 50 are read at a time. Raises NotFound, Invalid,
    Forbidden; a link that breaks once lines were told is a Closed(lost=True).
    """
    logs = _Logs(transport, query, Cursor.parse(after) if after else Cursor.of(query))
    await logs.load(resumed=bool(after))
    work = asyncio.create_task(logs.work())
    try:
        async for items in logs.told():
            yield items
        await work
        yield [logs.end()]
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


class _Logs:
    """One stream: a lane for every rank."""

    def __init__(self, transport: Transport, query: LogQuery, cursor: Cursor) -> None:
        self._transport = transport
        self._query = query
        self._cursor = cursor
        self._subject = JobTracker(transport, query.ref)
        self._funnel = MergedStream(WINDOW_SECONDS if query.follow else _PATIENT_SECONDS)
        self._lanes: dict[int, asyncio.Task[None]] = {}
        self._error: BackendError | None = None

    async def load(self, *, resumed: bool) -> None:
        """Look at the job first. Raises NotFound where it, or the attempt or rank, is not there."""
        await self._subject.load()
        job, query = self._subject.job, self._query
        if job is None:
            if resumed:
                return
            raise NotFound(f"there is no {query.ref.kind} {query.ref} any more")
        if query.attempt and query.attempt not in {attempt.number for attempt in job.attempts}:
            raise NotFound(f"{query.ref} has no attempt {query.attempt}")
        if not query.follow and query.rank not in (None, *(attempt.rank for attempt in job.attempts)):
            raise NotFound(f"{query.ref} has no rank {query.rank}")

    async def told(self) -> AsyncIterator[list[LogItem]]:
        """All items in order, with their cursors."""
        async for batch in self._funnel.batches():
            yield [self._cursor.tell(item) for _, item in batch]

    async def work(self) -> None:
        """Read to the end. What breaks is kept for `end`."""
        try:
            async with asyncio.TaskGroup() as group:
                await (self._follow(group) if self._query.follow else self._once(group))
        except* BackendError as errors:
            found = list(_all(errors))
            self._error = next((error for error in found if not isinstance(error, Unreachable)), found[0])
        finally:
            self._funnel.finish()

    def end(self) -> Closed:
        """How it ended. Raises what is no matter of the link."""
        if isinstance(self._error, Unreachable):
            return Closed(self._error.title, lost=True)
        if self._error:
            raise self._error
        return Closed(_why(self._subject.job, self._query))

    async def _once(self, group: asyncio.TaskGroup) -> None:
        self._start(group)
        await self._lost_ranks()

    async def _follow(self, group: asyncio.TaskGroup) -> None:
        keeper = group.create_task(self._subject.follow())
        while not self._subject.settled and not self._has_attempt():
            self._start(group)
            await self._subject.wait_for_change()
        await self._subject.load()  # what ended a moment ago may have started a moment before
        self._subject.final = True
        self._subject.wake_waiters()
        self._start(group)
        await self._lost_ranks()
        await asyncio.gather(*self._lanes.values())
        keeper.cancel()

    def _has_attempt(self) -> bool:
        """Whether what is wanted is one attempt, and it has been read."""
        return bool(self._query.attempt and self._lanes) and all(lane.done() for lane in self._lanes.values())

    def _start(self, group: asyncio.TaskGroup) -> None:
        """A lane for each rank that has none yet."""
        for rank in sorted(self._subject.runs()):
            if (
                rank in self._lanes
                or self._query.rank not in (None, rank)
                or len(self._lanes) == MOST_STREAMS
            ):
                continue
            self._funnel.open(rank)
            lane = RankStream(
                self._transport,
                self._subject,
                self._query,
                cursor=self._cursor,
                funnel=self._funnel,
                rank=rank,
            )
            self._lanes[rank] = group.create_task(lane.run())
            self._lanes[rank].add_done_callback(lambda _: self._subject.wake_waiters())

    async def _lost_ranks(self) -> None:
        """Mark those of which lines were told before, or which are too many, and that nobody reads."""
        left = dict.fromkeys(self._cursor.places, "the log went with its pod")
        left |= {
            rank: f"only {MOST_STREAMS} logs are read at a time: choose one rank"
            for rank in self._subject.runs()
            if self._query.rank in (None, rank)
        }
        for rank in left.keys() - self._lanes.keys():
            place = self._cursor.places.get(rank)
            await self._funnel.put(rank, [Gap(LogSource(place.attempt if place else 1, rank), left[rank])])


def _all(group: BaseExceptionGroup[BackendError]) -> Iterator[BackendError]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _all(error)
        else:
            yield error


def _why(job: Job | None, query: LogQuery) -> str:
    """Why nothing more comes."""
    if job is None:
        return "the job was deleted"
    if job.ended:
        return f"{job.state}: {job.reason}" if job.reason else str(job.state)
    attempt = next((a for a in job.attempts if a.number == query.attempt), None)
    if attempt and attempt.finished:
        return attempt.reason or f"attempt {attempt.number} has ended"
    if any(a.started for a in job.attempts):
        return "this is all so far"
    return f"it has not started yet; {job.reason}" if job.reason else "it has not started yet"
