"""Pods -> attempts: which start of which rank each is (pure)."""

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
    """Oldest first, and always in the same order."""
    return sorted(pods, key=lambda pod: (pod.metadata.creation_timestamp or EPOCH, pod.name))


def has_ended(pod: Pod) -> bool:
    """True where it will not run again."""
    return pod.status.phase in ("Succeeded", "Failed")


def ranks(pods: Sequence[Pod]) -> Iterator[tuple[int, Pod]]:
    """Each pod with its rank: its index, or the place that the pod before it has left (replicas)."""
    latest_pods: list[Pod] = []
    for pod in pods:
        index = pod.metadata.labels.get(INDEX) or pod.metadata.annotations.get(INDEX, "")
        if index.isdecimal() and len(index) < 9:
            yield int(index), pod
            continue
        free = [rank for rank, pod_before in enumerate(latest_pods) if _is_vacated(pod_before)]
        rank = free[0] if free else len(latest_pods)
        latest_pods[rank : rank + 1] = [pod]
        yield rank, pod


def _is_vacated(pod: Pod) -> bool:
    return has_ended(pod) or pod.metadata.deletion_timestamp is not None


def attempts_of(pods: Iterable[Pod]) -> tuple[Attempt, ...]:
    """All starts that the pods still tell of: of a container that was restarted the last one or two."""
    attempts: list[Attempt] = []
    latest: dict[int, int] = {}
    for rank, pod in ranks(by_age(pods)):
        starts = list(_attempts_of_pod(pod, rank, latest.get(rank, 0)))
        latest[rank] = starts[-1].number
        attempts += starts
    return tuple(sorted(attempts, key=lambda attempt: (attempt.number, attempt.rank)))


def _attempts_of_pod(pod: Pod, rank: int, previous: int) -> Iterator[Attempt]:
    """While a container waits to be started again, the last start that counts is the one that has ended."""
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
    """Of a pod that has no more to tell than that it runs, waits, or was ended from outside."""
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
    """A container that could not be started says it was started in 1970."""
    status = pod.main_container_status
    reason = (
        container_exit_reason(ended, memory_limit(pod, status.name if status else ""))
        if ended.exit_code
        else ""
    )
    return Attempt(
        number=number,
        rank=rank,
        node=pod.spec.node_name,
        pod=pod.name,
        exit_code=ended.exit_code,
        signal=signal_number(ended.exit_code),
        started=_known_time(ended.started_at),
        finished=_known_time(ended.finished_at),
        reason=reason,
    )


def _known_time(time: datetime | None) -> datetime | None:
    return time if time and time > EPOCH else None


def count_restarts(attempts: Sequence[Attempt]) -> int:
    """Starts beyond the first of each rank."""
    return sum({attempt.rank: attempt.number - 1 for attempt in attempts}.values())
