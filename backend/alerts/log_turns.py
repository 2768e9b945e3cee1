"""Whose log is read for the rules that need it: all running jobs in turn, beside those that people look at.

A context reads the logs of some jobs only (`progress.sampler`). A turn lasts long enough for each of its jobs
to be read; a job whose turn was long ago is not read, and the time until its next counts for no rule.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping

from backend.clusters.hub import Hub
from backend.jobs.visible_jobs import VisibleJobsRegistry
from backend_client.alerts.wishes import thresholds_for
from backend_client.models import Job, JobState

TURN_SECONDS = 60.0
FRESH_SECONDS = 300.0
"""So long after its turn a job still counts as read: its lines will be found at the next one."""
RULES = frozenset({"silent", "loss", "max-runtime", "gpu-idle"})
"""The rules that need what a log says."""


class LogTurns:
    """Chooses the jobs whose logs are read for their alerts."""

    def __init__(
        self,
        hub: Hub,
        visible_jobs: VisibleJobsRegistry,
        wishes_of: Callable[[Job], Mapping[str, str]],
        reads_itself: Callable[[str], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`reads_itself`: whether a cluster reads all its jobs' logs, by its name."""
        self._hub = hub
        self._visible_jobs = visible_jobs
        self._wishes_of = wishes_of
        self._reads_itself = reads_itself
        self._clock = clock
        self._read_at: dict[tuple[str, str], float] = {}

    def reads(self, job: Job) -> bool:
        """Tell whether the log of a job is being read."""
        if self._reads_itself(job.ref.context):
            return True
        return self._clock() - self._read_at.get(job.ref.key, float("-inf")) <= FRESH_SECONDS

    async def turn_forever(self) -> None:
        """Take turns, for ever."""
        while True:
            await self.turn()
            await asyncio.sleep(TURN_SECONDS)

    async def turn(self) -> None:
        """Give the next jobs their turn: in each cluster those that were read longest ago."""
        now = self._clock()
        running = {job.ref.key: job for job in self._wanting()}
        self._read_at = {key: at for key, at in self._read_at.items() if key in running}
        oldest_first = sorted(running, key=lambda key: self._read_at.get(key, float("-inf")))
        for key in await self._visible_jobs.set_watched(oldest_first):
            if key in running:
                self._read_at[key] = now

    def _wanting(self) -> Iterable[Job]:
        """Yield the running jobs that have a rule which needs their log."""
        for cached in self._hub.all():
            job = cached.job
            if job.state is not JobState.RUNNING or self._reads_itself(job.ref.context):
                continue
            if not RULES.isdisjoint(thresholds_for(job, self._wishes_of(job))):
                yield job
