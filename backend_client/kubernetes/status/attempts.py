"""Attempts of a job, out of its pods: which start of which rank each container run is (pure)."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from backend_client.kubernetes.labels import INDEX
from backend_client.kubernetes.resources.core import ContainerStatus, Pod, Terminated
from backend_client.kubernetes.status.exit_reason import (
    container_exit_reason,
    memory_limit,
    pod_exit_reason,
    signal_number,
)
from backend_client.models import Attempt

EPOCH = datetime.fromtimestamp(0, UTC)


def by_age(pods: Iterable[Pod]) -> list[Pod]:
    """Sort pods oldest first, in the same order every time."""
    return sorted(pods, key=lambda pod: (pod.metadata.creation_timestamp or EPOCH, pod.name))


def has_ended(pod: Pod) -> bool:
    """Return whether a pod has ended for good."""
    return pod.status.phase in ("Succeeded", "Failed")


def is_over(pod: Pod) -> bool:
    """Return whether a pod has ended or is being deleted: its rank is free for another."""
    return has_ended(pod) or pod.metadata.deletion_timestamp is not None


def ranks(pods: Sequence[Pod]) -> Iterator[tuple[int, Pod]]:
    """Yield each pod with its rank: its completion index, or (replicas) the rank that an older pod left."""
    latest_pods: list[Pod] = []
    for pod in pods:
        index = pod.metadata.labels.get(INDEX) or pod.metadata.annotations.get(INDEX, "")
        if index.isdecimal() and len(index) < 9:
            yield int(index), pod
            continue
        free = [rank for rank, pod_before in enumerate(latest_pods) if is_over(pod_before)]
        rank = free[0] if free else len(latest_pods)
        latest_pods[rank : rank + 1] = [pod]
        yield rank, pod


def attempts_of(pods: Iterable[Pod]) -> tuple[Attempt, ...]:
    """Return all attempts that pods still report: of a restarted container the last two at most."""
    attempts: list[Attempt] = []
    latest: dict[int, int] = {}
    for rank, pod in ranks(by_age(pods)):
        starts = list(_attempts_of_pod(pod, rank, latest.get(rank, 0)))
        latest[rank] = starts[-1].number
        attempts += starts
    return tuple(sorted(attempts, key=lambda attempt: (attempt.number, attempt.rank)))


def _attempts_of_pod(pod: Pod, rank: int, previous: int) -> Iterator[Attempt]:
    """Yield a pod's attempts. While its container waits to be restarted, the newest is the one that ended."""
    status = pod.main_container_status or ContainerStatus()
    number = previous + 1 + max(0, status.restart_count)
    now, last = status.state, status.last_state.terminated
    if last and (now.running or now.terminated) and number > previous + 1:
        yield _ended_attempt(pod, rank, number - 1, last)
    if ended := now.terminated or (last if not now.running else None):
        yield _ended_attempt(pod, rank, number, ended)
    else:
        yield _attempt_without_end(pod, rank, number, started=now.running.started_at if now.running else None)


def _attempt_without_end(pod: Pod, rank: int, number: int, *, started: datetime | None) -> Attempt:
    """Return the attempt of a pod that reports no exit: it runs, waits, or was ended from outside."""
    times = [c.last_transition_time for c in pod.status.conditions if c.last_transition_time]
    return Attempt(
        number=number,
        rank=rank,
        node=pod.spec.node_name,
        pod=pod.name,
        started=started,
        finished=max(times, default=None) if has_ended(pod) else None,
        reason=pod_exit_reason(pod),
    )


def _ended_attempt(pod: Pod, rank: int, number: int, ended: Terminated) -> Attempt:
    """Return the attempt of a container that has ended."""
    status = pod.main_container_status
    limit = memory_limit(pod, status.name if status else "")
    return Attempt(
        number=number,
        rank=rank,
        node=pod.spec.node_name,
        pod=pod.name,
        exit_code=ended.exit_code,
        signal=signal_number(ended.exit_code),
        started=_known_time(ended.started_at),
        finished=_known_time(ended.finished_at),
        reason=container_exit_reason(ended, limit) if ended.exit_code else "",
    )


def _known_time(time: datetime | None) -> datetime | None:
    """Return a time; None for 1970, which is what a container that could not be started reports."""
    return time if time and time > EPOCH else None


def count_restarts(attempts: Sequence[Attempt]) -> int:
    """Count the starts beyond the first of each rank."""
    return sum({attempt.rank: attempt.number - 1 for attempt in attempts}.values())
