"""Lists of a cluster: everything that jobs are made of, one job by its uid, its pods, its events."""

import asyncio
import re
from collections.abc import Awaitable, Iterable, Sequence, Set
from typing import Any

import msgspec

from backend_client.errors import Forbidden, NotFound, fragment
from backend_client.kubernetes import labels
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.resources.core import KubeStruct, Object, Pod
from backend_client.kubernetes.resources.events import KubeEvent
from backend_client.kubernetes.resources.kueue import JOB_UID, KUEUE, VERSIONS, Workload
from backend_client.kubernetes.resources.resource_types import (
    CREATED_KINDS,
    EVENTS,
    INGRESSES,
    PODS,
    ROOT_TYPES,
    ResourceType,
    T,
    decode,
    kueue_workloads,
)
from backend_client.kubernetes.resources.selectors import label_selector
from backend_client.kubernetes.resources.training import TrainingJob
from backend_client.kubernetes.resources.training_kinds import STATEFUL_SET_LABEL
from backend_client.kubernetes.resources.workloads import Deployment, KubeJob
from backend_client.kubernetes.status.attempts import EPOCH
from backend_client.kubernetes.status.kueue_history import event_message
from backend_client.kubernetes.status.spec_from_objects import RootObject, kind_of
from backend_client.kubernetes.watch.delta import Delta
from backend_client.kubernetes.watch.job_cache import EVENT_REASONS, JobCache
from backend_client.kubernetes.watch.lists import list_all, list_if_allowed
from backend_client.kubernetes.watch.training import (
    STATEFUL_SETS,
    load_made,
    needs_stateful_sets,
    root_types,
    served_training_types,
)
from backend_client.models import Event, Job, JobRef
from backend_client.multi_user import CreatedJob

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
"""Names that objects may have (RFC 1123); nothing else may stand in a field selector."""


class _Version(KubeStruct, frozen=True):
    version: str = ""


class _Group(KubeStruct, frozen=True):
    versions: tuple[_Version, ...] = ()


_GROUP = msgspec.json.Decoder(_Group)


async def served_workload_types(transport: Transport) -> list[ResourceType[Workload]]:
    """Return the type of Kueue's Workloads in the version that the cluster serves; [] without Kueue."""
    version = await served_version(transport, KUEUE)
    return [kueue_workloads(version)] if version else []


def workload_types_of(served: Set[str]) -> list[ResourceType[Workload]]:
    """Return the type of Kueue's Workloads, of all GROUP/VERSION that are served; [] without Kueue."""
    found = next((version for version in VERSIONS if f"{KUEUE}/{version}" in served), "")
    return [kueue_workloads(found)] if found else []


async def served_version(transport: Transport, group: str) -> str:
    """Return the newest version of a group of Kueue's that the cluster serves; "" where it serves none."""
    response = await transport.request("GET", f"/apis/{group}", allow=range(400, 500))
    versions = decode(_GROUP, response.body).versions if response.status < 400 else ()
    served = {group_version.version for group_version in versions}
    return next((version for version in VERSIONS if version in served), "")


async def load_all(transport: Transport, cache: JobCache, namespaces: Sequence[str]) -> None:
    """Load all jobs of these namespaces ("" alone: of the cluster) into a cache. Raises a BackendError."""
    requests: list[Awaitable[tuple[Any, ...]]] = []
    for namespace in namespaces:
        requests += [list_all(transport, kind, namespace) for kind in ROOT_TYPES.values()]
        requests += [_list_or_mark_unreadable(transport, cache, EVENTS, namespace, fields="type=Warning")]
        requests += [_list_or_mark_unreadable(transport, cache, INGRESSES, namespace, labels=labels.JOB)]
        requests += [_list_workloads(transport, cache, namespace)]
    for items in await asyncio.gather(_list_training_jobs(transport, namespaces), *requests):
        cache.apply(Delta(items))


async def _list_training_jobs(
    transport: Transport, namespaces: Sequence[str], name: str = ""
) -> tuple[Any, ...]:
    """List the training jobs of other tools, as far as they may be listed: all, or those of one name.

    With all of them come the StatefulSets between them and their pods.
    """
    types = await served_training_types(transport)
    fields = f"metadata.name={name}" if name else ""
    requests: list[Awaitable[tuple[Any, ...]]] = [
        list_if_allowed(transport, kind, namespace, fields=fields)
        for namespace in namespaces
        for kind in types
    ]
    if not name and needs_stateful_sets(types):
        requests += [
            list_if_allowed(transport, STATEFUL_SETS, namespace, labels=STATEFUL_SET_LABEL)
            for namespace in namespaces
        ]
    return tuple(item for items in await asyncio.gather(*requests) for item in items)


async def _list_workloads(
    transport: Transport, cache: JobCache, namespace: str, *, labels: str = ""
) -> tuple[Workload, ...]:
    types = await served_workload_types(transport)
    listed = [
        await _list_or_mark_unreadable(transport, cache, kind, namespace, labels=labels) for kind in types
    ]
    return listed[0] if listed else ()


async def _list_or_mark_unreadable(
    transport: Transport,
    cache: JobCache,
    resource_type: ResourceType[T],
    namespace: str,
    *,
    labels: str = "",
    fields: str = "",
) -> tuple[T, ...]:
    """List objects that only add to a reason; mark them as unreadable where the caller may not."""
    try:
        return await list_all(transport, resource_type, namespace, labels=labels, fields=fields)
    except Forbidden as error:
        cache.mark_unreadable(resource_type, namespace, fragment(error.title))
    except NotFound:
        pass
    return ()


async def load_by_name(transport: Transport, cache: JobCache, namespaces: Sequence[str], name: str) -> None:
    """Load the jobs of one name, of each kind in each namespace, into a cache. Raises a BackendError."""
    if not _NAME.fullmatch(name):
        return
    requests: list[Awaitable[tuple[RootObject, ...]]] = [
        list_all(transport, kind, namespace, fields=f"metadata.name={name}")
        for namespace in namespaces
        for kind in ROOT_TYPES.values()
    ]
    requests.append(_list_training_jobs(transport, namespaces, name))
    roots = [root for listed in await asyncio.gather(*requests) for root in listed]
    await asyncio.gather(*(_load_related(transport, cache, root) for root in roots))


async def load_one(transport: Transport, cache: JobCache, ref: JobRef) -> Job:
    """Load one job by its uid. Raises NotFound where no job, or only a namesake, is there."""
    await _load_related(transport, cache, await find_root(transport, ref))
    changed, _ = cache.drain(complete=True)
    job = next((job for job in changed if job.ref.uid == ref.uid), None)
    if job is None:
        raise NotFound(f"There is no job {ref} ({ref.uid}).")
    return job


async def _load_related(transport: Transport, cache: JobCache, root: RootObject) -> None:
    """Load a root object with its pods, events, Ingress and Workload into a cache."""
    namespace = root.namespace
    requests: list[Awaitable[tuple[Any, ...]]] = [
        _made_of(transport, root),
        *(
            _list_or_mark_unreadable(
                transport, cache, EVENTS, namespace, fields=f"type=Warning,reason={reason}"
            )
            for reason in EVENT_REASONS
        ),
        _list_or_mark_unreadable(transport, cache, INGRESSES, namespace, labels=f"{labels.JOB}={root.name}"),
        _list_workloads(transport, cache, namespace, labels=_workload_selector(root)),
    ]
    for items in ((root,), *await asyncio.gather(*requests)):
        cache.apply(Delta(items))


def _workload_selector(root: RootObject) -> str:
    """Return the label selector of a root object's Workload; a Deployment has one for each pod."""
    return "" if isinstance(root, Deployment) else f"{JOB_UID}={root.uid}"


async def _made_of(transport: Transport, root: RootObject) -> tuple[Object, ...]:
    """Load the pods of a root object, and what stands between it and them."""
    if not isinstance(root, TrainingJob):
        return await pods_of(transport, root)
    made = await load_made(transport, root)
    return *made.others, *made.pods


async def find_root(transport: Transport, ref: JobRef) -> RootObject:
    """Find the root object of a job. Raises NotFound."""
    for resource_type in root_types(ref.kind):
        response = await transport.request("GET", resource_type.path(ref.namespace, ref.name), allow=(404,))
        if response.status != 200:
            continue
        root: RootObject = resource_type.decode_object(response.body)
        if root.uid == ref.uid:
            return root
    raise NotFound(f"There is no job {ref} ({ref.uid}).")


async def list_created(
    transport: Transport, namespaces: Iterable[str], server: str, context: str
) -> dict[str, CreatedJob]:
    """List the jobs that a server created, by the key of their create. Raises a BackendError."""
    label = f"{labels.SERVER}={server}"
    requests = [
        list_all(transport, ROOT_TYPES[kind], namespace, labels=label)
        for namespace in namespaces
        for kind in CREATED_KINDS
    ]
    roots: list[KubeJob | Deployment] = [root for page in await asyncio.gather(*requests) for root in page]
    return {root.metadata.annotations.get(labels.KEY, ""): _created_job(root, context) for root in roots}


def _created_job(root: KubeJob | Deployment, context: str) -> CreatedJob:
    ref = JobRef(context, root.namespace, kind_of(root), root.name, root.uid)
    return CreatedJob(ref, labels.HELD in root.metadata.annotations)


async def pods_of(transport: Transport, root: RootObject) -> tuple[Pod, ...]:
    """List the pods that a root object selects; the cache joins them by their owners."""
    if isinstance(root, TrainingJob):
        return (await load_made(transport, root)).pods
    if isinstance(root, KubeJob):
        selector = f"batch.kubernetes.io/controller-uid={root.uid}"
    elif isinstance(root, Deployment):
        selector = label_selector(root.spec.selector)
    else:
        return (root,)
    return await list_all(transport, PODS, root.namespace, labels=selector)


async def events(transport: Transport, ref: JobRef) -> Sequence[Event]:
    """List the events about a job, its pods and its ReplicaSets, oldest first."""
    root = await find_root(transport, ref)
    made, listed, workloads = await asyncio.gather(
        _made_of(transport, root),
        list_all(transport, EVENTS, ref.namespace),
        _readable_workloads(transport, root),
    )
    uids = {root.uid, *(item.uid for item in made)}
    uids |= {workload.uid for workload in workloads if not uids.isdisjoint(workload.owner_uids)}
    about_job = (event for event in listed if _is_about(event, uids, root))
    return [_event(event) for event in sorted(about_job, key=lambda event: event.time or EPOCH)]


async def _readable_workloads(transport: Transport, root: RootObject) -> tuple[Workload, ...]:
    """List the Workloads of a root object, and maybe others; none where that is not allowed."""
    types, selector = await served_workload_types(transport), _workload_selector(root)
    listed = [await list_if_allowed(transport, kind, root.namespace, labels=selector) for kind in types]
    return listed[0] if listed else ()


def _is_about(event: KubeEvent, uids: set[str], root: RootObject) -> bool:
    involved = event.involved_object
    of_replica_set = isinstance(root, Deployment) and involved.kind == "ReplicaSet"
    return involved.uid in uids or (of_replica_set and involved.name.rpartition("-")[0] == root.name)


def _event(event: KubeEvent) -> Event:
    return Event(
        time=event.time or EPOCH,
        reason=event.reason,
        message=event_message(event.message),
        warning=event.type == "Warning",
        count=event.times,
    )
