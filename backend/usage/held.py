"""What one pod holds, and until when: the attempts that a backend tells of it, as one row (pure)."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from backend.clusters.event_log import Key
from backend_client.models import Attempt, Job, JobState


class Held(Struct, frozen=True, kw_only=True):
    """A row of `attempts`, without its numbers."""

    cluster: str
    pod_uid: str
    job_uid: str
    number: int
    rank: int
    pod: str
    node: str
    gpus: int
    gpu_type: str
    queue: str
    allocated: datetime
    started: datetime | None = None
    finished: datetime | None = None
    between: float = 0.0
    released: datetime | None = None
    released_lo: datetime | None = None
    end: str = ""

    @property
    def job(self) -> Key:
        return self.cluster, self.job_uid

    @property
    def key(self) -> Key:
        return self.cluster, self.pod_uid

    @property
    def latest(self) -> datetime:
        """The latest time at which it is known to have held its GPUs."""
        return max(time for time in (self.allocated, self.started, self.finished) if time)


def by_pod(job: Job) -> dict[str, list[Attempt]]:
    """Return the attempts of a job that hold or held something, by the pod; in order.

    A job of a machine has no pods: each start is one.
    """
    found: dict[str, list[Attempt]] = {}
    for attempt in sorted(job.attempts, key=lambda one: one.number):
        if attempt.allocated or (attempt.started and (attempt.uid or attempt.pid)):
            found.setdefault(attempt.uid or f"{job.ref.uid}/{attempt.number}", []).append(attempt)
    return found


def held_of(job: Job, pod_uid: str, attempts: Sequence[Attempt], before: Held | None) -> Held:
    """Return what a pod holds by all its attempts that are told, and by what was known of it `before`.

    Of the starts before the last ones nothing may be told any more.
    """
    last = attempts[-1]
    released = last.released or (None if last.uid or last.allocated else last.finished)
    starts = [one.started for one in attempts if one.started]
    began = [one.allocated or one.started for one in attempts]
    allocated = min(time for time in (*began, before and before.allocated) if time)
    started = min((time for time in (*starts, before and before.started) if time), default=None)
    return Held(
        cluster=job.ref.context,
        pod_uid=pod_uid,
        job_uid=job.ref.uid,
        number=last.number,
        rank=last.rank,
        pod=last.pod,
        node=last.node or (before.node if before else ""),
        gpus=job.spec.gpus,
        gpu_type=last.gpu_type or (before.gpu_type if before else ""),
        queue=job.queue.queue if job.queue else job.spec.queue,
        allocated=allocated,
        started=started and max(started, allocated),
        finished=last.finished,
        between=_between(attempts, before),
        released=released and max(released, allocated),
        end=end_of(job, last) if released else "",
    )


def _between(attempts: Iterable[Attempt], before: Held | None) -> float:
    """Return for how long the container of a pod did not run between its starts."""
    seconds, number = (before.between, before.number) if before else (0.0, 0)
    ended = before.finished if before else None
    for attempt in attempts:
        if attempt.number > number and ended and attempt.started:
            seconds += max(0.0, (attempt.started - ended).total_seconds())
        if attempt.number >= number:
            ended = attempt.finished
    return seconds


def is_unseen(attempts: Sequence[Attempt]) -> bool:
    """Return whether nobody wrote when a pod ended: it was there, and then it was not."""
    return attempts[-1].log_gone and attempts[-1].exit_code is None


def closed(held: Held, job: Job | None, now: datetime, gap_since: datetime | None) -> Held:
    """Return what a pod held that is gone without a word.

    `gap_since`: since when nobody looked; None where it was missed at once. `job`: as it is now, None where
    it is gone as well.
    """
    earliest = max(gap_since, held.latest) if gap_since else None
    latest = _latest_end(held, job, now)
    latest = max(latest, held.latest, earliest or held.latest)
    return replace(
        held,
        released=latest,
        released_lo=earliest if earliest and earliest < latest else None,
        finished=(held.finished or latest) if held.started else None,
        end=held.end or ("stopped" if job is None else end_of(job, None)),
    )


def _latest_end(held: Held, job: Job | None, now: datetime) -> datetime:
    """Return until when a pod may have been there: its job's end, the next start of its rank, or now."""
    if job is None:
        return now
    bounds = [now, *([job.finished] if job.finished else [])]
    if job.ref.kind == "job":  # its next pod is made when the one before has ended
        bounds += [
            one.allocated
            for one in job.attempts
            if one.allocated and one.rank == held.rank and one.uid != held.pod_uid
        ]
    return min((time for time in bounds if time >= held.latest), default=now)


def end_of(job: Job, last: Attempt | None) -> str:
    """Return how an attempt ended; `last` is None where nothing is told of it any more."""
    if last and last.evicted and last.evicted.how != "other":
        return last.evicted.how
    if last and last.exit_code == 0:
        return "succeeded"
    paused = bool(job.pauses) and job.pauses[-1].resumed is None
    if job.state in (JobState.STOPPED, JobState.STOPPING) or paused:
        return "stopped"
    if last and (last.exit_code is not None or not last.log_gone):
        return "failed"
    return "lost"
