"""Simulated futures of Kueue's queues: when would each waiting job start? (pure)

Each future plays one cohort on: what runs ends after a drawn time, what arrived last week at this hour comes
again, and jobs are admitted by priority and age, where they fit, as BestEffortFIFO and StrictFIFO do
(kueue.sigs.k8s.io/docs/concepts/cluster_queue). All durations of a future share one random factor: what is
not known of a lab or of a week is the same for all of its jobs, and without it futures are far too alike.
Preemption is not played.
"""

import heapq
from collections import defaultdict
from collections.abc import Sequence
from math import exp, inf
from random import Random

from msgspec import Struct

from backend.estimates.durations import SurvivalCurve
from backend.estimates.quota_cells import QuotaCells
from backend_client.queue_snapshot import QueueQuota

FUTURES = 60
FEWEST_FUTURES = 20
"""With fewer than this, cut short by their cost, there is no estimate."""
SIGMA = 0.4
"""Of the common factor exp(N(0, SIGMA)): with 0.5 ranges come true no more often, and are wider."""
HORIZON = 14 * 86400.0
"""Seconds that a future is played on."""
MAX_POSITIONS = 100
"""Of each queue so many of the first are played."""
MAX_EVENTS = 300_000
"""Ends, arrivals and starts of all futures together: some seconds of one core."""


class Holding(Struct, frozen=True):
    """A job that holds GPUs."""

    queue: str
    gpus: dict[str, int]
    """By flavor."""
    curve: SurvivalCurve
    age: float
    limit: float = inf
    """Seconds that it may run in all."""
    ends: bool = True

    def draw_end(self, draw: Random, factor: float) -> float:
        """Draw in how many seconds it ends."""
        if not self.ends:
            return inf
        total = self.curve.quantile(draw.random(), self.age)
        return max(0.0, min((total - self.age) * factor, self.limit - self.age))


class Candidate(Struct, frozen=True):
    """A job that waits, or one that will arrive."""

    uid: str
    """"" for one that will arrive."""
    queue: str
    gpus: int
    flavors: tuple[str, ...]
    curve: SurvivalCurve
    at: float
    """Seconds from now at which it stands in the queue: below 0 for one that waits."""
    priority: int = 0
    limit: float = inf

    def draw_duration(self, draw: Random, factor: float) -> float:
        """Draw how many seconds it runs."""
        return min(self.curve.quantile(draw.random()) * factor, self.limit)


class Cohort(Struct, frozen=True):
    """Queues that lend to each other, with what they hold and what comes."""

    queues: Sequence[QueueQuota]
    own: dict[str, int]
    """GPUs by flavor that are the cohort's own."""
    holding: Sequence[Holding]
    waiting: Sequence[Candidate]
    arrivals: Sequence[Candidate] = ()


def simulate_starts(
    cohort: Cohort, seed: int, *, futures: int = FUTURES, sigma: float = SIGMA, max_events: int = MAX_EVENTS
) -> dict[str, list[float]]:
    """Return uid -> the seconds until its start in each future, sorted; inf where that is beyond the horizon.

    Jobs that can never fit, and those behind the first positions, have none. Empty where too few futures
    could be played for `max_events`.
    """
    draw = Random(seed)  # noqa: S311  no secret
    first = _first_positions(cohort.waiting)
    starts: dict[str, list[float]] = {
        job.uid: [] for job in first if QuotaCells(cohort.queues, cohort.own).room(job) >= job.gpus
    }
    arrivals = sorted(cohort.arrivals, key=lambda job: job.at)
    played = 0
    while played < futures and max_events > 0 and starts:
        future = _Future(
            Cohort(cohort.queues, cohort.own, cohort.holding, first, arrivals), draw, sigma, set(starts)
        )
        future.play(max_events)
        max_events -= future.events
        if max_events <= 0:
            break
        played += 1
        for uid, found in starts.items():
            found.append(future.starts.get(uid, inf))
    if played < min(FEWEST_FUTURES, futures):
        return {}
    return {uid: sorted(found) for uid, found in starts.items()}


def _order(job: Candidate) -> tuple[int, float]:
    return -job.priority, job.at


def _first_positions(waiting: Sequence[Candidate]) -> list[Candidate]:
    """Return the first jobs of each queue, in their order."""
    taken: defaultdict[str, int] = defaultdict(int)
    first = []
    for job in sorted(waiting, key=_order):
        taken[job.queue] += 1
        if taken[job.queue] <= MAX_POSITIONS:
            first.append(job)
    return first


_Shape = tuple[str, int, tuple[str, ...]]
"""(queue, GPUs, flavors): jobs of one shape fit, or do not fit, all alike."""


class _Future:
    """One future, played until all jobs that are asked for have started."""

    def __init__(self, cohort: Cohort, draw: Random, sigma: float, targets: set[str]) -> None:
        """`targets`: the uids of the jobs that are asked for. The cohort's arrivals are in their order."""
        self.starts: dict[str, float] = {}
        self.events = 0
        self._draw = draw
        self._factor = exp(draw.gauss(0.0, sigma))
        self._targets = targets
        self._arrivals = cohort.arrivals
        self._strict = {queue.name for queue in cohort.queues if queue.strict}
        self._cells = QuotaCells(cohort.queues, cohort.own)
        self._ends: list[tuple[float, int, str, dict[str, int]]] = []
        self._number = 0
        self._waiting: defaultdict[_Shape, list[tuple[int, float, int, Candidate]]] = defaultdict(list)
        for job in cohort.holding:
            self._cells.take(job.queue, job.gpus)
            self._push_end(job.draw_end(draw, self._factor), job.queue, job.gpus)
        for candidate in cohort.waiting:
            self._enqueue(candidate)

    def play(self, max_events: int) -> None:
        """Play until all targets have started, the horizon is reached, or so many events have happened."""
        self._admit(0.0)
        arrived = 0
        while self.events < max_events and self._targets:
            end = self._ends[0][0] if self._ends else inf
            arrival = self._arrivals[arrived].at if arrived < len(self._arrivals) else inf
            now = min(end, arrival)
            if now > HORIZON:
                return
            self.events += 1
            if arrival < end:
                self._arrive(self._arrivals[arrived])
                arrived += 1
            else:
                _, _, queue, gpus = heapq.heappop(self._ends)
                self._cells.release(queue, gpus)
                self._admit(now)

    def _arrive(self, job: Candidate) -> None:
        """Let a job in: of all that wait it alone may fit now, as nothing has come free."""
        behind_others = job.queue in self._strict and any(
            shape[0] == job.queue and waiting for shape, waiting in self._waiting.items()
        )
        if behind_others or not self._start(job, job.at):
            self._enqueue(job)

    def _admit(self, now: float) -> None:
        """Start all that fits, in the order of priority and age."""
        heads = [(*waiting[0], shape) for shape, waiting in self._waiting.items() if waiting]
        heapq.heapify(heads)
        blocked: set[str] = set()
        while heads:
            *_, job, shape = heapq.heappop(heads)
            if job.queue in blocked:
                continue
            if self._start(job, now):
                waiting = self._waiting[shape]
                heapq.heappop(waiting)
                if waiting:
                    heapq.heappush(heads, (*waiting[0], shape))
            elif job.queue in self._strict:
                blocked.add(job.queue)

    def _start(self, job: Candidate, now: float) -> bool:
        flavor = self._cells.fitting_flavor(job)
        if flavor is None:
            return False
        self.events += 1
        gpus = {flavor: job.gpus}
        self._cells.take(job.queue, gpus)
        self._push_end(now + job.draw_duration(self._draw, self._factor), job.queue, gpus)
        if job.uid:
            self.starts[job.uid] = now
            self._targets.discard(job.uid)
        return True

    def _enqueue(self, job: Candidate) -> None:
        self._number += 1
        entry = (*_order(job), self._number, job)
        heapq.heappush(self._waiting[job.queue, job.gpus, job.flavors], entry)

    def _push_end(self, at: float, queue: str, gpus: dict[str, int]) -> None:
        self._number += 1
        heapq.heappush(self._ends, (at, self._number, queue, gpus))
