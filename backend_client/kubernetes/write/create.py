"""Create, all or nothing: a held anchor, its parts, the release; and back again where one of them fails."""

from collections.abc import Iterable, Sequence
from typing import Any

from backend_client.errors import BackendError, Conflict
from backend_client.kubernetes import labels
from backend_client.kubernetes.manifests.render import Manifest, held_back, release, with_owner
from backend_client.kubernetes.resources.resource_types import ResourceType
from backend_client.kubernetes.write.object_client import (
    KINDS,
    ObjectClient,
    annotation,
    key_of,
    name_of,
    owners,
    uid_of,
)
from backend_client.models import JobSpec
from backend_client.multi_user import HALF_CREATED_HINT

OwnedObject = tuple[ResourceType[Any], str]
"""(kind, name) of an object that an anchor may own."""


async def create_all(hands: ObjectClient, manifests: Sequence[Manifest], spec: JobSpec, key: str) -> Manifest:
    """The anchor, released, with all its parts. The same key continues what an earlier try began."""
    planned, *parts = manifests
    anchor = await _anchored(hands, planned, key)
    try:
        return await finish_create(hands, anchor, parts, spec)
    except BackendError as error:
        finished = await _undone(hands, anchor, parts, error)
        if finished is None:
            raise
        return finished


async def finish_create(
    hands: ObjectClient, anchor: Manifest, parts: Iterable[Manifest], spec: JobSpec
) -> Manifest:
    """Give a held anchor its parts, and release it; one that is released has them."""
    if not is_held(anchor):
        return anchor
    for part in parts:
        await _part(hands, with_owner(part, anchor), anchor)
    return await hands.patch_until(anchor, lambda now: release(now, spec) if is_held(now) else None)


def is_held(anchor: Manifest) -> bool:
    """Whether parts of it may be missing yet."""
    return bool(annotation(anchor, labels.HELD))


async def _anchored(hands: ObjectClient, planned: Manifest, key: str) -> Manifest:
    def mine(there: Manifest) -> bool:
        return annotation(there, labels.KEY) == key and "deletionTimestamp" not in there["metadata"]

    try:
        return await hands.create_or_adopt(held_back(planned), mine)
    except Conflict:
        there = await hands.find(*key_of(planned))
        going = there is not None and "deletionTimestamp" in there["metadata"]
        raise name_conflict(name_of(planned), going=going) from None


def name_conflict(name: str, *, going: bool = False) -> Conflict:
    """The name is another job's."""
    words = f"{name} is being deleted, and still there" if going else f"there is a job {name} already"
    conflict = Conflict(words, "choose another name")
    conflict.fields["name"] = words
    return conflict


async def _part(hands: ObjectClient, part: Manifest, anchor: Manifest) -> None:
    """Make it; one that a deleted namesake of the anchor has left behind gives way."""

    def mine(there: Manifest) -> bool:
        return is_owned_by(there, uid_of(anchor))

    try:
        await hands.create_or_adopt(part, mine)
    except Conflict:
        there = await hands.find(*key_of(part))
        if there and not _left_behind(there, anchor):
            words = f"there is a {part['kind']} {name_of(part)} already, and it is not this job's"
            raise Conflict(words, "choose another name") from None
        if there:
            await hands.remove(there, "Background")
        await hands.create_or_adopt(part, mine)


def is_owned_by(there: Manifest, anchor_uid: str) -> bool:
    """Whether it goes when this anchor goes."""
    return any(owner["uid"] == anchor_uid for owner in owners(there))


def _left_behind(there: Manifest, anchor: Manifest) -> bool:
    """All its owners had the anchor's kind and name, which are the anchor's now: so they are no more."""
    now = anchor["apiVersion"], anchor["kind"], name_of(anchor)
    return bool(owners(there)) and all(
        (owner["apiVersion"], owner["kind"], owner["name"]) == now and owner["uid"] != uid_of(anchor)
        for owner in owners(there)
    )


async def _undone(
    hands: ObjectClient, anchor: Manifest, parts: Iterable[Manifest], error: BackendError
) -> Manifest | None:
    """Take back what was made. The anchor, where a try beside this one has released it meanwhile."""
    try:
        while (now := await hands.refetch(anchor)) is not None:
            if not is_held(now):
                return now
            if await hands.remove(now, "Background", unchanged=True):
                break
        await remove_owned(hands, anchor, [(KINDS[part["kind"]], name_of(part)) for part in parts])
    except BackendError:
        error.hint = HALF_CREATED_HINT
    return None


async def remove_owned(hands: ObjectClient, anchor: Manifest, parts: Iterable[OwnedObject]) -> None:
    """Those of these that the anchor owns. The garbage collector does the same, where there is one."""
    for kind, name in parts:
        there = await hands.find_if_readable(kind, anchor["metadata"]["namespace"], name)
        if there and is_owned_by(there, uid_of(anchor)):
            await hands.remove(there, "Background")
