"""The cohorts of a snapshot, with what is known of past jobs, so that their futures can be played (pure)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from math import inf
from zlib import crc32

from msgspec import Struct

from backend.estimates.durations import Durations, PastJob
from backend.estimates.futures import HORIZON, Candidate, Cohort, Holding, simulate_starts
from backend.estimates.past import WEEK, Arrival, Past
from backend_client.queue_snapshot import AdmittedJob, PendingJob, QueueQuota, QueueSnapshot

LEAST_PAST = 30
"""Ended jobs without which nothing is estimated."""


class Known(Struct, frozen=True):
    """What the server knows of a job beside what its cluster says."""

    user: str
    limit: float | None = None
    """Seconds that it may run."""


class _Builder:
    """Makes the cohorts of one snapshot."""

    def __init__(self, snapshot: QueueSnapshot, past: Past, known: Mapping[str, Known]) -> None:
        self._snapshot = snapshot
        self._past = past
        self._known = known
        self._queues = {queue.name: queue for queue in snapshot.queues}
        running = [
            PastJob(self._user(job), sum(job.gpus.values()), self._age(job), ended=False)
            for job in snapshot.admitted
            if job.ends
        ]
        self._durations = Durations((*past.ended, *running))

    def cohorts(self) -> Iterable[Cohort]:
        """Yield each group of queues that lend to each other and in which a job waits."""
        groups: defaultdict[str, list[QueueQuota]] = defaultdict(list)
        for queue in self._queues.values():
            groups[f"cohort {queue.cohort}" if queue.cohort else f"queue {queue.name}"].append(queue)
        for queues in groups.values():
            names = {queue.name for queue in queues}
            waiting = [
                self._candidate(job)
                for job in self._snapshot.waiting
                if job.queue in names and is_played(job, self._queues[job.queue])
            ]
            if waiting:
                yield Cohort(
                    queues,
                    self._snapshot.cohorts.get(queues[0].cohort, {}),
                    [self._holding(job) for job in self._snapshot.admitted if job.queue in names],
                    waiting,
                    [*self._arrivals(names)],
                )

    def _user(self, job: PendingJob | AdmittedJob) -> str:
        known = self._known.get(job.uid)
        return known.user if known else f"namespace {job.namespace}"

    def _limit(self, job: PendingJob | AdmittedJob) -> float:
        known = self._known.get(job.uid)
        return min(job.limit or inf, (known.limit if known else None) or inf)

    def _age(self, job: AdmittedJob) -> float:
        return max(0.0, (self._snapshot.at - job.since).total_seconds())

    def _holding(self, job: AdmittedJob) -> Holding:
        curve = self._durations.curve(self._user(job), sum(job.gpus.values()))
        return Holding(job.queue, job.gpus, curve, self._age(job), self._limit(job), job.ends)

    def _candidate(self, job: PendingJob) -> Candidate:
        return Candidate(
            job.uid,
            job.queue,
            job.gpus,
            job.flavors,
            self._durations.curve(self._user(job), job.gpus),
            (job.since - self._snapshot.at).total_seconds(),
            job.priority,
            self._limit(job),
        )

    def _arrivals(self, names: set[str]) -> Iterable[Candidate]:
        """Yield last week's arrivals as those of the next two weeks."""
        for job in self._past.arrivals:
            queue = self._snapshot.local_queues.get(f"{job.namespace}/{job.local_queue}", "")
            if queue not in names:
                continue
            curve = self._durations.curve(job.user, job.gpus)
            for weeks in (1, 2):
                at = (job.at + weeks * WEEK - self._snapshot.at).total_seconds()
                if 0 < at < HORIZON:
                    flavors = self._flavors(self._queues[queue], job)
                    yield Candidate("", queue, job.gpus, flavors, curve, at, limit=job.limit or inf)

    def _flavors(self, queue: QueueQuota, job: Arrival) -> tuple[str, ...]:
        """Return the flavors that a job of a GPU type can use: all whose labels do not speak against it."""
        wanted = job.gpu_type.lower()
        return tuple(
            name
            for name in queue.flavors
            if not (products := self._snapshot.products.get(name))
            or any(wanted in product.lower() for product in products)
        )


def is_played(job: PendingJob, queue: QueueQuota) -> bool:
    """Tell whether a job starts when GPUs come free, so that its start can be estimated at all."""
    return not job.blocked and not queue.stopped and job.gpus > 0


def is_calm(queue: QueueQuota) -> bool:
    """Tell whether the jobs of a queue end more often than they have to give way."""
    return queue.preempted <= queue.finished


def estimate_starts(
    snapshot: QueueSnapshot, past: Past, known: Mapping[str, Known]
) -> dict[str, list[float]]:
    """Return uid -> the sorted seconds until its start in each simulated future, of each job that has any.

    None has while too few jobs have ended, or where its queue is too unruly. Takes up to some seconds.
    """
    if len(past.ended) < LEAST_PAST:
        return {}
    starts: dict[str, list[float]] = {}
    for cohort in _Builder(snapshot, past, known).cohorts():
        starts |= simulate_starts(cohort, crc32(cohort.queues[0].name.encode()))
    calm = {queue.name for queue in snapshot.queues if is_calm(queue)}
    return {job.uid: starts[job.uid] for job in snapshot.waiting if job.uid in starts and job.queue in calm}
