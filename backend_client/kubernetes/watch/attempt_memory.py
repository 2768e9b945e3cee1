"""The memory of attempts: what was seen of pods and container runs that the cluster reports no more."""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.status.attempts import (
    EPOCH,
    NO_PAST,
    PastAttempts,
    PodAttempts,
    attempts_of_pod,
    count_starts,
    last_end,
    released_at,
)
from backend_client.kubernetes.status.exit_reason import pod_eviction_reason
from backend_client.models import Attempt, Eviction

KEPT = 10
"""Pods of a rank that are remembered after they are gone, and attempts of a pod; the latest stay."""
MOST_PODS = 5000
"""Pods that are remembered of all jobs; beyond that the job that was remembered first is forgotten."""


class AttemptMemory:
    """Earlier attempts by job: a pod takes its own with it, a restarted container reports its last two."""

    def __init__(self) -> None:
        """Start empty."""
        self._jobs: dict[str, dict[str, PodAttempts]] = {}
        self._reasons: dict[str, str] = {}
        self._size = 0

    def of(self, job_uid: str) -> PastAttempts:
        """Return what is remembered of a job."""
        return self._jobs.get(job_uid, NO_PAST)

    def last_reason_of(self, job_uid: str) -> str:
        """Return why the pods of a job that were taken away last did not run; "" where that was not seen."""
        return self._reasons.get(job_uid, "")

    def keep_reason(self, job_uid: str, reason: str) -> None:
        """Remember why a pod did not run that is taken away; "" (it ran) forgets what was before."""
        self._reasons.pop(job_uid, None)
        if reason:
            self._reasons[job_uid] = reason
        while len(self._reasons) > MOST_PODS:
            del self._reasons[next(iter(self._reasons))]

    def keep_restarted(self, job_uid: str, pod: Pod, rank: int, now: datetime) -> None:
        """Remember the attempts of a pod as it was before its container was started again."""
        self._keep(job_uid, pod, rank, _seen_attempts(pod, rank, now))

    def keep_gone(
        self, job_uid: str, pod: Pod, rank: int, now: datetime, taken: Eviction | None = None
    ) -> None:
        """Remember a pod that is gone, as it was seen last; one that never started has left no trace.

        `taken`: what its queue did, where that took it away.
        """
        released = _released(pod, now)
        attempts = [replace(attempt, released=released) for attempt in _seen_attempts(pod, rank, now, taken)]
        known = self.of(job_uid).get(pod.uid)
        if (not attempts and not known) or (known and known.gone):
            return
        if attempts and (evicted := pod_eviction_reason(pod)):
            attempts[-1] = replace(attempts[-1], reason=evicted)
        self._keep(job_uid, pod, rank, attempts, gone=True)
        self._fold(job_uid, rank)
        while self._size > MOST_PODS and len(self._jobs) > 1:
            self.forget(next(iter(self._jobs)))

    def forget(self, job_uid: str) -> None:
        """Forget a job."""
        self._reasons.pop(job_uid, None)
        self._size -= len(self._jobs.pop(job_uid, ()))

    def _keep(
        self, job_uid: str, pod: Pod, rank: int, attempts: Sequence[Attempt], *, gone: bool = False
    ) -> None:
        pods = self._jobs.setdefault(job_uid, {})
        known = pods.get(pod.uid)
        by_number = {attempt.number: attempt for attempt in known.attempts} if known else {}
        by_number |= {attempt.number: attempt for attempt in attempts}
        if gone and attempts:
            released = max(attempts, key=lambda attempt: attempt.number).released
            by_number = {number: replace(one, released=released) for number, one in by_number.items()}
        self._size += known is None
        pods[pod.uid] = PodAttempts(
            name=pod.name,
            created=pod.metadata.creation_timestamp or EPOCH,
            rank=rank,
            attempts=tuple(by_number[number] for number in sorted(by_number)[-KEPT:]),
            starts=count_starts(pod),
            gone=gone,
        )

    def _fold(self, job_uid: str, rank: int) -> None:
        """Forget the oldest pod of a rank where there are too many: the next one counts its starts."""
        pods = self._jobs[job_uid]
        gone = [(uid, pod) for uid, pod in pods.items() if pod.gone and pod.rank == rank]
        if len(gone) <= KEPT:
            return
        (oldest, old), (following, new), *_ = sorted(gone, key=lambda item: (item[1].created, item[1].name))
        pods[following] = replace(new, before=old.before + old.starts)
        del pods[oldest]
        self._size -= 1


def _seen_attempts(pod: Pod, rank: int, now: datetime, taken: Eviction | None = None) -> list[Attempt]:
    """Return the attempts of a pod that ran, each with an end: nothing will report it any more."""
    ran = [attempt for attempt in attempts_of_pod(pod, rank) if attempt.started or attempt.finished]
    if ran and taken:
        ran[-1] = replace(ran[-1], evicted=ran[-1].evicted or taken)
    return [_ended(attempt, pod, now) for attempt in ran]


def _ended(attempt: Attempt, pod: Pod, now: datetime) -> Attempt:
    if attempt.finished:
        return replace(attempt, log_gone=True)
    finished = min(now, pod.metadata.deletion_timestamp or now)
    why = attempt.evicted.why if attempt.evicted else "how it ended was not seen"
    return replace(attempt, finished=finished, reason=attempt.reason or why, log_gone=True)


def _released(pod: Pod, now: datetime) -> datetime:
    """Return since when a pod that is gone holds nothing: what it said itself, else when it was missed."""
    return released_at(pod) or last_end(pod) or now
