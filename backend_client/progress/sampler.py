"""Sample the progress of jobs from their logs, for a context that keeps no progress of its own.

The logs of the visible jobs have their last lines read now and then; a log that somebody follows anyway is
tapped instead. Nothing runs while no job is visible, or nobody watches.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from backend_client.errors import BackendError, Unreachable
from backend_client.models import Attempt, Job, JobRef, JobState, Progress
from backend_client.protocol import Changed, Gone, Lines, LogItem, LogQuery, Snapshot, WatchEvent

if TYPE_CHECKING:
    from backend_client.progress.log_progress import LogProgress

EVERY_SECONDS = 30.0
"""Between two reads of the log of one job, whatever came of the first."""
AT_ONCE = 4
"""Logs that are read at a time: a slow link has other things to carry."""
MOST_JOBS = 50
"""The first so many of the visible jobs are kept up to date."""
_TAIL_LINES = 50
_LIMIT_SECONDS = 10.0
_NEVER = float("-inf")
_GATHER_SECONDS = 1.0
"""How long the lines of a followed log are gathered."""

OpenLog = Callable[[LogQuery], AsyncGenerator[Sequence[LogItem], None]]


class ProgressSampler:
    """The progress of one context's jobs: `observe` its watch, `set_visible_jobs` of a screen."""

    def __init__(self, open_log: OpenLog, clock: Callable[[], float] = time.monotonic) -> None:
        """`open_log` reads a log without following it; `clock` returns seconds."""
        self._open_log = open_log
        self._clock = clock
        self._progress: dict[str, Progress] = {}
        self._refs: tuple[JobRef, ...] = ()
        self._jobs: dict[str, Job] = {}
        self._logs: dict[str, LogProgress] = {}
        self._sampled_at: dict[str, float] = {}
        """When the log of a job was last read, or tapped."""
        self._final: dict[str, Attempt] = {}
        """The last attempt of those whose last lines have been read after their end."""
        self._followed: Counter[str] = Counter()
        self._readers: dict[str, asyncio.Task[None]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._wake: asyncio.TimerHandle | None = None
        self._listeners: list[Callable[[str], None]] = []

    @property
    def progress(self) -> Mapping[str, Progress]:
        """The progress that was read last, by the job's uid."""
        return self._progress

    def set_visible_jobs(self, refs: Sequence[JobRef]) -> None:
        """Set the jobs to read, the most important first; replaces the jobs set before."""
        self._refs = tuple(refs)
        uids = {ref.uid for ref in refs} | self._followed.keys()
        self._logs = {uid: ear for uid, ear in self._logs.items() if uid in uids}
        self._schedule()

    @contextlib.contextmanager
    def subscribe(self, listener: Callable[[str], None]) -> Iterator[None]:
        """Call `listener` with the uid of each job whose progress changes, while the context is open."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)
            self._schedule()

    def observe(self, events: Sequence[WatchEvent]) -> None:
        """Take the events of a watch: which jobs run, have ended, are gone."""
        for event in events:
            if isinstance(event, Snapshot | Changed):
                self._jobs.update((job.ref.uid, job) for job in event.jobs)
            elif isinstance(event, Gone):
                for ref in event.refs:
                    self._forget(ref.uid)
        self._schedule()

    @contextlib.contextmanager
    def tap(self, ref: JobRef) -> Iterator[Callable[[Sequence[LogItem]], None]]:
        """Yield a function that takes the items of a followed log; meanwhile that log is not read."""
        uid = ref.uid
        self._followed[uid] += 1
        try:
            yield lambda items: self._feed_followed(uid, items)
        finally:
            self._followed -= Counter((uid,))
            self._schedule()

    async def aclose(self) -> None:
        """Cancel all reads and timers."""
        self._refs = ()
        for timer in (*self._timers.values(), *filter(None, (self._wake,))):
            timer.cancel()
        for task in (tasks := list(self._readers.values())):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _schedule(self) -> None:
        """Start the reads that are due, `AT_ONCE` at most, and set a timer for the next."""
        if self._wake:
            self._wake.cancel()
            self._wake = None
        now = self._clock()
        for due, job in self._due_jobs():
            if len(self._readers) >= AT_ONCE:
                return
            if due > now:
                self._wake = asyncio.get_running_loop().call_later(due - now, self._schedule)
                return
            self._sampled_at[job.ref.uid] = now
            self._readers[job.ref.uid] = asyncio.create_task(self._read(job))

    def _due_jobs(self) -> list[tuple[float, Job]]:
        """Return (when the next read is due, job), the first due first."""
        if not self._listeners:
            return []
        jobs = (self._jobs[ref.uid] for ref in self._refs if ref.uid in self._jobs)
        waiting = islice(filter(self._can_be_read, jobs), MOST_JOBS)
        due = [(self._sampled_at.get(job.ref.uid, _NEVER) + EVERY_SECONDS, job) for job in waiting]
        return sorted(
            ((at, job) for at, job in due if job.ref.uid not in self._readers), key=lambda pair: pair[0]
        )

    def _can_be_read(self, job: Job) -> bool:
        """Return True where a job runs and nobody follows its log, or has ended since the last read."""
        uid, last = job.ref.uid, job.attempts[-1] if job.attempts else None
        if job.state is JobState.RUNNING:
            return uid not in self._followed
        return job.ended and last is not None and last.started is not None and last != self._final.get(uid)

    async def _read(self, job: Job) -> None:
        uid, progress = job.ref.uid, self._log_progress(job.ref.uid)
        try:
            async with (
                asyncio.timeout(_LIMIT_SECONDS),
                contextlib.aclosing(self._open_log(_query(job, progress))) as batches,
            ):
                async for items in batches:
                    _feed(progress, items)
        except (Unreachable, TimeoutError):
            pass  # the next read may do better
        except BackendError:
            self._set_final(job)
        else:
            self._set_final(job)
        finally:
            del self._readers[uid]
        self._publish(uid, progress)
        self._schedule()

    def _set_final(self, job: Job) -> None:
        if job.ended:
            self._final[job.ref.uid] = job.attempts[-1]

    def _feed_followed(self, uid: str, items: Sequence[LogItem]) -> None:
        self._sampled_at[uid] = self._clock()
        _feed(self._log_progress(uid), items)
        if uid not in self._timers:
            loop = asyncio.get_running_loop()
            self._timers[uid] = loop.call_later(_GATHER_SECONDS, self._publish_followed, uid)

    def _publish_followed(self, uid: str) -> None:
        del self._timers[uid]
        if progress := self._logs.get(uid):
            self._publish(uid, progress)

    def _publish(self, uid: str, progress: "LogProgress") -> None:
        if current := progress.poll():
            self._progress[uid] = current
            for listener in self._listeners:
                listener(uid)

    def _log_progress(self, uid: str) -> "LogProgress":
        from backend_client.progress.log_progress import LogProgress  # noqa: PLC0415  dear, not needed to list

        return self._logs.setdefault(uid, LogProgress())

    def _forget(self, uid: str) -> None:
        for kept in (self._progress, self._jobs, self._logs, self._sampled_at, self._final):
            kept.pop(uid, None)


def _feed(progress: "LogProgress", items: Sequence[LogItem]) -> None:
    for item in items:
        if isinstance(item, Lines):
            progress.feed(item)


def _query(job: Job, progress: "LogProgress") -> LogQuery:
    """Return the query for the last lines of one rank: progress is in the first, or (Megatron) the last."""
    last = max(job.spec.nodes, job.spec.replicas) - 1
    rank = progress.rank if progress.rank is not None else (0, last)[progress.misses % 2]
    return LogQuery(ref=job.ref, tail=_TAIL_LINES, rank=rank if last else None)
