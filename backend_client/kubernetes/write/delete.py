"""Delete: the anchor and, through it, pods and parts; then wait, and say what still holds them."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

from backend_client.errors import Unreachable
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.manifests.pod_template import ranks_name, secret_name
from backend_client.kubernetes.manifests.render import Manifest
from backend_client.kubernetes.resources import resource_types
from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.write.create import OwnedObject, is_owned_by, remove_owned
from backend_client.kubernetes.write.object_client import ObjectClient, Retries, name_of, uid_of
from backend_client.kubernetes.write.root_objects import pods_of
from backend_client.models import JobSpec
from backend_client.protocol import DeleteStep

LONG_SECONDS = 60.0
"""From then on a person is offered to wait no longer (facts: reliability 1.4)."""
_FIRST_LOOK, _LONGEST = 0.2, 2.0
_OURS = "foregroundDeletion"
_SHOWN = 3


def owned_objects(spec: JobSpec) -> list[OwnedObject]:
    """The objects that a job of this spec may own, beside its pods."""
    parts: list[OwnedObject] = []
    if spec.secrets:
        parts.append((resource_types.SECRETS, secret_name(spec)))
    if spec.ports:
        parts += [(resource_types.SERVICES, spec.name), (resource_types.INGRESSES, spec.name)]
    if spec.nodes > 1:
        parts.append((resource_types.SERVICES, ranks_name(spec)))
    return parts


async def delete_job(
    transport: Transport, anchor: Manifest, spec: JobSpec, *, wait: bool
) -> AsyncIterator[DeleteStep]:
    """Ends when anchor, pods and parts are gone; without `wait` when the cluster sees to it alone.

    Raises Unreachable; it may be called again at any time.
    """
    hands, parts = ObjectClient(transport), owned_objects(spec)
    yield DeleteStep(f"stopping and deleting {name_of(anchor)}")
    await hands.remove(anchor, "Foreground" if wait else "Background")
    await remove_owned(hands, anchor, parts)
    if wait:
        async for step in _waited(transport, anchor, parts):
            yield step
    elif words := await _patiently(transport, anchor, parts):
        yield DeleteStep(f"the cluster goes on with it: {words}")


async def _waited(
    transport: Transport, anchor: Manifest, parts: Sequence[OwnedObject]
) -> AsyncIterator[DeleteStep]:
    start, told, pause = time.monotonic(), None, _FIRST_LOOK
    while words := await _patiently(transport, anchor, parts):
        step = DeleteStep(words, slow=time.monotonic() - start >= LONG_SECONDS)
        if step != told:
            yield step
        told = step
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, _LONGEST)


async def _patiently(transport: Transport, anchor: Manifest, parts: Sequence[OwnedObject]) -> str:
    """`_holding`, tried again while the cluster is away for a moment."""
    retries = Retries()
    while True:
        try:
            return await _holding(transport, anchor, parts)
        except Unreachable as error:
            await retries.pause(error)


async def _holding(transport: Transport, anchor: Manifest, parts: Sequence[OwnedObject]) -> str:
    """What is still there and why, in words; "" where nothing is. The pods go before the anchor."""
    hands = ObjectClient(transport)
    if (now := await hands.refetch(anchor)) is not None:
        pods = await pods_of(transport, anchor)
        return _pods_words(pods) if pods else _finalizer_words(now, "waiting until the cluster lets it go")
    namespace = anchor["metadata"]["namespace"]
    for kind, name in parts:
        part = await hands.find_if_readable(kind, namespace, name)
        if part and is_owned_by(part, uid_of(anchor)):
            return _finalizer_words(part, f"waiting for its {part['kind']} {name}")
    return ""


def _pods_words(pods: Sequence[Pod]) -> str:
    for pod in pods:
        foreign = [f for f in pod.metadata.finalizers if not f.startswith("batch.kubernetes.io/")]
        if foreign:
            return f"pod {pod.name} is held by the finalizer {foreign[0]}"
    names = ", ".join(sorted(pod.name for pod in pods)[:_SHOWN])
    more = f" and {len(pods) - _SHOWN} more" if len(pods) > _SHOWN else ""
    return f"waiting for {len(pods)} pod{'s' * (len(pods) > 1)} to end: {names}{more}"


def _finalizer_words(there: Manifest, otherwise: str) -> str:
    foreign = [f for f in there["metadata"].get("finalizers") or [] if f != _OURS]
    if not foreign:
        return otherwise
    return f"{there['kind']} {name_of(there)} is held by the finalizer {', '.join(foreign)}"
