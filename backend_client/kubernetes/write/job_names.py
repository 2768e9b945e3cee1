"""Job names: a free one for a job without a name, or the one that an earlier try with the same key got."""

import asyncio
from collections.abc import Iterable

from backend_client.kubernetes import labels
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.manifests.render import Manifest
from backend_client.kubernetes.resources.core import Object
from backend_client.kubernetes.resources.resource_types import CREATED_KINDS, ROOT_TYPES
from backend_client.kubernetes.watch.lists import list_if_allowed
from backend_client.kubernetes.write.retrying_client import RetryingClient, annotation
from backend_client.models import JobSpec
from backend_client.models.names import suggest_name

_NUMBERS = range(2, 100)


async def free_name(
    transport: Transport, spec: JobSpec, namespace: str, key: str = "", taken: Iterable[str] = ()
) -> str:
    """Suggest a name from the command, numbered until no Job and no Deployment of the namespace has it.

    Several tries with one key get the same name, even at the same time. `taken`: names not to suggest.
    """
    similar = await _roots_with_such_names(transport, spec, namespace)
    if earlier := next((root.name for root in similar if key and _is_earlier_try(root, key)), ""):
        return earlier
    used = {*taken, *(root.name for root in similar)}
    while True:
        name = suggest_name(spec.command, used)
        roots = await find_by_name(RetryingClient(transport), namespace, name, CREATED_KINDS)
        if all(key and annotation(root, labels.KEY) == key for root in roots):
            return name
        used.add(name)


def _is_earlier_try(root: Object, key: str) -> bool:
    return root.metadata.annotations.get(labels.KEY) == key and not root.metadata.deletion_timestamp


async def find_by_name(
    client: RetryingClient, namespace: str, name: str, kinds: Iterable[str]
) -> list[Manifest]:
    """Find the root objects of this name among some kinds of job."""
    roots = await asyncio.gather(
        *(client.find_if_readable(ROOT_TYPES[kind], namespace, name) for kind in kinds)
    )
    return [root for root in roots if root]


async def _roots_with_such_names(transport: Transport, spec: JobSpec, namespace: str) -> list[Object]:
    """List the Jobs and Deployments whose names could have been suggested for this spec."""
    base = suggest_name(spec.command)
    candidates = ",".join([base, *(f"{base}-{number}" for number in _NUMBERS)])
    selector = f"{labels.JOB} in ({candidates})"
    pages = await asyncio.gather(
        *(list_if_allowed(transport, ROOT_TYPES[kind], namespace, labels=selector) for kind in CREATED_KINDS)
    )
    return [root for page in pages for root in page]
