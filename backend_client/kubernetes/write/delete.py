"""Delete a job: its root object and, with it, pods and owned objects; then wait and report what holds them.

The root is deleted with `propagationPolicy: Foreground`: it stays, under the finalizer `foregroundDeletion`,
until its pods are gone (kubernetes.io, "Garbage Collection" and "Finalizers").
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

from backend_client.errors import Unreachable
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.manifests.code import parts_of
from backend_client.kubernetes.manifests.pod_template import ranks_name, secret_name
from backend_client.kubernetes.manifests.render import Manifest
from backend_client.kubernetes.resources import resource_types
from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.write.create import OwnedObject, is_owned_by, remove_owned
from backend_client.kubernetes.write.retrying_client import Retries, RetryingClient, name_of, uid_of
from backend_client.kubernetes.write.root_objects import pods_of
from backend_client.models import JobSpec
from backend_client.protocol import DeleteStep

LONG_SECONDS = 60.0
"""From then on a person is offered to wait no longer: a pod whose node is away may stay for ever."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 2.0
"""Seconds between two looks at what is left."""
_FOREGROUND_FINALIZER = "foregroundDeletion"
_JOB_FINALIZERS = "batch.kubernetes.io/"
"""The Job controller tracks its pods by `batch.kubernetes.io/job-tracking`, and takes that away itself."""
_MAX_NAMED_PODS = 3


def owned_objects(root: Manifest, spec: JobSpec) -> list[OwnedObject]:
    """List the objects that the root object of such a job may own, beside its pods."""
    owned: list[OwnedObject] = [(resource_types.SECRETS, name) for name in parts_of(root)]
    if spec.secrets:
        owned.append((resource_types.SECRETS, secret_name(spec)))
    if spec.ports:
        owned += [(resource_types.SERVICES, spec.name), (resource_types.INGRESSES, spec.name)]
    if spec.nodes > 1:
        owned.append((resource_types.SERVICES, ranks_name(spec)))
    return owned


async def delete_job(
    transport: Transport, root: Manifest, spec: JobSpec, *, wait: bool
) -> AsyncIterator[DeleteStep]:
    """Delete a job, and with `wait` go on until root object, pods and owned objects are gone.

    Raises Unreachable; it may be called again at any time.
    """
    client, owned = RetryingClient(transport), owned_objects(root, spec)
    yield DeleteStep(f"stopping and deleting {name_of(root)}")
    await client.remove(root, "Foreground" if wait else "Background")
    await remove_owned(client, root, owned)
    if wait:
        async for step in _wait_until_gone(transport, root, owned):
            yield step
    elif reason := await _holding_reason(transport, root, owned):
        yield DeleteStep(f"the cluster goes on with it: {reason}")


async def _wait_until_gone(
    transport: Transport, root: Manifest, owned: Sequence[OwnedObject]
) -> AsyncIterator[DeleteStep]:
    """Poll until nothing is left; yield a step whenever what holds it changes."""
    start, last, pause = time.monotonic(), None, _FIRST_PAUSE
    while reason := await _holding_reason(transport, root, owned):
        step = DeleteStep(reason, slow=time.monotonic() - start >= LONG_SECONDS)
        if step != last:
            yield step
        last = step
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)


async def _holding_reason(transport: Transport, root: Manifest, owned: Sequence[OwnedObject]) -> str:
    """Say what is left and why; "" where nothing is. Tried again while the cluster is away for a moment."""
    retries = Retries()
    while True:
        try:
            return await _read_holding_reason(transport, root, owned)
        except Unreachable as error:
            await retries.pause(error)


async def _read_holding_reason(transport: Transport, root: Manifest, owned: Sequence[OwnedObject]) -> str:
    """Read what is left, in the order in which it goes: pods, root object, owned objects."""
    client = RetryingClient(transport)
    if (current := await client.refetch(root)) is not None:
        pods = await pods_of(transport, root)
        return (
            _pods_reason(pods) if pods else _finalizer_reason(current, "waiting until the cluster lets it go")
        )
    namespace = root["metadata"]["namespace"]
    for kind, name in owned:
        existing = await client.find_if_readable(kind, namespace, name)
        if existing and is_owned_by(existing, uid_of(root)):
            return _finalizer_reason(existing, f"waiting for its {existing['kind']} {name}")
    return ""


def _pods_reason(pods: Sequence[Pod]) -> str:
    for pod in pods:
        foreign = [f for f in pod.metadata.finalizers if not f.startswith(_JOB_FINALIZERS)]
        if foreign:
            return f"pod {pod.name} is held by the finalizer {foreign[0]}"
    names = ", ".join(sorted(pod.name for pod in pods)[:_MAX_NAMED_PODS])
    more = f" and {len(pods) - _MAX_NAMED_PODS} more" if len(pods) > _MAX_NAMED_PODS else ""
    return f"waiting for {len(pods)} pod{'s' * (len(pods) > 1)} to end: {names}{more}"


def _finalizer_reason(manifest: Manifest, otherwise: str) -> str:
    foreign = [f for f in manifest["metadata"].get("finalizers") or [] if f != _FOREGROUND_FINALIZER]
    if not foreign:
        return otherwise
    return f"{manifest['kind']} {name_of(manifest)} is held by the finalizer {', '.join(foreign)}"
