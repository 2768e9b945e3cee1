"""Create a job, all or nothing: its root object, held; the objects that it owns; the release.

Where one of them fails, all is deleted again. The root comes first, because the owned objects need its uid in
their `ownerReferences`: by these the garbage collector deletes them with it (kubernetes.io, "Garbage
Collection"). Held, it starts no pod before all that the pods need is there.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from backend_client.errors import BackendError, Conflict, fragment
from backend_client.kubernetes import labels
from backend_client.kubernetes.manifests.render import Manifest, held_back, release_patch, with_owner
from backend_client.kubernetes.resources.resource_types import ResourceType
from backend_client.kubernetes.write.retrying_client import (
    KINDS,
    RetryingClient,
    annotation,
    for_each,
    key_of,
    name_of,
    owner_references,
    uid_of,
)
from backend_client.models import JobSpec
from backend_client.multi_user import HALF_CREATED_HINT

OwnedObject = tuple[ResourceType[Any], str]
"""(resource type, name) of an object that a root object may own; it is in the root's namespace."""


async def create_job(
    client: RetryingClient, manifests: Sequence[Manifest], spec: JobSpec, key: str
) -> Manifest:
    """Create a root object and all that it owns; return it, released.

    The same key continues what an earlier try began. Raises Conflict where the name is taken.
    """
    planned, *owned = manifests
    root = await _create_root(client, planned, key)
    try:
        return await finish_create(client, root, owned, spec)
    except BackendError as error:
        released = await _roll_back(client, root, owned, error)
        if released is None:
            raise
        return released


async def finish_create(
    client: RetryingClient, root: Manifest, owned: Sequence[Manifest], spec: JobSpec
) -> Manifest:
    """Create what a held root object is to own, and release it; one that is released has it already."""
    if not is_held(root):
        return root

    async def create(manifest: Manifest) -> None:
        await _create_owned(client, with_owner(manifest, root), root)

    # What the Secrets hold is not known any more where a half made job is finished later: they come first.
    await for_each([manifest for manifest in owned if manifest["kind"] == "Secret"], create)
    for manifest in owned:
        if manifest["kind"] != "Secret":
            await create(manifest)
    return await client.patch_until(
        root, lambda current: release_patch(current, spec) if is_held(current) else None
    )


def is_held(root: Manifest) -> bool:
    """Check whether a root object is still held: some of what it owns may be missing."""
    return bool(annotation(root, labels.HELD))


async def _create_root(client: RetryingClient, planned: Manifest, key: str) -> Manifest:
    def is_ours(existing: Manifest) -> bool:
        return annotation(existing, labels.KEY) == key and not _is_terminating(existing)

    try:
        return await client.create_or_adopt(held_back(planned), is_ours)
    except Conflict:
        existing = await client.find(*key_of(planned))
        terminating = existing is not None and _is_terminating(existing)
        raise name_conflict(name_of(planned), terminating=terminating) from None


def _is_terminating(manifest: Manifest) -> bool:
    return "deletionTimestamp" in manifest["metadata"]


def name_conflict(name: str, *, terminating: bool = False) -> Conflict:
    """Return the error of a create whose name another job has, or one that is being deleted."""
    title = f"{name} is being deleted, and still there." if terminating else f"There is a job {name} already."
    conflict = Conflict(title, "Choose another name.")
    conflict.fields["name"] = fragment(title)
    return conflict


async def _create_owned(client: RetryingClient, manifest: Manifest, root: Manifest) -> None:
    """Create an owned object; what a deleted root object of the same name has left behind gives way."""

    def is_ours(existing: Manifest) -> bool:
        return is_owned_by(existing, uid_of(root))

    try:
        await client.create_or_adopt(manifest, is_ours)
    except Conflict:
        existing = await client.find(*key_of(manifest))
        if existing and not _is_orphan(existing, root):
            title = f"There is a {manifest['kind']} {name_of(manifest)} already, and it is not this job's."
            raise Conflict(title, "Choose another name.") from None
        if existing:
            await client.remove(existing, "Background")
        await client.create_or_adopt(manifest, is_ours)


def is_owned_by(manifest: Manifest, root_uid: str) -> bool:
    """Check whether an object is deleted with the root object of this uid."""
    return any(owner["uid"] == root_uid for owner in owner_references(manifest))


def _is_orphan(existing: Manifest, root: Manifest) -> bool:
    """Check whether no owner of an object is left: all had the kind and name that are the new root's now."""
    owners, identity = owner_references(existing), (root["apiVersion"], root["kind"], name_of(root))
    return bool(owners) and all(
        (owner["apiVersion"], owner["kind"], owner["name"]) == identity and owner["uid"] != uid_of(root)
        for owner in owners
    )


async def _roll_back(
    client: RetryingClient, root: Manifest, owned: Iterable[Manifest], error: BackendError
) -> Manifest | None:
    """Delete what was created. Returns the root object where a parallel try has released it meanwhile."""
    try:
        while (current := await client.refetch(root)) is not None:
            if not is_held(current):
                return current
            if await client.remove(current, "Background", unchanged=True):
                break
        await remove_owned(client, root, [(KINDS[item["kind"]], name_of(item)) for item in owned])
    except BackendError:
        error.hint = HALF_CREATED_HINT
    return None


async def remove_owned(client: RetryingClient, root: Manifest, owned: Iterable[OwnedObject]) -> None:
    """Delete those of these objects that a root object owns.

    The garbage collector does the same, where there is one: a bare API server has none.
    """
    for kind, name in owned:
        existing = await client.find_if_readable(kind, root["metadata"]["namespace"], name)
        if existing and is_owned_by(existing, uid_of(root)):
            await client.remove(existing, "Background")
