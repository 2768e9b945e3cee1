"""A trace replayed through one queue: when each job really starts, and what was known before."""

import heapq
from collections.abc import Iterator

from msgspec import Struct

from benchmarks.queue_traces import Trace, TraceJob


class Held(Struct, frozen=True, order=True):
    """A job that runs."""

    end: float
    number: int
    start: float


class Moment(Struct, frozen=True):
    """What a server knows when a job comes that cannot start at once."""

    at: float
    job: int
    waiting: list[int]
    """In their order, this job last."""
    held: list[Held]


class Replay:
    """The replay of a trace; `starts` has what has happened so far, a job by its number in the trace."""

    def __init__(self, trace: Trace, *, strict: bool = False) -> None:
        self.trace = trace
        self.starts: dict[int, float] = {}
        self.ends: dict[int, float] = {}
        self._strict = strict
        self._free = trace.gpus
        self._held: list[Held] = []
        self._waiting: list[int] = []

    def moments(self) -> Iterator[Moment]:
        """Play the trace, and stop at each job that has to wait."""
        for number, job in enumerate(self.trace.jobs):
            self._end_before(job.at)
            self._waiting.append(number)
            self._admit(job.at)
            if number not in self.starts:
                yield Moment(job.at, number, [*self._waiting], [*self._held])
        self._end_before(float("inf"))

    def job(self, number: int) -> TraceJob:
        return self.trace.jobs[number]

    def _end_before(self, at: float) -> None:
        while self._held and self._held[0].end <= at:
            ended = heapq.heappop(self._held)
            self.ends[ended.number] = ended.end
            self._free += self.job(ended.number).gpus
            self._admit(ended.end)

    def _admit(self, at: float) -> None:
        left: list[int] = []
        for number in self._waiting:
            job = self.job(number)
            if job.gpus > self._free or (self._strict and left):
                left.append(number)
                continue
            self._free -= job.gpus
            self.starts[number] = at
            heapq.heappush(self._held, Held(at + min(job.seconds, job.limit), number, at))
        self._waiting = left
