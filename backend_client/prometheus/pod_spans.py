"""When which pod was which rank of a job: what figures of pods are joined to (pure).

A pod's name can come again, of a Deployment or a bare pod: so a figure counts for a job only within the time
in which the pod was the job's.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from msgspec import Struct

from backend_client.models import Attempt, Job

PodKey = tuple[str, str]
"""Namespace and name of a pod."""
EARLY_SECONDS = 60.0
"""A pod may be seen so long before the time that its container says it started: it was there already."""


class PodSpan(Struct, frozen=True, kw_only=True):
    """A pod, the rank that it is, and from when to when (Unix times; None: open)."""

    namespace: str
    pod: str
    rank: int = 0
    attempt: int = 1
    node: str = ""
    since: float | None = None
    until: float | None = None

    @property
    def key(self) -> PodKey:
        return self.namespace, self.pod

    def covers(self, time: float, late: float = 0.0) -> bool:
        """Return whether the pod was there at a time, or up to `late` seconds before that."""
        begun = self.since is None or time >= self.since - EARLY_SECONDS
        return begun and (self.until is None or time <= self.until + late)


def spans_of(job: Job) -> tuple[PodSpan, ...]:
    """Return the pods of all attempts of a job, oldest first."""
    return tuple(_span(job, attempt) for attempt in job.attempts if attempt.pod)


def running_spans(job: Job) -> tuple[PodSpan, ...]:
    """Return the pods in which a job runs now: of each rank the last attempt, unless it has ended."""
    last = {attempt.rank: attempt for attempt in job.attempts if attempt.pod}
    return tuple(_span(job, attempt) for attempt in last.values() if attempt.finished is None)


def _span(job: Job, attempt: Attempt) -> PodSpan:
    since, until = attempt.allocated or attempt.started, attempt.finished or attempt.released
    return PodSpan(
        namespace=job.ref.namespace,
        pod=attempt.pod,
        rank=attempt.rank,
        attempt=attempt.number,
        node=attempt.node,
        since=since.timestamp() if since else None,
        until=until.timestamp() if until else None,
    )


def within(spans: Iterable[PodSpan], since: datetime, until: datetime) -> Iterator[PodSpan]:
    """Yield the spans that overlap with a time."""
    for span in spans:
        if (span.since or 0.0) <= until.timestamp() and (
            span.until is None or span.until >= since.timestamp()
        ):
            yield span
