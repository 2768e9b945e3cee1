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
    places: list[Pod] = []
    for pod in pods:
        index = pod.metadata.labels.get(INDEX) or pod.metadata.annotations.get(INDEX, "")
        if index.isdecimal() and len(index) < 9:
            yield int(index), pod
            continue
        free = [rank for rank, last in enumerate(places) if _gone(last)]
        rank = free[0] if free else len(places)
        places[rank : rank + 1] = [pod]
        yield rank, pod


def _gone(pod: Pod) -> bool:
    return has_ended(pod) or pod.metadata.deletion_timestamp is not None


def attempts(pods: Iterable[Pod]) -> tuple[Attempt, ...]:
    """All starts that the pods still tell of: of a container that was restarted the last one or two."""
    found: list[Attempt] = []
    latest: dict[int, int] = {}
    for rank, pod in ranks(by_age(pods)):
        starts = list(_starts(pod, rank, latest.get(rank, 0)))
        latest[rank] = starts[-1].number
        found += starts
    return tuple(sorted(found, key=lambda attempt: (attempt.number, attempt.rank)))


def _starts(pod: Pod, rank: int, before: int) -> Iterator[Attempt]:
    """While a container waits to be started again, the last start that counts is the one that has ended."""
    status = pod.main_container_status or ContainerStatus()
    number = before + 1 + max(0, status.restart_count)
    now, last = status.state, status.last_state.terminated
    if last and (now.running or now.terminated) and number > before + 1:
        yield _ended(pod, rank, number - 1, last)
    if ended := now.terminated or (last if not now.running else None):
        yield _ended(pod, rank, number, ended)
    else:
        yield _attempt(pod, rank, number, started=now.running.started_at if now.running else None)


def _attempt(pod: Pod, rank: int, number: int, *, started: datetime | None) -> Attempt:
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


def _ended(pod: Pod, rank: int, number: int, ended: Terminated) -> Attempt:
    """A container that could not be started says it was started in 1970."""
    status = pod.main_container_status
    words = (
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
        started=_real(ended.started_at),
        finished=_real(ended.finished_at),
        reason=words,
    )


def _real(time: datetime | None) -> datetime | None:
    return time if time and time > EPOCH else None


def count_restarts(found: Sequence[Attempt]) -> int:
    """Starts beyond the first of each rank."""
    return sum({attempt.rank: attempt.number - 1 for attempt in found}.values())
