"""What a person does to jobs of one cluster: plan, create, stop, resume, delete. All may be repeated."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

import msgspec

from backend_client.errors import Conflict, Invalid, Refused
from backend_client.kubernetes import access, labels
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.manifests import render
from backend_client.kubernetes.manifests.pod_template import secret_name
from backend_client.kubernetes.manifests.render import Manifest
from backend_client.kubernetes.resources.resource_types import SECRETS
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.status.spec_from_objects import spec_of
from backend_client.kubernetes.write import create, delete, dry_run
from backend_client.kubernetes.write.cluster_facts import read_cluster_facts
from backend_client.kubernetes.write.create import is_held, name_conflict
from backend_client.kubernetes.write.job_names import find_by_name, free_name
from backend_client.kubernetes.write.object_client import ObjectClient, annotation
from backend_client.kubernetes.write.root_objects import find_own_root, load_job, to_root_object
from backend_client.models import Job, JobRef, JobSpec
from backend_client.models.secret import Secret
from backend_client.multi_user import ManifestCheck, Ownership
from backend_client.protocol import DeleteStep, Plan

_RACES = 20
"""Names that others may take, between our look and our create, before that is an error."""


class JobWriter:
    """One caller's writes to one cluster. Every method may raise a BackendError."""

    def __init__(
        self,
        transport: Transport,
        site: KubernetesSettings,
        context: str,
        namespace: str,
        *,
        stamp: Ownership | None = None,
        inspect: ManifestCheck = lambda _: None,
    ) -> None:
        self._transport = transport
        self._hands = ObjectClient(transport)
        self._site = site
        self._context = context
        self._namespace = namespace
        """Where jobs go whose spec does not say."""
        self._server = stamp.server if stamp else ""
        self._user = stamp.owner if stamp else None
        self._inspect = inspect

    async def plan(self, spec: JobSpec) -> Plan:
        """What `create` would do."""
        home = self._home(spec)
        return await dry_run.plan_job(
            self._transport, spec, self._site, self._context, home, inspect=self._inspect
        )

    async def create(self, spec: JobSpec, *, key: str, secrets: Mapping[str, Secret]) -> Job:
        """Make it, or nothing. The same key gives the same job; a given name that is taken is a Conflict."""
        used: set[str] = set()
        for _ in range(_RACES):
            named = await self._named(spec, key, used)
            try:
                return await self._told(await self._create(named, key, secrets))
            except Conflict:
                if spec.name:
                    raise
            used.add(named.name)
        raise Conflict("others take every name that is suggested", "give it a name")

    async def stop(self, ref: JobRef) -> Job:
        """0 replicas, or suspended: its pods go, and their logs. Of an ended job: no-op."""
        anchor = await find_own_root(self._hands, ref)
        before = await self._told(anchor)
        if before.ended:
            return before
        if is_held(anchor):
            raise Refused(f"{ref.name} is only half made", "resume finishes it, delete removes it")

        def wanted(now: Manifest) -> Manifest | None:
            return None if annotation(now, labels.STOPPED) else render.stop(now, datetime.now(UTC))

        return await self._told(await self._hands.patch_until(anchor, wanted))

    async def resume(self, ref: JobRef) -> Job:
        """Undo `stop`, or finish what is half made. Of a job that runs: no-op."""
        anchor = await find_own_root(self._hands, ref)
        if is_held(anchor):
            return await self._told(await self._finish(anchor))
        spec = spec_of(to_root_object(anchor), self._site)

        def wanted(now: Manifest) -> Manifest | None:
            return render.resume(now, spec) if annotation(now, labels.STOPPED) else None

        after = await self._told(await self._hands.patch_until(anchor, wanted))
        if after.ended:
            raise Refused(f"{ref.name} has ended", "run it again instead")
        return after

    async def delete(self, ref: JobRef, *, wait: bool = True) -> AsyncIterator[DeleteStep]:
        """Take anchor, pods and parts away; ends when they are gone, or without `wait` at once."""
        anchor = await find_own_root(self._hands, ref)
        spec = spec_of(to_root_object(anchor), self._site)
        async for step in delete.delete_job(self._transport, anchor, spec, wait=wait):
            yield step

    def _home(self, spec: JobSpec) -> str:
        return spec.namespace or self._namespace

    async def _named(self, spec: JobSpec, key: str, used: set[str]) -> JobSpec:
        if spec.name:
            return spec
        name = await free_name(self._transport, spec, self._home(spec), key, used)
        return msgspec.structs.replace(spec, name=name)

    async def _create(self, spec: JobSpec, key: str, secrets: Mapping[str, Secret]) -> Manifest:
        home = self._home(spec)
        seen = await read_cluster_facts(self._transport, home, spec)
        owner = await self._owner()
        made = render.objects(
            spec, self._site, seen, key=key, owner=owner, server=self._server, secrets=secrets
        )
        self._inspect(made)
        if await find_by_name(self._hands, home, spec.name, ["deployment" if spec.kind == "job" else "job"]):
            raise name_conflict(spec.name)
        try:
            return await create.create_all(self._hands, made, spec, key)
        except (Refused, Invalid) as error:
            raise dry_run.with_fields(error) from None

    async def _finish(self, anchor: Manifest) -> Manifest:
        """Without the values of its secrets, so with the Secret that is there."""
        spec, home = spec_of(to_root_object(anchor), self._site), anchor["metadata"]["namespace"]
        if spec.secrets and not await self._hands.find_if_readable(SECRETS, home, secret_name(spec)):
            raise Refused(f"the secrets of {spec.name} were not stored", "delete it, and submit it again")
        seen = await read_cluster_facts(self._transport, home, spec)
        _, *parts = render.objects(spec, self._site, seen)
        rest = [part for part in parts if part["kind"] != "Secret"]
        return await create.finish_create(self._hands, anchor, rest, spec)

    async def _told(self, anchor: Manifest) -> Job:
        return await load_job(self._transport, anchor, self._context, self._site)

    async def _owner(self) -> str:
        """Who asks: as the stamp says, else as the cluster knows us; "" where it does not say."""
        if self._user is None:
            self._user = await access.current_user(self._transport)
        return self._user
