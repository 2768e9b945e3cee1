"""Writes to the jobs of one cluster: plan, create, stop, resume, delete. Each may be repeated at any time."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from backend_client.errors import Conflict, Invalid, Refused
from backend_client.extension import check_extension
from backend_client.kubernetes import access, labels
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.manifests.pod_patch import written_by_patches
from backend_client.kubernetes.manifests.pod_template import secret_name
from backend_client.kubernetes.manifests.render import (
    Manifest,
    extend_patch,
    render_manifests,
    resume_patch,
    stop_patch,
)
from backend_client.kubernetes.resources.resource_types import SECRETS
from backend_client.kubernetes.resources.training_kinds import TRAINING_KINDS
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.status.spec_from_objects import code_of, spec_of
from backend_client.kubernetes.write import training_jobs
from backend_client.kubernetes.write.cluster_facts import read_cluster_facts
from backend_client.kubernetes.write.code_parts import CodeParts
from backend_client.kubernetes.write.create import create_job, finish_create, is_held, name_conflict
from backend_client.kubernetes.write.delete import delete_job
from backend_client.kubernetes.write.dry_run import check_patches, plan_job, unpatched, with_fields
from backend_client.kubernetes.write.job_names import find_by_name, free_name
from backend_client.kubernetes.write.retrying_client import RetryingClient, annotation
from backend_client.kubernetes.write.root_objects import find_own_root, load_job, to_root_object
from backend_client.models import Job, JobRef, JobSpec
from backend_client.models.secret import Secret
from backend_client.multi_user import ManifestCheck, Ownership
from backend_client.protocol import DeleteStep, Plan

_RACES = 20
"""Suggested names that others may take, between our read and our create, before that is an error."""


class JobWriter:
    """One caller's writes to one cluster. Every method may raise a BackendError."""

    def __init__(
        self,
        transport: Transport,
        site: KubernetesSettings,
        context: str,
        namespace: str,
        *,
        ownership: Ownership | None = None,
        inspect: ManifestCheck = lambda _: None,
    ) -> None:
        """Set up the writer of one caller.

        `namespace`: for jobs whose spec names none; `ownership`: whose jobs they are, where a server writes.
        """
        self._transport = transport
        self._client = RetryingClient(transport)
        self._site = site
        self._context = context
        self._namespace = namespace
        self._server = ownership.server if ownership else ""
        self._user = ownership.owner if ownership else None
        """Whose the jobs are; None until the cluster was asked."""
        self._inspect = inspect
        self.code = CodeParts(transport)

    async def plan(self, spec: JobSpec) -> Plan:
        """Plan what `create` would do."""
        namespace = self._namespace_of(spec)
        return await plan_job(
            self._transport, spec, self._site, self._context, namespace, code=self.code, inspect=self._inspect
        )

    async def create(self, spec: JobSpec, *, key: str, secrets: Mapping[str, Secret]) -> Job:
        """Create a job, or nothing; the same key gives the same job. Raises Conflict if its name is taken."""
        used: set[str] = set()
        for _ in range(_RACES):
            named = await self._with_name(spec, key, used)
            try:
                return await self._load(await self._create(named, key, secrets))
            except Conflict:
                if spec.name:
                    raise
            used.add(named.name)
        raise Conflict("Others take every name that is suggested.", "Give it a name.")

    async def stop(self, ref: JobRef) -> Job:
        """Stop a job, by 0 replicas or suspend: its pods go, and their logs. An ended job stays as it is."""
        if ref.kind in TRAINING_KINDS:
            return await self._load(await training_jobs.stop(self._transport, ref))
        root = await find_own_root(self._client, ref)
        before = await self._load(root)
        if before.ended:
            return before
        if is_held(root):
            raise Refused(f"{ref.name} is only half made.", "Resume finishes it, delete removes it.")

        def next_patch(current: Manifest) -> Manifest | None:
            return None if annotation(current, labels.STOPPED) else stop_patch(current, datetime.now(UTC))

        return await self._load(await self._client.patch_until(root, next_patch))

    async def extend(self, ref: JobRef, max_runtime: int) -> Job:
        """Raise the time limit of a job to so many seconds: its deadline, and the spec that it shows."""
        if ref.kind in TRAINING_KINDS:
            raise Refused(f"{ref.name} has no time limit that traindeck sets.", "Its own tool may have one.")
        root = await find_own_root(self._client, ref)
        check_extension(await self._load(root), max_runtime)

        def next_patch(current: Manifest) -> Manifest | None:
            spec = spec_of(to_root_object(current), self._site)
            return extend_patch(current, max_runtime) if spec.max_runtime < max_runtime else None

        after = await self._load(await self._client.patch_until(root, next_patch))
        if after.ended:
            check_extension(after, max_runtime)
        return after

    async def resume(self, ref: JobRef) -> Job:
        """Undo a `stop`, or finish a half created job. A running job stays as it is."""
        if ref.kind in TRAINING_KINDS:
            return await self._load(await training_jobs.resume(self._transport, ref))
        root = await find_own_root(self._client, ref)
        if is_held(root):
            return await self._load(await self._finish(root))
        spec = spec_of(to_root_object(root), self._site)

        def next_patch(current: Manifest) -> Manifest | None:
            return (
                resume_patch(current, spec, datetime.now(UTC))
                if annotation(current, labels.STOPPED)
                else None
            )

        after = await self._load(await self._client.patch_until(root, next_patch))
        if after.ended:
            raise Refused(f"{ref.name} has ended.", "Run it again instead.")
        return after

    async def read_code(self, ref: JobRef) -> bytes:
        """Read the packed code of a job. Raises NotFound where it has none."""
        return await self.code.read(await find_own_root(self._client, ref))

    async def delete(self, ref: JobRef, *, wait: bool = True) -> AsyncIterator[DeleteStep]:
        """Delete root object, pods and owned objects; ends when they are gone, or without `wait` at once."""
        if ref.kind in TRAINING_KINDS:
            root, spec = await training_jobs.find(self._transport, ref), JobSpec()
        else:
            root = await find_own_root(self._client, ref)
            spec = spec_of(to_root_object(root), self._site)
        async for step in delete_job(self._transport, root, spec, wait=wait):
            yield step

    def _namespace_of(self, spec: JobSpec) -> str:
        return spec.namespace or self._namespace

    async def _with_name(self, spec: JobSpec, key: str, used: set[str]) -> JobSpec:
        if spec.name:
            return spec
        name = await free_name(self._transport, spec, self._namespace_of(spec), key, used)
        return msgspec.structs.replace(spec, name=name)

    async def _create(self, spec: JobSpec, key: str, secrets: Mapping[str, Secret]) -> Manifest:
        namespace = self._namespace_of(spec)
        if wrong := await check_patches(spec, self._site):
            raise Refused(f"pod: {wrong}", fields={"pod": wrong})
        facts = await read_cluster_facts(self._transport, namespace, spec)
        bundle = await self.code.bundle(spec, namespace)
        owner = await self._owner()
        if bundle:
            facts = msgspec.structs.replace(facts, code=bundle.code)
        owned: dict[str, Any] = {"key": key, "owner": owner, "server": self._server}
        self._inspect(render_manifests(spec, unpatched(self._site), facts, **owned, secrets=secrets))
        packed = bundle.data if bundle else None
        manifests = render_manifests(spec, self._site, facts, **owned, secrets=secrets, packed=packed)
        other = "deployment" if spec.kind == "job" else "job"
        if await find_by_name(self._client, namespace, spec.name, [other]):
            raise name_conflict(spec.name)
        try:
            return await create_job(self._client, manifests, spec, key)
        except (Refused, Invalid) as error:
            raise with_fields(error, written_by_patches(spec, self._site)) from None

    async def _finish(self, root: Manifest) -> Manifest:
        """Finish a held job. The values of its secrets are not known here, so its Secret must be there.

        Nor is its code: all parts must be.
        """
        typed, namespace = to_root_object(root), root["metadata"]["namespace"]
        spec = spec_of(typed, self._site)
        if spec.secrets and not await self._client.find_if_readable(SECRETS, namespace, secret_name(spec)):
            raise Refused(f"The secrets of {spec.name} were not stored.", "Delete it, and submit it again.")
        if not await self.code.all_there(root):
            raise Refused(f"The code of {spec.name} was not stored.", "Delete it, and submit it again.")
        facts = await read_cluster_facts(self._transport, namespace, spec)
        facts = msgspec.structs.replace(facts, code=code_of(typed))
        _, *owned = render_manifests(msgspec.structs.replace(spec, pod={}), unpatched(self._site), facts)
        missing = [manifest for manifest in owned if manifest["kind"] != "Secret"]
        return await finish_create(self._client, root, missing, spec)

    async def _load(self, root: Manifest) -> Job:
        return await load_job(self._transport, root, self._context, self._site)

    async def _owner(self) -> str:
        """Return the owner of new jobs: the server's user, else the cluster's name for us, "" if unknown."""
        if self._user is None:
            self._user = await access.current_user(self._transport)
        return self._user
