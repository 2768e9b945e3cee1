"""Pods -> the containers whose logs can still be read (pure)."""

from collections.abc import Iterable, Iterator
from hashlib import blake2b

from msgspec import Struct

from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.status.attempts import by_age, has_ended, ranks


class ContainerRun(Struct, frozen=True):
    """One run of a pod's container that works: what one log is of."""

    key: str
    """Short, and another for every run."""
    rank: int
    attempt: int
    """Its number as `attempts` counts."""
    namespace: str
    pod: str
    container: str
    ended: bool
    previous: bool = False
    """The pod has started it again since: an API server calls this log `previous`."""


def runs(pods: Iterable[Pod]) -> dict[int, list[ContainerRun]]:
    """By rank, oldest first. What has not started yet has no log."""
    found: dict[int, list[ContainerRun]] = {}
    latest: dict[int, int] = {}
    for rank, pod in ranks(by_age(pods)):
        status = pod.main_container_status
        number = latest.get(rank, 0) + 1 + max(0, status.restart_count if status else 0)
        found.setdefault(rank, []).extend(_of_pod(pod, rank, number, latest.get(rank, 0)))
        latest[rank] = number
    return found


def _of_pod(pod: Pod, rank: int, number: int, before: int) -> Iterator[ContainerRun]:
    """Of a container that waits to be started again the last run is the newest."""
    status = pod.main_container_status
    if not status:
        return
    now, last = status.state, status.last_state.terminated
    started = now.running or now.terminated
    if last and (not started or number > before + 1):
        number_then = number - 1 if started else number
        yield _run(pod, rank, number_then, last.container_id, ended=True, previous=bool(started))
    if started:
        ended = bool(now.terminated) or has_ended(pod)
        yield _run(pod, rank, number, status.container_id, ended=ended)


def _run(
    pod: Pod, rank: int, number: int, container_id: str, *, ended: bool, previous: bool = False
) -> ContainerRun:
    status = pod.main_container_status
    known = container_id or f"{pod.uid}/{number}"
    key = blake2b(known.encode(), digest_size=6).hexdigest()
    name = status.name if status else ""
    return ContainerRun(key, rank, number, pod.namespace, pod.name, name, ended, previous)
