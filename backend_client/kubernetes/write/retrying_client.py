"""A client for single objects, as plain mappings: find, create, patch and delete them, with retries.

A request whose answer is lost may have been carried out, so every write here may be sent again, and what an
earlier try has done counts as done. Not even a 403 says that nothing was created: a quota that the first POST
filled refuses the second (kubernetes/kubernetes#106842). Preconditions (uid, resourceVersion) protect another
object of the same name.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import msgspec

from backend_client.backoff import Backoff
from backend_client.errors import BackendError, Conflict, Forbidden, Invalid, NotFound, Unreachable
from backend_client.kubernetes.api.transport import Response, Transport
from backend_client.kubernetes.manifests.render import Manifest
from backend_client.kubernetes.resources import resource_types
from backend_client.kubernetes.resources.resource_types import ResourceType
from backend_client.kubernetes.resources.training import training_type

S = TypeVar("S")
R = TypeVar("R")

KINDS: dict[str, ResourceType[Any]] = {
    item.kind: item
    for item in (
        *resource_types.ROOT_TYPES.values(),
        resource_types.INGRESSES,
        resource_types.SECRETS,
        resource_types.SERVICES,
    )
}
_AT_ONCE = 4
"""Requests of one create that are under way at one time."""
_TRIES = 4
_LONGEST_PAUSE = 5.0
"""Seconds before another try: somebody waits for the answer."""


class RetryingClient:
    """Reads and writes with the rights of one caller. Every method raises as `Transport.request` does."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def find(self, kind: ResourceType[Any], namespace: str, name: str) -> Manifest | None:
        """Find an object by name; None where there is none."""
        answer = await self._transport.request("GET", kind.path(namespace, name), allow=(404,))
        return _decoded(answer) if answer.status == 200 else None

    async def find_if_readable(self, kind: ResourceType[Any], namespace: str, name: str) -> Manifest | None:
        """Find an object by name; None where there is none, or the caller may not read it."""
        try:
            return await self.find(kind, namespace, name)
        except Forbidden:
            return None

    async def refetch(self, manifest: Manifest) -> Manifest | None:
        """Read the same object (by uid) again; None where it is gone, even if another has its name now."""
        current = await self.find(*key_of(manifest))
        return current if current and uid_of(current) == uid_of(manifest) else None

    async def create_or_adopt(self, manifest: Manifest, is_ours: Callable[[Manifest], bool]) -> Manifest:
        """Create an object, or adopt the one of its name where `is_ours` recognises an earlier try's.

        Any refusal may hide that it exists already, so every one is followed by a look. Where that fails too,
        the connection is down, and the caller comes again later.
        """
        retries = Retries()
        while True:
            try:
                return await self._post(manifest)
            except BackendError as error:
                existing = await self.find_if_readable(*key_of(manifest))
                if existing and is_ours(existing):
                    return existing
                if existing or not isinstance(error, Unreachable):
                    raise _name_taken(existing, error) from None
                await retries.pause(error)

    async def patch_until(
        self, current: Manifest, next_patch: Callable[[Manifest], Manifest | None]
    ) -> Manifest:
        """Patch an object until `next_patch` returns no merge patch for its current state; return that state.

        Raises NotFound where it is gone. The resourceVersion in each patch lets nothing slip in between.
        """
        uid, retries = uid_of(current), Retries()
        while True:
            patch = next_patch(current)
            if patch is None:
                return current
            try:
                return await self._patch(current, patch)
            except (Conflict, Invalid, Unreachable) as error:
                await retries.pause(error)
            refetched = await self.refetch(current)
            if refetched is None:
                raise NotFound(f"{name_of(current)} ({uid}) is gone.")
            current = refetched

    async def remove(self, manifest: Manifest, policy: str, *, unchanged: bool = False) -> bool:
        """Delete this very object; it may be gone already. With `unchanged`, False where it has changed.

        `policy`: the propagationPolicy, "Foreground" or "Background". Another object of the same name answers
        409 to the uid, and stays.
        """
        preconditions = {"uid": uid_of(manifest)}
        if unchanged:
            preconditions["resourceVersion"] = manifest["metadata"]["resourceVersion"]
        body = msgspec.json.encode({"propagationPolicy": policy, "preconditions": preconditions})
        path, retries = path_of(manifest), Retries()
        while True:
            try:
                answer = await self._transport.request("DELETE", path, body=body, allow=(404, 409))
            except Unreachable as error:
                await retries.pause(error)
            else:
                return answer.status != 409

    async def _post(self, manifest: Manifest) -> Manifest:
        kind, namespace, _ = key_of(manifest)
        body, query = msgspec.json.encode(manifest), {"fieldValidation": "Strict"}
        return _decoded(await self._transport.request("POST", kind.path(namespace), query=query, body=body))

    async def _patch(self, current: Manifest, patch: Manifest) -> Manifest:
        version = {"resourceVersion": current["metadata"]["resourceVersion"]}
        body = msgspec.json.encode(patch | {"metadata": patch["metadata"] | version})
        media = "application/merge-patch+json"
        answer = await self._transport.request("PATCH", path_of(current), body=body, content_type=media)
        return _decoded(answer)


async def for_each(items: Sequence[S], work: Callable[[S], Awaitable[R]]) -> list[R]:
    """Do some work for each item, a few at one time; what each gave, in their order.

    Raises the first error of several, when nothing is under way any more: a caller may undo what was done.
    """
    results: list[R] = []
    for start in range(0, len(items), _AT_ONCE):
        some = items[start : start + _AT_ONCE]
        for done in await asyncio.gather(*map(work, some), return_exceptions=True):
            if isinstance(done, BaseException):
                raise done
            results.append(done)
    return results


class Retries:
    """The tries of one request: a cluster that is away for a moment is given time."""

    def __init__(self) -> None:
        self._left = _TRIES
        self._backoff = Backoff()

    async def pause(self, error: BackendError) -> None:
        """Wait before another try. Raises the error that ended the last one."""
        self._left -= 1
        if not self._left:
            raise error
        if isinstance(error, Unreachable):
            await asyncio.sleep(min(error.retry_after or self._backoff.next(), _LONGEST_PAUSE))


def _name_taken(existing: Manifest | None, error: BackendError) -> BackendError:
    """Turn a lost answer into a Conflict where another's object has the name, whoever came first."""
    if existing and isinstance(error, Unreachable):
        return Conflict(f"There is a {existing['kind']} {name_of(existing)} already.")
    return error


def _decoded(answer: Response) -> Manifest:
    manifest: Manifest = msgspec.json.decode(answer.body)
    return manifest


def key_of(manifest: Manifest) -> tuple[ResourceType[Any], str, str]:
    """Return the key of an object: (resource type, namespace, name)."""
    metadata = manifest["metadata"]
    kind = training_type(manifest.get("apiVersion", ""), manifest["kind"]) or KINDS[manifest["kind"]]
    return kind, metadata["namespace"], metadata["name"]


def path_of(manifest: Manifest) -> str:
    """Return the URL path of an object."""
    kind, namespace, name = key_of(manifest)
    return kind.path(namespace, name)


def name_of(manifest: Manifest) -> str:
    """Return the name of an object."""
    return str(manifest["metadata"]["name"])


def uid_of(manifest: Manifest) -> str:
    """Return the uid of an object."""
    return str(manifest["metadata"]["uid"])


def annotation(manifest: Manifest, key: str) -> str:
    """Read an annotation of an object; "" where it has none of this key."""
    return str((manifest["metadata"].get("annotations") or {}).get(key, ""))


def owner_references(manifest: Manifest) -> list[dict[str, Any]]:
    """Read the owner references of an object."""
    return list(manifest["metadata"].get("ownerReferences") or [])
