"""A free name for a job that was given none, or the name that an earlier try with the same key got."""

import asyncio
from collections.abc import Iterable
from typing import Any

from backend_client.kubernetes import names
from backend_client.kubernetes.anchors import KIND_OF
from backend_client.kubernetes.hands import Hands
from backend_client.kubernetes.kinds import Kind
from backend_client.kubernetes.objects import Object
from backend_client.kubernetes.seen import listed
from backend_client.kubernetes.transport import Transport
from backend_client.models import JobSpec
from backend_client.models.names import suggest_name

_NUMBERS = range(2, 100)


async def named_before(transport: Transport, spec: JobSpec, namespace: str, key: str) -> str:
    """The name that a job of this key has, of those that could have been suggested; else ""."""
    found = await _ours(transport, spec, namespace, [KIND_OF[spec.kind]])
    mine = (o for o in found if o.metadata.annotations.get(names.KEY) == key)
    return next((o.name for o in mine if not o.metadata.deletion_timestamp), "")


async def free_name(transport: Transport, spec: JobSpec, namespace: str, taken: Iterable[str] = ()) -> str:
    """Suggested from the command, and numbered until no Job and no Deployment has it."""
    used = {*taken, *(o.name for o in await _ours(transport, spec, namespace, KIND_OF.values()))}
    hands = Hands(transport)
    while True:
        name = suggest_name(spec.command, used)
        if not await others(hands, namespace, name, KIND_OF):
            return name
        used.add(name)


async def others(hands: Hands, namespace: str, name: str, of: Iterable[str]) -> bool:
    """Whether an anchor of one of these kinds has the name."""
    found = await asyncio.gather(*(hands.look_up(KIND_OF[kind], namespace, name) for kind in of))
    return any(found)


async def _ours(transport: Transport, spec: JobSpec, namespace: str, of: Iterable[Kind[Any]]) -> list[Object]:
    base = suggest_name(spec.command)
    candidates = ",".join([base, *(f"{base}-{number}" for number in _NUMBERS)])
    selector = f"{names.JOB} in ({candidates})"
    pages = await asyncio.gather(*(listed(transport, kind, namespace, labels=selector) for kind in of))
    return [found for page in pages for found in page or ()]
