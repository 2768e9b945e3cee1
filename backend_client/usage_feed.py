"""Add what running jobs use to the events of a watch: one reading for all of them, now and then.

A reading costs its source one query for each measure, whatever the number of jobs; nothing is read while no
job runs. Changes too small to see are not told: every job would be a changed job at each reading.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence

from msgspec.structs import replace

from backend_client.errors import BackendError
from backend_client.models import Job, JobState, JobUsage
from backend_client.protocol import Changed, Gone, Snapshot, WatchEvent
from backend_client.refresh import sleep_unless

FIRST_SECONDS = 1.0
"""Before the first reading: a list comes before its figures."""
_SHARE_STEP = 0.02
_RELATIVE_STEP = 0.05
_STEPS = (
    *((name, _SHARE_STEP) for name in ("gpu", "gpu_min", "gpu_memory", "gpu_memory_max")),
    *((name, 0.0) for name in ("gpu_memory_total", "power", "cpu", "memory")),
)
"""By how much a figure must have changed; an amount, by `_RELATIVE_STEP` of itself."""

ReadUsage = Callable[[Sequence[Job]], Awaitable[Mapping[str, JobUsage]]]
"""Running jobs -> what they use, by uid. Raises a BackendError where nothing can be told."""


class UsageFeed:
    """The usage of the jobs of one watch."""

    def __init__(self, read: ReadUsage, interval: Callable[[], float]) -> None:
        """`interval` returns the seconds between two readings; it is asked before each."""
        self._read = read
        self._interval = interval
        self._running: dict[str, Job] = {}
        self._usages: dict[str, JobUsage] = {}
        self._hurried = asyncio.Event()

    def hurry(self) -> None:
        """Read now, and not only when the time has come."""
        self._hurried.set()

    async def follow(
        self, batches: AsyncIterator[Sequence[WatchEvent]]
    ) -> AsyncGenerator[Sequence[WatchEvent], None]:
        """Yield the batches of a watch with each job's usage, and batches of jobs whose usage has changed."""
        next_batch: asyncio.Future[Sequence[WatchEvent]] = asyncio.ensure_future(anext(batches))
        reading = asyncio.ensure_future(self._read_after(FIRST_SECONDS))
        try:
            while True:
                await asyncio.wait((next_batch, reading), return_when=asyncio.FIRST_COMPLETED)
                if next_batch.done():
                    yield [self._with_usage(event) for event in next_batch.result()]
                    next_batch = asyncio.ensure_future(anext(batches))
                if reading.done():
                    if changed := self._take(reading.result()):
                        yield [Changed(changed)]
                    reading = asyncio.ensure_future(self._read_after(self._interval()))
        except StopAsyncIteration:
            return
        finally:
            next_batch.cancel()
            reading.cancel()
            with contextlib.suppress(BaseException):
                await asyncio.gather(next_batch, reading, return_exceptions=True)

    async def _read_after(self, seconds: float) -> Mapping[str, JobUsage]:
        await sleep_unless(self._hurried, seconds)
        self._hurried.clear()
        if not self._running:
            return {}
        try:
            return await self._read(list(self._running.values()))
        except BackendError:
            return {}

    def _with_usage(self, event: WatchEvent) -> WatchEvent:
        match event:
            case Snapshot(jobs):
                return Snapshot(tuple(map(self._job_with_usage, jobs)))
            case Changed(jobs):
                return Changed(tuple(map(self._job_with_usage, jobs)))
            case Gone(refs):
                for ref in refs:
                    self._forget(ref.uid)
        return event

    def _job_with_usage(self, job: Job) -> Job:
        if job.state is not JobState.RUNNING:
            self._forget(job.ref.uid)
            return job
        usage = self._usages.get(job.ref.uid)
        job = replace(job, usage=usage) if usage else job
        self._running[job.ref.uid] = job
        return job

    def _forget(self, uid: str) -> None:
        self._running.pop(uid, None)
        self._usages.pop(uid, None)

    def _take(self, usages: Mapping[str, JobUsage]) -> tuple[Job, ...]:
        """Keep a reading, and return the jobs whose usage is another now (None where nothing is told)."""
        changed = []
        for uid, job in self._running.items():
            usage = usages.get(uid)
            if not differs(self._usages.get(uid), usage):
                continue
            if usage is None:
                del self._usages[uid]
            else:
                self._usages[uid] = usage
            self._running[uid] = replace(job, usage=usage)
            changed.append(self._running[uid])
        return tuple(changed)


def differs(old: JobUsage | None, new: JobUsage | None) -> bool:
    """Return whether a usage has changed so much that a person should see it."""
    if old is None or new is None:
        return old is not new
    if (old.source, old.xid, old.idle, old.gpus_idle) != (new.source, new.xid, new.idle, new.gpus_idle):
        return True
    for name, step in _STEPS:  # of every job at every reading: no generator, no call for each figure
        before, after = getattr(old, name), getattr(new, name)
        if before is None or after is None:
            if before is not after:
                return True
        elif after != before and abs(after - before) >= (step or _RELATIVE_STEP * abs(before)):
            return True
    return False
