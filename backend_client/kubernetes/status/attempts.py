"""Attempts of a job, out of its pods and what was seen of them: which start of which rank each is (pure)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from backend_client.kubernetes.labels import INDEX
from backend_client.kubernetes.resources.core import ContainerStatus, Pod, Terminated
from backend_client.kubernetes.status.exit_reason import (
    container_exit_reason,
    memory_limit,
    pod_eviction,
    pod_exit_reason,
    signal_number,
)
from backend_client.models import Attempt, Eviction

EPOCH = datetime.fromtimestamp(0, UTC)


def by_age(pods: Iterable[Pod]) -> list[Pod]:
    """Sort pods oldest first, in the same order every time."""
    return sorted(pods, key=_age)


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


class PodAttempts(Struct, frozen=True, kw_only=True):
    """What was seen of a pod and is reported no more: its attempts, numbered from 1 within it."""

    name: str
    created: datetime
    rank: int
    attempts: tuple[Attempt, ...]
    starts: int = 0
    """How often it was started in all."""
    before: int = 0
    """Starts of older pods of its rank that are forgotten."""
    gone: bool = False
    """The pod itself is gone."""


PastAttempts = Mapping[str, PodAttempts]
"""By the uid of the pod: what one job's pods report no more."""
NO_PAST: PastAttempts = {}


def count_starts(pod: Pod) -> int:
    """Count the starts of a pod's main container; the first counts before it comes."""
    status = pod.main_container_status
    return 1 + max(0, status.restart_count if status else 0)


def in_order(
    pods: Iterable[Pod], past: PastAttempts = NO_PAST
) -> Iterator[tuple[Pod | PodAttempts, int, int]]:
    """Yield each pod, oldest first, with its rank and the number of starts that this rank had before it.

    Pods that are gone keep their place, so an attempt has the same number as long as they are remembered.
    """
    pods = by_age(pods)
    found: list[tuple[Pod | PodAttempts, int]] = [(pod, rank) for rank, pod in ranks(pods)]
    if past:
        there = {pod.uid for pod in pods}
        found += [(pod, pod.rank) for uid, pod in past.items() if pod.gone and uid not in there]
        found.sort(key=lambda item: _age(item[0]))
    starts: dict[int, int] = {}
    for pod, rank in found:
        before = starts.get(rank, 0) + (pod.before if isinstance(pod, PodAttempts) else 0)
        starts[rank] = before + (pod.starts if isinstance(pod, PodAttempts) else count_starts(pod))
        yield pod, rank, before


def _age(pod: Pod | PodAttempts) -> tuple[datetime, str]:
    created = pod.created if isinstance(pod, PodAttempts) else pod.metadata.creation_timestamp
    return created or EPOCH, pod.name


def attempts_of(pods: Iterable[Pod], past: PastAttempts = NO_PAST) -> tuple[Attempt, ...]:
    """Return all attempts that pods still report (of a restarted container the last two), and those of the
    past.
    """
    attempts: list[Attempt] = []
    for pod, rank, before in in_order(pods, past):
        if isinstance(pod, PodAttempts):
            attempts += (_renumbered(attempt, before) for attempt in pod.attempts)
            continue
        own = list(attempts_of_pod(pod, rank, before))
        if seen := past.get(pod.uid):
            earlier = (_renumbered(attempt, before) for attempt in seen.attempts)
            released = own[0].released  # the pod holds its GPUs from one start of its container to the next
            attempts += (
                replace(attempt, released=released) for attempt in earlier if attempt.number < own[0].number
            )
        attempts += own
    return tuple(sorted(attempts, key=lambda attempt: (attempt.number, attempt.rank)))


def _renumbered(attempt: Attempt, before: int) -> Attempt:
    return replace(attempt, number=attempt.number + before) if before else attempt


def attempts_of_pod(pod: Pod, rank: int, previous: int = 0) -> Iterator[Attempt]:
    """Yield a pod's attempts. While its container waits to be restarted, the newest is the one that ended."""
    status = pod.main_container_status or ContainerStatus()
    number = previous + count_starts(pod)
    now, last = status.state, status.last_state.terminated
    if last and (now.running or now.terminated) and number > previous + 1:
        yield _ended_attempt(pod, rank, number - 1, last)
    if ended := now.terminated or (last if not now.running else None):
        yield replace(_ended_attempt(pod, rank, number, ended), evicted=eviction_of(pod))
    else:
        yield _attempt_without_end(pod, rank, number, started=now.running.started_at if now.running else None)


def eviction_of(pod: Pod) -> Eviction | None:
    """Return what ended a pod from outside, or refused it; None where nothing did."""
    found = pod_eviction(pod)
    return eviction_by(found.id, found.sentence) if found and found.id not in ("", "pod.deadline") else None


def eviction_by(cause_id: str, sentence: str) -> Eviction:
    """Return the end of an attempt by a cause, a pod's or a queue's."""
    for how, causes in _CAUSES.items():
        if cause_id in causes:
            return Eviction(how=how, why=sentence)
    return Eviction(how="other", why=sentence)


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
        uid=pod.uid,
        allocated=allocated_at(pod),
        released=released_at(pod),
        evicted=eviction_of(pod),
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
        uid=pod.uid,
        allocated=allocated_at(pod),
        released=released_at(pod),
    )


_QUEUE_PREEMPTS = ("queue.preempted", "queue.reclaimed", "queue.fair-share")
_NODE_EVICTS = ("node.drained", "node.tainted", "node.ended", "node.evicted", "node.shutdown")
_CAUSES: Mapping[Literal["preempted", "evicted", "lost"], tuple[str, ...]] = {
    "preempted": ("pod.preempted", "node.critical-pod", *_QUEUE_PREEMPTS),
    "evicted": (*_NODE_EVICTS, "queue.not-ready", "queue.check-retry", "queue.drained"),
    "lost": ("node.gone", "node.lost", "queue.node"),
}
"""How an attempt was ended -> ids of causes."""


def allocated_at(pod: Pod) -> datetime | None:
    """Return since when a pod holds what it asked for: the scheduler has bound it to its node."""
    bound = pod.condition("PodScheduled")
    return bound.last_transition_time if bound and bound.true else None


def released_at(pod: Pod) -> datetime | None:
    """Return since when a pod holds nothing: its last container has ended for good, or it was given up.

    A pod that is only to be deleted holds all that it has. Only times that the cluster has written are told;
    a clock of a node that is behind the scheduler's gives no time before the binding.
    """
    if not has_ended(pod):
        return None
    ends = [ended.finished_at for ended in _final_ends(pod) if ended and _known_time(ended.finished_at)]
    times = [time for time in ends if time] or [
        condition.last_transition_time for condition in pod.conditions if condition.last_transition_time
    ]
    found = max(times, default=None)
    bound = allocated_at(pod)
    return max(found, bound) if found and bound else found


def last_end(pod: Pod) -> datetime | None:
    """Return when the last container of a pod ended; None where one has not, as far as the pod says."""
    ends = [_known_time(ended.finished_at) if ended else None for ended in _final_ends(pod)]
    known = [end for end in ends if end]
    return max(known) if known and len(known) == len(ends) else None


def _final_ends(pod: Pod) -> list[Terminated | None]:
    """Return how the containers of a pod ended, sidecars too; None for one that has not."""
    inits = [status for status in pod.status.init_container_statuses if not status.state.waiting]
    return [status.state.terminated for status in (*pod.status.container_statuses, *inits)]


def _known_time(time: datetime | None) -> datetime | None:
    """Return a time; None for 1970, which is what a container that could not be started reports."""
    return time if time and time > EPOCH else None


def count_restarts(attempts: Sequence[Attempt]) -> int:
    """Count the starts beyond the first of each rank."""
    return sum({attempt.rank: attempt.number - 1 for attempt in attempts}.values())
