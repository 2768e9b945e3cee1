"""A context of the kubeconfig as a JobBackend: straight to the cluster, no server in between."""

import asyncio
import contextlib
import copy
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Self

from backend_client.backoff import Backoff
from backend_client.errors import BackendError, Forbidden, Invalid, NotFound
from backend_client.jobs import cut_page, matches, newest_first_key
from backend_client.kubernetes import access, capabilities
from backend_client.kubernetes.api.kubeconfig import Target
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.capacity import CapacityCache
from backend_client.kubernetes.session import ClusterSession
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.watch import listing
from backend_client.kubernetes.watch.job_cache import JobCache
from backend_client.kubernetes.watch.watch import JobWatch, stale
from backend_client.kubernetes.write import namespaces
from backend_client.models import Event, Job, JobRef, JobSpec
from backend_client.models.secret import Secret
from backend_client.multi_user import CreatedJob, ManifestCheck, Ownership
from backend_client.progress.sampler import ProgressSampler
from backend_client.protocol import (
    AccessDecision,
    AccessReview,
    Capacity,
    Choice,
    DeleteStep,
    Feature,
    Identity,
    JobQuery,
    LogItem,
    LogQuery,
    Page,
    Plan,
    Scope,
    WatchEvent,
)

if TYPE_CHECKING:
    from backend_client.kubernetes.write.writer import JobWriter


class KubernetesBackend:
    """Jobs as Deployments and Jobs of one cluster, as one user of the kubeconfig."""

    missing_features = capabilities.LACKS
    features: frozenset[Feature] = frozenset(Feature) - frozenset(capabilities.LACKS)
    fields = capabilities.FIELDS

    def __init__(
        self, target_name: str, site: KubernetesSettings, *, namespace: str = "", target: Target | None = None
    ) -> None:
        """`target_name`: the context in the kubeconfig, or whatever `target` is called; `namespace`: its own,
        where nobody names one.
        """
        self.context = target_name
        self.namespace = namespace or "default"
        self._site = site
        self._opening = ClusterSession(target_name, target)
        self._stamp: Ownership | None = None
        self._inspect: ManifestCheck = lambda _: None
        self._writes: JobWriter | None = None
        self._gpus = CapacityCache()
        self._glances = ProgressSampler(self.logs)
        self._listed: tuple[JobQuery, Sequence[Job]] | None = None
        """What the last first page was cut from."""

    def for_user(self, stamp: Ownership, inspect: ManifestCheck) -> Self:
        """As `Behind` has it."""
        mine = copy.copy(self)
        mine._stamp, mine._inspect, mine._writes = stamp, inspect, None  # noqa: SLF001  our own copy
        return mine

    async def ensure_namespace(self, namespace: str, stamp: Ownership) -> None:
        """As `Behind` has it."""
        await namespaces.ensure_namespace(await self._opening.transport(), namespace, stamp)

    async def list_created(self, server: str) -> Mapping[str, CreatedJob]:
        """As `Behind` has it."""
        namespaces = await self._opening.namespaces([""])
        return await listing.list_created(await self._opening.transport(), namespaces, server, self.context)

    async def whoami(self) -> Identity:
        transport = await self._opening.transport()
        user = await access.current_user(transport) or f"the user of context {self._opening.name}"
        return Identity(user, f"{self.context}, namespace {self.namespace}")

    async def check_access(self, asks: Sequence[AccessReview]) -> Sequence[AccessDecision]:
        return await access.check_access(await self._opening.transport(), asks, self.namespace)

    async def list(self, query: JobQuery, *, after: str = "") -> Page:
        """Newest first. The pages after the first are cut from what it was cut from, where that is kept."""
        if not after or self._listed is None or self._listed[0] != query:
            self._listed = query, await self._list(query)
        return cut_page(self._listed[1], query.limit, after)

    async def get(self, ref: JobRef) -> Job:
        return await listing.load_one(await self._at(ref), self._board(), ref)

    async def watch(self, scopes: Sequence[Scope]) -> AsyncIterator[Sequence[WatchEvent]]:
        backoff = Backoff()
        while True:
            try:
                watching = await self._watching([scope.namespace for scope in scopes])
            except BackendError as error:
                yield [stale(error.title)]
                await asyncio.sleep(backoff.next())
                continue
            with self._glances.subscribe(watching.mark_dirty):
                async with contextlib.aclosing(watching.batches()) as batches:
                    async for batch in batches:
                        self._glances.observe(batch)
                        yield batch

    async def set_visible_jobs(self, refs: Sequence[JobRef]) -> None:
        self._glances.set_visible_jobs(refs)

    async def plan(self, spec: JobSpec) -> Plan:
        return await (await self._writer()).plan(spec)

    async def create(self, spec: JobSpec, *, key: str, secrets: Mapping[str, Secret]) -> Job:
        if not spec.image:
            raise Invalid({"image": "a cluster runs images; name one: pytorch/pytorch:2.9.0"})
        return await (await self._writer()).create(spec, key=key, secrets=secrets)

    async def stop(self, ref: JobRef) -> Job:
        await self._at(ref)
        return await (await self._writer()).stop(ref)

    async def resume(self, ref: JobRef) -> Job:
        await self._at(ref)
        return await (await self._writer()).resume(ref)

    async def delete(self, ref: JobRef, *, wait: bool = True) -> AsyncIterator[DeleteStep]:
        await self._at(ref)
        async for step in (await self._writer()).delete(ref, wait=wait):
            yield step

    async def logs(self, query: LogQuery, *, after: str = "") -> AsyncGenerator[Sequence[LogItem], None]:
        from backend_client.kubernetes.logs import stream  # noqa: PLC0415  a list needs none

        newest = query.follow and query.attempt is None
        listening = self._glances.tap(query.ref) if newest else contextlib.nullcontext(_ignore)
        found = stream.stream(await self._at(query.ref), query, after=after)
        with listening as hear:
            async with contextlib.aclosing(found) as batches:
                async for items in batches:
                    hear(items)
                    yield items

    async def events(self, ref: JobRef) -> Sequence[Event]:
        return await listing.events(await self._at(ref), ref)

    async def capacity(self, scope: Scope) -> Capacity:  # noqa: ARG002  GPUs are the cluster's
        return await self._gpus.capacity(await self._opening.transport(), self._site.gpu_resource)

    async def choices(self, field: str, *, namespace: str = "", cluster: str = "") -> Sequence[Choice]:  # noqa: ARG002
        from backend_client.kubernetes import choices  # noqa: PLC0415  only a form asks

        if field == "gpu_type":
            return await self._gpu_types()
        return await choices.choices(await self._opening.transport(), field, namespace or self.namespace)

    async def _gpu_types(self) -> Sequence[Choice]:
        found = await self.capacity(Scope())
        if found.unknown_because:
            raise Forbidden(found.unknown_because)
        return [Choice(p.product, f"{p.free} of {p.total} free") for p in found.pools if p.product]

    async def aclose(self) -> None:
        await self._glances.aclose()
        await self._opening.aclose()

    async def _at(self, ref: JobRef) -> Transport:
        """Where a job is. Raises NotFound for what cannot be one here: a cluster would say something else."""
        if ref.kind not in listing.ROOT_TYPES or not ref.namespace:
            raise NotFound(f"there is no job {ref} ({ref.uid})")
        return await self._opening.transport()

    def _board(self) -> JobCache:
        return JobCache(self.context, self._site, self._gpus.blocks, self._glances.progress.get)

    async def _writer(self) -> "JobWriter":
        from backend_client.kubernetes.write.writer import JobWriter  # noqa: PLC0415  who only looks needs none

        if self._writes is None:
            transport = await self._opening.transport()
            self._writes = JobWriter(
                transport,
                self._site,
                self.context,
                self.namespace,
                stamp=self._stamp,
                inspect=self._inspect,
            )
        return self._writes

    async def _watching(self, wanted: Sequence[str]) -> JobWatch:
        namespaces = await self._opening.namespaces(wanted)
        transport = await self._opening.transport()
        return JobWatch(transport, self._board(), namespaces, await listing.workload_type(transport))

    async def _list(self, query: JobQuery) -> Sequence[Job]:
        board = self._board()
        namespaces = await self._opening.namespaces([query.namespace])
        transport = await self._opening.transport()
        if query.name:
            await listing.load_by_name(transport, board, namespaces, query.name)
        else:
            await listing.load_all(transport, board, namespaces)
        jobs, _ = board.drain(complete=True)
        return sorted((job for job in jobs if matches(query, job)), key=newest_first_key)


def _ignore(_items: Sequence[LogItem]) -> None:
    """No progress is read in a log of the past."""
