"""How far jobs are, by short looks at their logs: for a context that keeps no progress of its own.

The jobs that a person looks at have their last lines read now and then; a log that somebody follows anyway is
listened to, and costs no look. Nothing runs while nothing is looked at, or nobody watches.
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
"""Between two looks at the log of one job, whatever came of the first."""
AT_ONCE = 4
"""Logs that are read at a time: a slow link has other things to carry."""
MOST_JOBS = 50
"""The first so many of those looked at are kept fresh."""
_TAIL_LINES = 50
_PATIENCE_SECONDS = 10.0
_NEVER = float("-inf")
_DIGEST_SECONDS = 1.0
"""How long what is heard in a followed log is gathered."""

OpenLog = Callable[[LogQuery], AsyncGenerator[Sequence[LogItem], None]]


class ProgressSampler:
    """The progress of one context's jobs. `note` what a watch tells, `look` at some of its jobs."""

    def __init__(self, open_log: OpenLog, clock: Callable[[], float] = time.monotonic) -> None:
        """`open_log` reads a log that is not followed; `clock` tells seconds."""
        self._open_log = open_log
        self._clock = clock
        self._known: dict[str, Progress] = {}
        self._refs: tuple[JobRef, ...] = ()
        self._jobs: dict[str, Job] = {}
        self._ears: dict[str, LogProgress] = {}
        self._looked: dict[str, float] = {}
        """When the log of a job was last looked at, or listened to."""
        self._final: dict[str, Attempt] = {}
        """The last attempt of those whose last lines have been read after their end."""
        self._followed: Counter[str] = Counter()
        self._readers: dict[str, asyncio.Task[None]] = {}
        self._digests: dict[str, asyncio.TimerHandle] = {}
        self._wake: asyncio.TimerHandle | None = None
        self._listeners: list[Callable[[str], None]] = []

    @property
    def known(self) -> Mapping[str, Progress]:
        """What has been read of each job, by uid."""
        return self._known

    def set_visible_jobs(self, refs: Sequence[JobRef]) -> None:
        """These jobs are looked at, in this order of weight; replaces what was said before."""
        self._refs = tuple(refs)
        wanted = {ref.uid for ref in refs} | self._followed.keys()
        self._ears = {uid: ear for uid, ear in self._ears.items() if uid in wanted}
        self._go_on()

    @contextlib.contextmanager
    def subscribe(self, listener: Callable[[str], None]) -> Iterator[None]:
        """While somebody watches: hears the uid of every job whose progress is another."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)
            self._go_on()

    def observe(self, events: Sequence[WatchEvent]) -> None:
        """What a watch tells: which jobs run, have ended, are gone."""
        for event in events:
            if isinstance(event, Snapshot | Changed):
                self._jobs.update((job.ref.uid, job) for job in event.jobs)
            elif isinstance(event, Gone):
                for ref in event.refs:
                    self._forget(ref.uid)
        self._go_on()

    @contextlib.contextmanager
    def tap(self, ref: JobRef) -> Iterator[Callable[[Sequence[LogItem]], None]]:
        """While a log is followed for another reason: hand its items on, and no look is taken at it."""
        uid = ref.uid
        self._followed[uid] += 1
        try:
            yield lambda items: self._hear(uid, items)
        finally:
            self._followed -= Counter((uid,))
            self._go_on()

    async def aclose(self) -> None:
        """End all that runs."""
        self._refs = ()
        for timer in (*self._digests.values(), *filter(None, (self._wake,))):
            timer.cancel()
        for task in (tasks := list(self._readers.values())):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _go_on(self) -> None:
        """Look at what is due, as far as there is room, and wake up for what will be."""
        if self._wake:
            self._wake.cancel()
            self._wake = None
        now = self._clock()
        for due, job in self._waiting():
            if len(self._readers) >= AT_ONCE:
                return
            if due > now:
                self._wake = asyncio.get_running_loop().call_later(due - now, self._go_on)
                return
            self._looked[job.ref.uid] = now
            self._readers[job.ref.uid] = asyncio.create_task(self._read(job))

    def _waiting(self) -> list[tuple[float, Job]]:
        """(when the next look is due, job), the first due first."""
        if not self._listeners:
            return []
        jobs = (self._jobs[ref.uid] for ref in self._refs if ref.uid in self._jobs)
        waiting = islice(filter(self._has_news, jobs), MOST_JOBS)
        due = [(self._looked.get(job.ref.uid, _NEVER) + EVERY_SECONDS, job) for job in waiting]
        return sorted(
            ((at, job) for at, job in due if job.ref.uid not in self._readers), key=lambda pair: pair[0]
        )

    def _has_news(self, job: Job) -> bool:
        """It runs and nobody follows its log, or it has ended since the last look."""
        uid, last = job.ref.uid, job.attempts[-1] if job.attempts else None
        if job.state is JobState.RUNNING:
            return uid not in self._followed
        return job.ended and last is not None and last.started is not None and last != self._final.get(uid)

    async def _read(self, job: Job) -> None:
        uid, ear = job.ref.uid, self._ear(job.ref.uid)
        try:
            async with (
                asyncio.timeout(_PATIENCE_SECONDS),
                contextlib.aclosing(self._open_log(_query(job, ear))) as batches,
            ):
                async for items in batches:
                    _feed(ear, items)
        except (Unreachable, TimeoutError):
            pass  # the next look may do better
        except BackendError:
            self._set_final(job)
        else:
            self._set_final(job)
        finally:
            del self._readers[uid]
        self._tell(uid, ear)
        self._go_on()

    def _set_final(self, job: Job) -> None:
        if job.ended:
            self._final[job.ref.uid] = job.attempts[-1]

    def _hear(self, uid: str, items: Sequence[LogItem]) -> None:
        self._looked[uid] = self._clock()
        _feed(self._ear(uid), items)
        if uid not in self._digests:
            loop = asyncio.get_running_loop()
            self._digests[uid] = loop.call_later(_DIGEST_SECONDS, self._digest, uid)

    def _digest(self, uid: str) -> None:
        del self._digests[uid]
        if ear := self._ears.get(uid):
            self._tell(uid, ear)

    def _tell(self, uid: str, ear: "LogProgress") -> None:
        if found := ear.poll():
            self._known[uid] = found
            for listener in self._listeners:
                listener(uid)

    def _ear(self, uid: str) -> "LogProgress":
        from backend_client.progress.log_progress import LogProgress  # noqa: PLC0415  # dear, and not needed to list jobs

        return self._ears.setdefault(uid, LogProgress())

    def _forget(self, uid: str) -> None:
        for kept in (self._known, self._jobs, self._ears, self._looked, self._final):
            kept.pop(uid, None)


def _feed(ear: "LogProgress", items: Sequence[LogItem]) -> None:
    for item in items:
        if isinstance(item, Lines):
            ear.feed(item)


def _query(job: Job, ear: "LogProgress") -> LogQuery:
    """The last lines of one rank: the first, or the last, as Megatron does, speaks of progress."""
    last = max(job.spec.nodes, job.spec.replicas) - 1
    rank = ear.rank if ear.rank is not None else (0, last)[ear.silences % 2]
    return LogQuery(ref=job.ref, tail=_TAIL_LINES, rank=rank if last else None)
