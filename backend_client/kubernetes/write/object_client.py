"""Objects as the server has them, in plain mappings: found, made, changed and removed for certain.

A lost answer is the normal case (facts: reliability 1.4): every write here may be sent again, and what an
earlier try has done is seen and taken for done. Preconditions keep it off objects that are not meant.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from backend_client.backoff import Backoff
from backend_client.errors import BackendError, Conflict, Forbidden, Invalid, NotFound, Unreachable
from backend_client.kubernetes.api.transport import Response, Transport
from backend_client.kubernetes.manifests.render import Manifest
from backend_client.kubernetes.resources import resource_types
from backend_client.kubernetes.resources.resource_types import ResourceType

KINDS: dict[str, ResourceType[Any]] = {
    "Deployment": resource_types.DEPLOYMENTS,
    "Ingress": resource_types.INGRESSES,
    "Job": resource_types.JOBS,
    "Pod": resource_types.PODS,
    "Secret": resource_types.SECRETS,
    "Service": resource_types.SERVICES,
}
_TRIES = 4
_LONGEST_PAUSE = 5.0


class ObjectClient:
    """One caller's hands. What is refused raises as `Transport.request` does."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def find(self, kind: ResourceType[Any], namespace: str, name: str) -> Manifest | None:
        """The object of this name; None where there is none."""
        answer = await self._transport.request("GET", kind.path(namespace, name), allow=(404,))
        return _object(answer) if answer.status == 200 else None

    async def find_if_readable(self, kind: ResourceType[Any], namespace: str, name: str) -> Manifest | None:
        """As `find`, and None where it may not be read."""
        try:
            return await self.find(kind, namespace, name)
        except Forbidden:
            return None

    async def refetch(self, made: Manifest) -> Manifest | None:
        """The same object as it is now; None where it is gone, a namesake or not."""
        now = await self.find(*key_of(made))
        return now if now and uid_of(now) == uid_of(made) else None

    async def create_or_adopt(self, manifest: Manifest, mine: Callable[[Manifest], bool]) -> Manifest:
        """Create it, or find that an earlier try did: `mine` says so of what bears the name.

        Any refusal may hide that it is there already: a 403 for a quota that it fills itself, too. Where that
        cannot be asked either, the line is down, and the caller comes again later.
        """
        retries = Retries()
        while True:
            try:
                return await self._post(manifest)
            except BackendError as error:
                there = await self.find_if_readable(*key_of(manifest))
                if there and mine(there):
                    return there
                if there or not isinstance(error, Unreachable):
                    raise _taken(there, error) from None
                await retries.pause(error)

    async def patch_until(self, made: Manifest, wanted: Callable[[Manifest], Manifest | None]) -> Manifest:
        """Patch it, each time as it is now, until `wanted` has no merge patch for it any more.

        Raises NotFound where it is gone. The version in each patch lets nothing slip in between.
        """
        uid, retries = uid_of(made), Retries()
        while True:
            patch = wanted(made)
            if patch is None:
                return made
            try:
                return await self._patch(made, patch)
            except (Conflict, Invalid, Unreachable) as error:
                await retries.pause(error)
            now = await self.refetch(made)
            if now is None:
                raise NotFound(f"{name_of(made)} ({uid}) is gone")
            made = now

    async def remove(self, made: Manifest, policy: str, *, unchanged: bool = False) -> bool:
        """Delete this very object; gone already is fine. False where it was not `unchanged`.

        A namesake answers 409 to the uid, and is let alone.
        """
        conditions = {"uid": uid_of(made)}
        if unchanged:
            conditions["resourceVersion"] = made["metadata"]["resourceVersion"]
        body = msgspec.json.encode({"propagationPolicy": policy, "preconditions": conditions})
        path, retries = path_of(made), Retries()
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
        return _object(await self._transport.request("POST", kind.path(namespace), query=query, body=body))

    async def _patch(self, made: Manifest, patch: Manifest) -> Manifest:
        version = {"resourceVersion": made["metadata"]["resourceVersion"]}
        body = msgspec.json.encode(patch | {"metadata": patch["metadata"] | version})
        media = "application/merge-patch+json"
        return _object(await self._transport.request("PATCH", path_of(made), body=body, content_type=media))


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


def _taken(there: Manifest | None, error: BackendError) -> BackendError:
    """An answer was lost, and another's object bears the name: that is a Conflict, whoever came first."""
    if there and isinstance(error, Unreachable):
        return Conflict(f"there is a {there['kind']} {name_of(there)} already")
    return error


def _object(answer: Response) -> Manifest:
    found: Manifest = msgspec.json.decode(answer.body)
    return found


def key_of(manifest: Manifest) -> tuple[ResourceType[Any], str, str]:
    """(kind, namespace, name)."""
    metadata = manifest["metadata"]
    return KINDS[manifest["kind"]], metadata["namespace"], metadata["name"]


def path_of(manifest: Manifest) -> str:
    """Where the server keeps it."""
    kind, namespace, name = key_of(manifest)
    return kind.path(namespace, name)


def name_of(manifest: Manifest) -> str:
    """Its name."""
    return str(manifest["metadata"]["name"])


def uid_of(manifest: Manifest) -> str:
    """Its uid."""
    return str(manifest["metadata"]["uid"])


def annotation(manifest: Manifest, key: str) -> str:
    """An annotation; "" where it is not there."""
    return str((manifest["metadata"].get("annotations") or {}).get(key, ""))


def owners(manifest: Manifest) -> list[dict[str, Any]]:
    """Its owner references."""
    return list(manifest["metadata"].get("ownerReferences") or [])
