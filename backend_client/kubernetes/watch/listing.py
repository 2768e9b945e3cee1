"""One look at a cluster: lists of all that jobs are made of, one job, its events."""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Iterable, Sequence
from typing import Any

import msgspec

from backend_client.errors import Forbidden, NotFound
from backend_client.kubernetes import labels
from backend_client.kubernetes.api.errors import Expired
from backend_client.kubernetes.api.transport import JSON, Transport
from backend_client.kubernetes.resources.core import KubeStruct, Pod
from backend_client.kubernetes.resources.events import KubeEvent
from backend_client.kubernetes.resources.kueue import Workload
from backend_client.kubernetes.resources.resource_types import (
    CREATED_KINDS,
    DEPLOYMENTS,
    EVENTS,
    INGRESSES,
    JOBS,
    PODS,
    ROOT_TYPES,
    ResourceType,
    T,
    decode,
    workloads,
)
from backend_client.kubernetes.resources.selectors import label_selector
from backend_client.kubernetes.resources.workloads import Deployment, KubeJob
from backend_client.kubernetes.status.attempts import EPOCH
from backend_client.kubernetes.status.spec_from_objects import RootObject, kind_of
from backend_client.kubernetes.watch.delta import Delta
from backend_client.kubernetes.watch.job_cache import REASONS, WORKLOAD_OF, JobCache
from backend_client.kubernetes.watch.reflector import LIST_SECONDS, PAGE
from backend_client.models import Event, Job, JobRef
from backend_client.multi_user import CreatedJob

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
"""What a cluster's objects may be called; nothing else may stand in a selector."""


class _Version(KubeStruct, frozen=True):
    version: str = ""


class _Group(KubeStruct, frozen=True):
    versions: tuple[_Version, ...] = ()


_GROUP = msgspec.json.Decoder(_Group)


async def list_all(
    transport: Transport,
    kind: ResourceType[T],
    namespace: str = "",
    *,
    labels: str = "",
    fields: str = "",
    accept: str = JSON,
) -> tuple[T, ...]:
    """All objects of a kind, in pages; in one piece where the rest of them expired. Raises a BackendError."""
    items: tuple[T, ...] = ()
    asked = {"labelSelector": labels, "fieldSelector": fields, "limit": str(PAGE), "continue": ""}
    path = kind.path(namespace)
    while True:
        query = {key: value for key, value in asked.items() if value}
        try:
            answer = await transport.request("GET", path, query=query, timeout=LIST_SECONDS, accept=accept)
        except Expired:
            if not asked["continue"]:
                raise
            items = ()
            asked |= {"limit": "", "continue": ""}
            continue
        page = kind.page(answer.body)
        items += page.items
        if not page.metadata.continue_token:
            return items
        asked["continue"] = page.metadata.continue_token


async def list_if_allowed(
    transport: Transport, kind: ResourceType[T], namespace: str = "", *, labels: str = "", fields: str = ""
) -> tuple[T, ...]:
    """As `every`; nothing where the caller may not, or the cluster has no such kind."""
    with contextlib.suppress(Forbidden, NotFound):
        return await list_all(transport, kind, namespace, labels=labels, fields=fields)
    return ()


async def workload_type(transport: Transport) -> list[ResourceType[Workload]]:
    """Kueue's Workloads in the version that this cluster serves; nothing where it has no Kueue."""
    answer = await transport.request("GET", "/apis/kueue.x-k8s.io", allow=range(400, 500))
    served = {found.version for found in decode(_GROUP, answer.body).versions} if answer.status < 400 else ()
    return [workloads(version) for version in ("v1beta2", "v1beta1") if version in served][:1]


async def load_all(transport: Transport, board: JobCache, namespaces: Iterable[str]) -> None:
    """All that is in these namespaces ("" alone: in the cluster). Raises a BackendError."""
    asked: list[Awaitable[tuple[Any, ...]]] = []
    for place in namespaces:
        asked += [list_all(transport, kind, place) for kind in (PODS, JOBS, DEPLOYMENTS)]
        asked += [_adding(transport, board, EVENTS, place, fields="type=Warning")]
        asked += [_adding(transport, board, INGRESSES, place, labels=labels.JOB)]
        asked += [_queued(transport, board, place)]
    for items in await asyncio.gather(*asked):
        board.apply(Delta(items))


async def _queued(
    transport: Transport, board: JobCache, namespace: str, *, labels: str = ""
) -> tuple[Workload, ...]:
    kinds = await workload_type(transport)
    found = [await _adding(transport, board, kind, namespace, labels=labels) for kind in kinds]
    return found[0] if found else ()


async def _adding(
    transport: Transport,
    board: JobCache,
    kind: ResourceType[T],
    namespace: str,
    *,
    labels: str = "",
    fields: str = "",
) -> tuple[T, ...]:
    """Of a kind that only adds words; the board is told where the caller may not see them."""
    try:
        return await list_all(transport, kind, namespace, labels=labels, fields=fields)
    except Forbidden as error:
        board.mark_unreadable(kind, namespace, error.title)
    except NotFound:
        pass
    return ()


async def load_by_name(transport: Transport, board: JobCache, namespaces: Iterable[str], name: str) -> None:
    """As `fill`, of the jobs of one name alone: of each kind, in each namespace. Raises a BackendError."""
    if not _NAME.fullmatch(name):
        return
    asked: list[Awaitable[tuple[RootObject, ...]]] = [
        list_all(transport, kind, place, fields=f"metadata.name={name}")
        for place in namespaces
        for kind in ROOT_TYPES.values()
    ]
    anchors = [anchor for found in await asyncio.gather(*asked) for anchor in found]
    await asyncio.gather(*(_surround(transport, board, anchor) for anchor in anchors))


async def load_one(transport: Transport, board: JobCache, ref: JobRef) -> Job:
    """One job by its uid. Raises NotFound where no job, or only a namesake, is there."""
    await _surround(transport, board, await find_root(transport, ref))
    changed, _ = board.drain(complete=True)
    found = next((job for job in changed if job.ref.uid == ref.uid), None)
    if found is None:
        raise NotFound(f"there is no job {ref} ({ref.uid})")
    return found


async def _surround(transport: Transport, board: JobCache, anchor: RootObject) -> None:
    """One anchor, and all that belongs to it or says something about it."""
    namespace = anchor.namespace
    asked: list[Awaitable[tuple[Any, ...]]] = [
        pods_of(transport, anchor),
        *(
            _adding(transport, board, EVENTS, namespace, fields=f"type=Warning,reason={word}")
            for word in REASONS
        ),
        _adding(transport, board, INGRESSES, namespace, labels=f"{labels.JOB}={anchor.name}"),
        _queued(transport, board, namespace, labels=_its_own(anchor)),
    ]
    for items in ((anchor,), *await asyncio.gather(*asked)):
        board.apply(Delta(items))


def _its_own(anchor: RootObject) -> str:
    """What its Workload bears. A Deployment has one for each pod."""
    return "" if isinstance(anchor, Deployment) else f"{WORKLOAD_OF}={anchor.uid}"


async def find_root(transport: Transport, ref: JobRef) -> RootObject:
    """The object that a job is. Raises NotFound."""
    kind = ROOT_TYPES[ref.kind]
    answer = await transport.request("GET", kind.path(ref.namespace, ref.name), allow=(404,))
    anchor: RootObject | None = kind.one(answer.body) if answer.status == 200 else None
    if anchor is None or anchor.uid != ref.uid:
        raise NotFound(f"there is no job {ref} ({ref.uid})")
    return anchor


async def list_created(
    transport: Transport, namespaces: Iterable[str], server: str, context: str
) -> dict[str, CreatedJob]:
    """The anchors that bear a server's id, by the key of their create. Raises a BackendError."""
    label = f"{labels.SERVER}={server}"
    asked = [
        list_all(transport, ROOT_TYPES[kind], place, labels=label)
        for place in namespaces
        for kind in CREATED_KINDS
    ]
    anchors: list[KubeJob | Deployment] = [anchor for page in await asyncio.gather(*asked) for anchor in page]
    return {anchor.metadata.annotations.get(labels.KEY, ""): _made(anchor, context) for anchor in anchors}


def _made(anchor: KubeJob | Deployment, context: str) -> CreatedJob:
    ref = JobRef(context, anchor.namespace, kind_of(anchor), anchor.name, anchor.uid)
    return CreatedJob(ref, labels.HELD in anchor.metadata.annotations)


async def pods_of(transport: Transport, anchor: RootObject) -> tuple[Pod, ...]:
    """The pods that its labels select; the board joins them by their owners."""
    if isinstance(anchor, KubeJob):
        chosen = f"batch.kubernetes.io/controller-uid={anchor.uid}"
    elif isinstance(anchor, Deployment):
        chosen = label_selector(anchor.spec.selector)
    else:
        return (anchor,)
    return await list_all(transport, PODS, anchor.namespace, labels=chosen)


async def events(transport: Transport, ref: JobRef) -> Sequence[Event]:
    """What the cluster says happened to a job, its pods and its ReplicaSets, oldest first."""
    anchor = await find_root(transport, ref)
    pods, told = await asyncio.gather(pods_of(transport, anchor), list_all(transport, EVENTS, ref.namespace))
    uids = {anchor.uid, *(pod.uid for pod in pods)}
    mine = (event for event in told if _is_about(event, uids, anchor))
    return [_event(event) for event in sorted(mine, key=lambda event: event.time or EPOCH)]


def _is_about(event: KubeEvent, uids: set[str], anchor: RootObject) -> bool:
    about = event.involved_object
    made = isinstance(anchor, Deployment) and about.kind == "ReplicaSet"
    return about.uid in uids or (made and about.name.rpartition("-")[0] == anchor.name)


def _event(event: KubeEvent) -> Event:
    return Event(
        time=event.time or EPOCH,
        reason=event.reason,
        message=event.message,
        warning=event.type == "Warning",
        count=event.times,
    )
