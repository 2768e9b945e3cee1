"""Writes to jobs that wait in a queue of Kueue's: priority, hold, release, another queue.

What is written is labels of the Job, which its own user may change; a Workload is Kueue's, and an
administrator's. Each may be repeated at any time.
"""

import asyncio
import time
from collections.abc import Callable

from msgspec.structs import replace

from backend_client.errors import BackendError, Forbidden, Invalid, Refused
from backend_client.kubernetes import labels
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.manifests import queueing
from backend_client.kubernetes.manifests.render import Manifest
from backend_client.kubernetes.resources.kueue import JOB_UID
from backend_client.kubernetes.resources.queue_types import QueueTypes
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.status.spec_from_objects import spec_of
from backend_client.kubernetes.watch.kueue_lists import queue_types
from backend_client.kubernetes.watch.lists import list_all
from backend_client.kubernetes.write.retrying_client import RetryingClient
from backend_client.kubernetes.write.root_objects import find_own_root, load_job, to_root_object
from backend_client.models import Job, JobRef

NextPatch = Callable[[Manifest], Manifest | None]
"""The merge patch for the state of an object; None where it is as it should be."""
TAKEN_SECONDS = 5.0
"""So long Kueue may need to take a changed priority into its Workload; it takes a moment."""
_LOOK_SECONDS = 0.1
_OF_DEPLOYMENT = "Kueue queues each replica of a deployment by itself, and a change would start them anew"


class QueueWriter:
    """One caller's writes to the queued jobs of one cluster. Every method may raise a BackendError."""

    def __init__(self, transport: Transport, site: KubernetesSettings, context: str) -> None:
        self._transport = transport
        self._client = RetryingClient(transport)
        self._site = site
        self._context = context

    async def set_priority(self, ref: JobRef, name: str) -> Job:
        """Set the priority of a waiting job in its queue. Raises Invalid where Kueue knows none such."""
        root = await self._waiting_root(ref)
        types = await self._types()
        await self._check_priority(types, name)
        patched = await self._set_priority(root, name)
        if not await self._is_taken(types, ref, name):
            stays = await self._undo_priority(patched, root)
            raise Invalid({"queue_priority": f"Kueue knows no priority {name}{stays}"})
        return await self._load(patched)

    async def hold(self, ref: JobRef) -> Job:
        """Hold a waiting job back; a held one stays so."""
        root = await self._waiting_root(ref)
        if await self._find_queue(ref.namespace, labels.NO_QUEUE):
            raise Refused(f"There is a queue {labels.NO_QUEUE} in {ref.namespace}: nothing can be held back.")

        def next_patch(current: Manifest) -> Manifest | None:
            return None if queueing.held_queue(current) else queueing.hold_patch(current)

        return await self._load(await self._patch(root, next_patch, ref))

    async def release(self, ref: JobRef) -> Job:
        """Put a held job into its queue again; one that is not held stays as it is."""
        root = await find_own_root(self._client, ref)

        def next_patch(current: Manifest) -> Manifest | None:
            return queueing.queue_release_patch(current) if queueing.held_queue(current) else None

        return await self._load(await self._patch(root, next_patch, ref))

    async def move(self, ref: JobRef, queue: str) -> Job:
        """Put a waiting job into another queue of its namespace. Raises Invalid where there is none such."""
        root = await self._waiting_root(ref)
        if not await self._find_queue(ref.namespace, queue):
            raise Invalid({"queue": await self._no_such_queue(ref.namespace, queue)})

        def next_patch(current: Manifest) -> Manifest | None:
            if (queueing.held_queue(current) or queueing.queue_label(current)) == queue:
                return None
            spec = replace(spec_of(to_root_object(current), self._site), queue=queue)
            return queueing.move_patch(current, spec)

        return await self._load(await self._patch(root, next_patch, ref))

    async def _waiting_root(self, ref: JobRef) -> Manifest:
        """Find the Job of a ref. Raises Refused where it does not wait in a queue."""
        root = await find_own_root(self._client, ref)
        if ref.kind == "deployment":
            raise Refused(f"{ref.name} is a deployment.", f"{_OF_DEPLOYMENT}. Stop it, or run it as a job.")
        if not queueing.queue_label(root):
            raise Refused(f"{ref.name} is in no queue.")
        if not _waits(root):
            raise _not_waiting(ref)
        return root

    async def _patch(self, root: Manifest, next_patch: NextPatch, ref: JobRef) -> Manifest:
        try:
            return await self._client.patch_until(root, next_patch)
        except Refused:
            current = await self._client.refetch(root)
            if current and not _waits(current):
                raise _not_waiting(ref) from None
            raise

    async def _set_priority(self, root: Manifest, name: str) -> Manifest:
        def next_patch(current: Manifest) -> Manifest | None:
            if queueing.priority_label(current) == name:
                return None
            spec = replace(spec_of(to_root_object(current), self._site), queue_priority=name)
            return queueing.priority_patch(current, spec)

        return await self._client.patch_until(root, next_patch)

    async def _undo_priority(self, patched: Manifest, before: Manifest) -> str:
        """Give a job the priority that it had; what of it stays, as a fragment. Kueue lets no label go."""
        was = queueing.priority_label(before)
        if was:
            await self._set_priority(patched, was)
            return ""
        spec = spec_of(to_root_object(before), self._site)

        def next_patch(current: Manifest) -> Manifest | None:
            is_noted = spec_of(to_root_object(current), self._site) == spec
            return None if is_noted else queueing.spec_patch(current, spec)

        await self._client.patch_until(patched, next_patch)
        return "; its label stays, as Kueue lets nobody remove one: give it another"

    async def _check_priority(self, types: QueueTypes, name: str) -> None:
        """Check that a priority is there. Raises Invalid; passes where it may not be read."""
        try:
            found = await self._client.find(types.priorities, "", name)
        except Forbidden:
            return
        if found is None:
            names = sorted(item.name for item in await list_all(self._transport, types.priorities))
            there = f"there are {', '.join(names)}" if names else "there is none at all"
            raise Invalid({"queue_priority": f"there is no priority {name}; {there}"})

    async def _is_taken(self, types: QueueTypes, ref: JobRef, name: str) -> bool:
        """Wait until the job's Workload has a priority; True too where Workloads may not be read."""
        selector = f"{JOB_UID}={ref.uid}"
        until = time.monotonic() + TAKEN_SECONDS
        while time.monotonic() < until:
            try:
                workloads = await list_all(self._transport, types.workloads, ref.namespace, labels=selector)
            except Forbidden:
                return True
            if any(workload.priority_class == name for workload in workloads):
                return True
            await asyncio.sleep(_LOOK_SECONDS)
        return False

    async def _find_queue(self, namespace: str, name: str) -> bool:
        """Return whether a LocalQueue is there; where it may not be read, as if only held ones were not."""
        try:
            return await self._client.find((await self._types()).local_queues, namespace, name) is not None
        except Forbidden:
            return name != labels.NO_QUEUE

    async def _no_such_queue(self, namespace: str, name: str) -> str:
        found = await list_all(self._transport, (await self._types()).local_queues, namespace)
        names = ", ".join(sorted(item.name for item in found))
        return f"there is no queue {name} in {namespace}; there are {names}" if names else "there is none"

    async def _types(self) -> QueueTypes:
        types = await queue_types(self._transport)
        if types is None:
            raise Refused("This cluster has no Kueue, and so no queues.")
        return types

    async def _load(self, root: Manifest) -> Job:
        return await load_job(self._transport, root, self._context, self._site)


def _waits(root: Manifest) -> bool:
    return bool(root["spec"].get("suspend"))


def _not_waiting(ref: JobRef) -> BackendError:
    return Refused(f"{ref.name} does not wait.", "Only a job that waits in a queue can be changed so.")
