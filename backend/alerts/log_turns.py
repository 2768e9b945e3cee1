"""Whose log is read for the rules that need it: all running jobs in turn, beside those that people look at.

A context reads the logs of some jobs only (`progress.sampler`), each once within a turn. What a read has told
is there when its turn is over: that log was read until the turn began. With more jobs than places a turn
comes round later, and a silent log is noticed later by as much.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from backend.clusters.event_log import Key
from backend.clusters.hub import Hub
from backend.jobs.visible_jobs import VisibleJobsRegistry
from backend_client.alerts.wishes import thresholds_for
from backend_client.models import Job, JobState
from backend_client.progress.sampler import EVERY_SECONDS
from backend_client.usage import UNUSED

TURN_SECONDS = EVERY_SECONDS
"""In a longer turn the same logs would be read twice."""


def _now() -> datetime:
    return datetime.now(UTC)


class LogTurns:
    """Chooses the jobs whose logs are read for their alerts."""

    def __init__(
        self,
        hub: Hub,
        visible_jobs: VisibleJobsRegistry,
        wishes_of: Callable[[Job], Mapping[str, str]],
        reads_itself: Callable[[str], bool],
        clock: Callable[[], datetime] = _now,
    ) -> None:
        """`reads_itself`: whether a cluster reads all its jobs' logs, by its name."""
        self._hub = hub
        self._visible_jobs = visible_jobs
        self._wishes_of = wishes_of
        self._reads_itself = reads_itself
        self._clock = clock
        self._read_until: dict[Key, datetime] = {}
        self._turn: tuple[datetime, Sequence[Key]] | None = None
        """When the turn began that goes on, and whose it is."""

    def read_until(self, job: Job, now: datetime) -> datetime | None:
        """Return until when the log of a job was read (`timeline.LogRead`)."""
        return now if self._reads_itself(job.ref.context) else self._read_until.get(job.ref.key)

    async def turn_forever(self) -> None:
        """Take turns, for ever."""
        while True:
            await self.turn()
            await asyncio.sleep(TURN_SECONDS)

    async def turn(self) -> None:
        """Give the next jobs their turn: in each cluster those that were read longest ago."""
        read_until = dict(self._read_until)
        if self._turn:
            began, keys = self._turn
            read_until |= dict.fromkeys(keys, began)
        wanting = {job.ref.key for job in self._wanting()}
        self._read_until = {key: until for key, until in read_until.items() if key in wanting}
        unread = [key for key in wanting if key not in self._read_until]
        read = sorted(self._read_until, key=self._read_until.__getitem__)
        self._turn = self._clock(), await self._visible_jobs.set_watched([*sorted(unread), *read])

    def _wanting(self) -> Iterable[Job]:
        """Yield the running jobs that have a rule which needs their log."""
        for cached in self._hub.all():
            job = cached.job
            if job.state is not JobState.RUNNING or self._reads_itself(job.ref.context):
                continue
            if needs_log(job, thresholds_for(job, self._wishes_of(job))):
                yield job


def needs_log(job: Job, limits: Mapping[str, float]) -> bool:
    """Return whether any of the rules that are on for a job needs what its log says now."""
    if "silent" in limits or "loss" in limits:
        return True
    if "max-runtime" in limits and job.spec.max_runtime:
        return True
    gpu = job.usage.gpu if job.usage else None
    return "gpu-idle" in limits and gpu is not None and gpu < UNUSED
