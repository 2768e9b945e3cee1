"""Pods -> the runs of their containers whose logs can still be read, by rank (pure)."""

from collections.abc import Iterable, Iterator
from hashlib import blake2b

from msgspec import Struct

from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.status.attempts import (
    NO_PAST,
    PastAttempts,
    count_starts,
    has_ended,
    in_order,
)


class ContainerRun(Struct, frozen=True):
    """One run of a pod's main container: it has a log of its own."""

    key: str
    """Short, and different for every run."""
    rank: int
    attempt: int
    """Its number as `attempts` counts."""
    namespace: str
    pod: str
    container: str
    ended: bool
    previous: bool = False
    """The container has been started again since: its log needs `previous=true` (core/v1 PodLogOptions)."""


def runs_by_rank(pods: Iterable[Pod], past: PastAttempts = NO_PAST) -> dict[int, list[ContainerRun]]:
    """List the runs that have a log by rank, oldest first; a container that never started has none."""
    runs: dict[int, list[ContainerRun]] = {}
    for pod, rank, before in in_order(pods, past):
        if isinstance(pod, Pod):
            runs.setdefault(rank, []).extend(_runs_of_pod(pod, rank, before + count_starts(pod), before))
    return runs


def _runs_of_pod(pod: Pod, rank: int, number: int, before: int) -> Iterator[ContainerRun]:
    """Yield the last run and the current one; a container that waits for its restart has only the last.

    `number`: the attempt of the current run; `before`: the last attempt of an older pod.
    """
    status = pod.main_container_status
    if not status:
        return
    state, last = status.state, status.last_state.terminated
    started = state.running or state.terminated
    if last and (not started or number > before + 1):
        last_number = number - 1 if started else number
        yield _run(pod, rank, last_number, last.container_id, ended=True, previous=bool(started))
    if started:
        ended = bool(state.terminated) or has_ended(pod)
        yield _run(pod, rank, number, status.container_id, ended=ended)


def _run(
    pod: Pod, rank: int, number: int, container_id: str, *, ended: bool, previous: bool = False
) -> ContainerRun:
    status = pod.main_container_status
    identity = container_id or f"{pod.uid}/{number}"
    key = blake2b(identity.encode(), digest_size=6).hexdigest()
    name = status.name if status else ""
    return ContainerRun(key, rank, number, pod.namespace, pod.name, name, ended, previous)
