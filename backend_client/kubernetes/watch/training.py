"""Training jobs of other tools in a cluster: which kinds it serves, and one with all that was made for it."""

import asyncio
from collections.abc import Awaitable, Iterator, Sequence, Set
from typing import Any

import msgspec

from backend_client.errors import NotFound
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.resources.core import KubeStruct, Object, Pod
from backend_client.kubernetes.resources.resource_types import (
    JOBS,
    PODS,
    ROOT_TYPES,
    ResourceType,
    decode,
)
from backend_client.kubernetes.resources.training import Intermediate, TrainingJob, TrainingType, with_child
from backend_client.kubernetes.resources.training_kinds import (
    TRAINING_KINDS,
    TrainingKind,
)
from backend_client.kubernetes.status.training_job import ranked
from backend_client.kubernetes.watch.discovery import served_versions
from backend_client.kubernetes.watch.lists import list_all, list_if_allowed
from backend_client.kubernetes.watch.owner_chains import OwnerChains

STATEFUL_SETS = ResourceType("/apis/apps/v1", "StatefulSet", "statefulsets", Intermediate)
_LONGEST_LABEL = 63
_THROUGH: dict[str, ResourceType[Any]] = {"jobs": JOBS, "statefulsets": STATEFUL_SETS}


class _Resource(KubeStruct, frozen=True):
    name: str = ""


class _Resources(KubeStruct, frozen=True):
    resources: tuple[_Resource, ...] = ()


_RESOURCES = msgspec.json.Decoder(_Resources)


async def served_training_types(transport: Transport) -> list[TrainingType]:
    """Return the types of the kinds that the cluster serves, as `training_types_of`, with a request more."""
    return await training_types_of(transport, await served_versions(transport))


async def training_types_of(transport: Transport, served: Set[str]) -> list[TrainingType]:
    """Return the types of the kinds that are served, each in the version that is read best.

    `served`: the versions of all groups. One request for each of them that may have such a kind. Raises a
    BackendError where the cluster does not answer.
    """
    wanted = {api: None for kind in TRAINING_KINDS.values() for api in _apis(kind) if api in served}
    resources = dict(
        zip(wanted, await asyncio.gather(*(_resources(transport, api) for api in wanted)), strict=True)
    )
    types: list[TrainingType] = []
    for kind in TRAINING_KINDS.values():
        api = next((api for api in _apis(kind) if kind.plural in resources.get(api, ())), "")
        types += [TrainingType(kind, api.rpartition("/")[2])] * bool(api)
    return types


def _apis(kind: TrainingKind) -> list[str]:
    return [f"{kind.group}/{version}" for version in kind.versions]


async def _resources(transport: Transport, api: str) -> set[str]:
    """Return the plurals of a group's version."""
    answer = await transport.request("GET", f"/apis/{api}", allow=range(400, 500))
    found = decode(_RESOURCES, answer.body).resources if answer.status < 400 else ()
    return {resource.name for resource in found}


async def root_type(transport: Transport, kind: str) -> ResourceType[Any]:
    """Return the type of the root objects of a kind of job. Raises NotFound where the cluster has none."""
    if kind in ROOT_TYPES:
        return ROOT_TYPES[kind]
    served = await served_training_types(transport) if kind in TRAINING_KINDS else []
    found = next((item for item in served if item.training.name == kind), None)
    if found is None:
        raise NotFound(f"The cluster has no kind {kind}.")
    return found


def root_types(kind: str) -> Sequence[ResourceType[Any]]:
    """Return the types that root objects of a kind of job may have, the version that is read best first."""
    if kind in ROOT_TYPES:
        return (ROOT_TYPES[kind],)
    training = TRAINING_KINDS.get(kind)
    return [TrainingType(training, version) for version in training.versions] if training else []


def needs_stateful_sets(types: Sequence[TrainingType]) -> bool:
    """Return whether StatefulSets stand between some of these jobs and their pods."""
    return any("statefulsets" in item.training.through for item in types)


class Made(msgspec.Struct, frozen=True):
    """A training job with what was made for it."""

    pods: tuple[Pod, ...] = ()
    """With their ranks."""
    others: tuple[Object, ...] = ()
    """What stands between."""
    selectors: tuple[str, ...] = ()
    """Labels that find its pods, and others' pods that claim to be."""


async def load_made(transport: Transport, job: TrainingJob) -> Made:
    """Load what was made for a training job: listed by its kind's labels, joined by uid.

    Of what stands between, what may not be listed is left out. Raises a BackendError.
    """
    children = await _children(transport, job)
    selectors = tuple(dict.fromkeys(text for item in (job, *children) for text in _selectors(item)))
    requests: list[Awaitable[tuple[Any, ...]]] = [
        list_all(transport, PODS, job.namespace, labels=text) for text in selectors
    ]
    for item in (job, *children):
        requests += [
            list_if_allowed(transport, _THROUGH[plural], job.namespace, labels=text)
            for plural in item.training.through
            for text in _selectors(item, of_jobs=True)
        ]
    chains, objects = OwnerChains(), {}
    listed = await asyncio.gather(*requests)
    for found in (job, *children, *(found for items in listed for found in items)):
        chains.put(found)
        objects[found.uid] = found
    below = [objects[uid] for uid in chains.below(job) if uid in objects]
    child = next((item for item in children if item.groups), None)
    whole = with_child(job, child) if child and not job.groups else job
    pods = ranked(whole, (item for item in below if isinstance(item, Pod)))
    return Made(pods, tuple(item for item in below if not isinstance(item, Pod)), selectors)


async def _children(transport: Transport, job: TrainingJob) -> list[TrainingJob]:
    """List the training jobs that one is made of; there are few of a kind, so all are read."""
    served = await served_training_types(transport) if job.training.children else []
    types = [item for item in served if item.training.name in job.training.children]
    listed = await asyncio.gather(*(list_if_allowed(transport, item, job.namespace) for item in types))
    return [item for items in listed for item in items if item.owner and item.owner.uid == job.uid]


def _selectors(job: TrainingJob, *, of_jobs: bool = False) -> Iterator[str]:
    """Yield the label selectors of a job's pods, or of the Jobs that make them."""
    if len(job.name) <= _LONGEST_LABEL:
        own = job.training.job_selectors if of_jobs else None
        yield from (text.format(name=job.name) for text in own or job.training.selectors)
