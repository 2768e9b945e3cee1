"""A free name for a job that was given none, or the name that an earlier try with the same key got."""

import asyncio
from collections.abc import Iterable

from backend_client.kubernetes import labels
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.manifests.render import Manifest
from backend_client.kubernetes.resources.core import Object
from backend_client.kubernetes.resources.resource_types import CREATED_KINDS, ROOT_TYPES
from backend_client.kubernetes.watch.listing import list_if_allowed
from backend_client.kubernetes.write.object_client import ObjectClient, annotation
from backend_client.models import JobSpec
from backend_client.models.names import suggest_name

_NUMBERS = range(2, 100)


async def free_name(
    transport: Transport, spec: JobSpec, namespace: str, key: str = "", taken: Iterable[str] = ()
) -> str:
    """Suggested from the command, and numbered until no Job and no Deployment has it.

    Of several tries with one key, be they at once, each gets the name that the first one got.
    """
    ours = await _ours(transport, spec, namespace)
    if earlier := next((o.name for o in ours if key and _is_earlier(o, key)), ""):
        return earlier
    used = {*taken, *(o.name for o in ours)}
    while True:
        name = suggest_name(spec.command, used)
        bearers = await find_by_name(ObjectClient(transport), namespace, name, CREATED_KINDS)
        if all(key and annotation(bearer, labels.KEY) == key for bearer in bearers):
            return name
        used.add(name)


def _is_earlier(found: Object, key: str) -> bool:
    return found.metadata.annotations.get(labels.KEY) == key and not found.metadata.deletion_timestamp


async def find_by_name(hands: ObjectClient, namespace: str, name: str, of: Iterable[str]) -> list[Manifest]:
    """The anchors of these kinds that have the name."""
    found = await asyncio.gather(*(hands.find_if_readable(ROOT_TYPES[kind], namespace, name) for kind in of))
    return [anchor for anchor in found if anchor]


async def _ours(transport: Transport, spec: JobSpec, namespace: str) -> list[Object]:
    """Jobs and Deployments whose names could have been suggested for it."""
    base = suggest_name(spec.command)
    candidates = ",".join([base, *(f"{base}-{number}" for number in _NUMBERS)])
    selector = f"{labels.JOB} in ({candidates})"
    pages = await asyncio.gather(
        *(list_if_allowed(transport, ROOT_TYPES[kind], namespace, labels=selector) for kind in CREATED_KINDS)
    )
    return [found for page in pages for found in page]
