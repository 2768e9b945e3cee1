"""The packed code of jobs: kept until a create names it, and found again at the jobs that have it."""

from collections.abc import Sequence

from msgspec.structs import replace

from backend_client.code_bundle import Bundle, digest
from backend_client.errors import NotFound, Refused
from backend_client.kubernetes import labels
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.manifests.code import part_of, parts_of
from backend_client.kubernetes.manifests.render import Manifest, code_label
from backend_client.kubernetes.resources.resource_types import CREATED_KINDS, ROOT_TYPES, SECRETS
from backend_client.kubernetes.status.spec_from_objects import RootObject, code_of
from backend_client.kubernetes.watch.lists import list_if_allowed
from backend_client.kubernetes.write.retrying_client import RetryingClient, for_each, name_of
from backend_client.models import JobSpec
from backend_client.models.code import PACKED, Code, is_packed

_KEPT = 4
"""Packed folders: a form has one, a create that is repeated the same."""


class CodeParts:
    """The code of the jobs of one cluster. Every method may raise a BackendError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._client = RetryingClient(transport)
        self._kept: dict[str, Bundle] = {}

    def keep(self, bundle: Bundle) -> None:
        """Keep packed code for the plans and creates to come; the last ones only."""
        self._kept[bundle.name] = bundle
        while len(self._kept) > _KEPT:
            del self._kept[next(iter(self._kept))]

    async def look(self, spec: JobSpec, namespace: str) -> tuple[Code | None, str]:
        """Return what is recorded of the code that a spec names, and what is said of it; None: not there."""
        if not is_packed(spec.code):
            return None, ""
        if kept := self._kept.get(spec.code):
            return kept.code, kept.about
        found = await self._find_root(spec, namespace)
        return (code_of(found[1]), f"the same as that of {found[1].name}") if found else (None, "")

    async def bundle(self, spec: JobSpec, namespace: str) -> Bundle | None:
        """Return the code that a spec names, read from a job that has it where it is not kept."""
        if not is_packed(spec.code):
            return None
        if kept := self._kept.get(spec.code):
            return kept
        found = await self._find_root(spec, namespace)
        root = await self._client.find(ROOT_TYPES[found[0]], namespace, found[1].name) if found else None
        code = code_of(found[1]) if found else None
        if root is None or code is None:
            return None
        data = await self.read(root)
        if PACKED + digest(data) != spec.code:
            raise Refused(f"The code of {name_of(root)} is not what it was.", "Name a folder.")
        return Bundle(replace(code, size=len(data)), data)

    async def read(self, root: Manifest) -> bytes:
        """Read the packed code of a job. Raises NotFound where it has none, or not all of it is there."""
        names = parts_of(root)
        if not names:
            raise NotFound(f"There is no code of {name_of(root)}: it was made without.")
        return b"".join(await self._read_parts(root, names))

    async def all_there(self, root: Manifest) -> bool:
        """Return whether all parts that a job's pods unpack are there, as far as they may be read."""
        namespace = root["metadata"]["namespace"]

        async def find(name: str) -> Manifest | None:
            return await self._client.find_if_readable(SECRETS, namespace, name)

        return None not in await for_each(parts_of(root), find)

    async def _read_parts(self, root: Manifest, names: Sequence[str]) -> list[bytes]:
        namespace = root["metadata"]["namespace"]

        async def read(name: str) -> bytes:
            secret = await self._client.find(SECRETS, namespace, name)
            if secret is None:
                raise NotFound(f"The code of {name_of(root)} is not whole: its Secret {name} is gone.")
            return part_of(secret)

        return await for_each(names, read)

    async def _find_root(self, spec: JobSpec, namespace: str) -> tuple[str, RootObject] | None:
        """Find a job of a namespace with this code, the newest: its kind, and the object."""
        label = f"{labels.CODE}={code_label(spec.code.removeprefix(PACKED))}"
        found = [
            (kind, root)
            for kind in CREATED_KINDS
            for root in await list_if_allowed(self._transport, ROOT_TYPES[kind], namespace, labels=label)
            if (code := code_of(root)) and PACKED + code.sha256 == spec.code
        ]
        return max(found, key=lambda one: str(one[1].metadata.creation_timestamp), default=None)
