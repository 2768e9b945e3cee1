"""The ledger of told ranges: which one each waiting job has, which came true, and what is to be stored.

A miss is counted when the upper end passes, not when the job starts: else the longest waits would teach last.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace

from backend.clusters.event_log import Key
from backend.estimates.coverage import Coverage
from backend.estimates.ranges import exact_range, has_moved, rounded_outwards
from backend.estimates.store import ToldRange
from backend_client.models import Job, JobState, StartRange

_STARTED = frozenset(
    (JobState.PENDING, JobState.STARTING, JobState.RUNNING, JobState.SUCCEEDED, JobState.FAILED)
)


class Ledger:
    """All ranges of jobs that wait, and the coverage of each (cluster, queue). Touches no database."""

    def __init__(
        self, unfinished: Sequence[ToldRange] = (), coverage: Mapping[tuple[str, str], Coverage] | None = None
    ) -> None:
        self.coverage: defaultdict[tuple[str, str], Coverage] = defaultdict(Coverage, coverage or {})
        self.new: list[ToldRange] = []
        """Not stored yet."""
        self.changed: list[ToldRange] = []
        """Of which it was learned what came; not stored yet."""
        self._waits: defaultdict[Key, list[ToldRange]] = defaultdict(list)
        """Job -> the ranges of its present wait, oldest first."""
        for told in unfinished:
            self._waits[told.key].append(told)

    @property
    def keys(self) -> list[Key]:
        """The jobs that were told a range in their present wait."""
        return [*self._waits]

    def settle(self, key: Key, job: Job | None, now: datetime) -> None:
        """Look at what became of a job that was told a range; None where it is gone."""
        if job is None or job.state in (JobState.STOPPED, JobState.STOPPING):
            self.void(key, now)
        elif job.state in _STARTED:
            self._start(key, job, now)
        elif job.state is JobState.QUEUED:
            for told in self._waits[key]:
                if told.hit is None and now > told.starts.latest:
                    self._count(told, now, hit=False)

    def void(self, key: Key, now: datetime, before: datetime | None = None) -> None:
        """Void what a job was told in a wait that ended otherwise than by its start.

        With `before` only where that was told before then: the job has been put back into its queue.
        """
        told = self._waits.get(key, [])
        if before and not (told and told[0].made < before):
            return
        for one in self._waits.pop(key, []):
            if one.hit is None:
                one.voided = now
                self.changed.append(one)

    def tell(self, key: Key, queue: str, starts: Sequence[float] | None, now: datetime) -> StartRange | None:
        """Return the range that a waiting job has now, a new one where the last has moved; None for none."""
        coverage = self.coverage[key[0], queue]
        exact = exact_range(starts, coverage.widening, now) if starts else None
        if exact is None:
            return None
        if exact.far:
            return exact if coverage.is_shown else None
        wait = self._waits[key]
        if not wait or now > wait[-1].starts.latest or has_moved(wait[-1].exact, exact):
            right, of = coverage.told
            told = ToldRange(
                key=key,
                queue=queue,
                made=now,
                starts=replace(rounded_outwards(exact, now), right=right, of=of),
                exact=exact,
                widening=coverage.widening,
                first=not wait,
                shown=coverage.is_shown,
            )
            wait.append(told)
            self.new.append(told)
        return wait[-1].starts if wait[-1].shown else None

    def _start(self, key: Key, job: Job, now: datetime) -> None:
        if job.state is JobState.FAILED and job.started is None:  # it never ran
            self.void(key, now)
            return
        for told in self._waits.pop(key, []):
            # a job that ran before has the start of then
            told.started = job.started if job.started and told.made <= job.started <= now else now
            if told.hit is None:
                self._count(told, now, hit=told.starts.earliest <= told.started <= told.starts.latest)
            else:
                self.changed.append(told)

    def _count(self, told: ToldRange, now: datetime, *, hit: bool) -> None:
        told.hit, told.settled = hit, now
        self.changed.append(told)
        if told.first:
            self.coverage[told.key[0], told.queue].add(hit)
