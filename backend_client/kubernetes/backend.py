"""The JobBackend of a Kubernetes cluster: straight to its API server, no traindeck server in between."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Self

from msgspec import Struct

from backend_client.backoff import Backoff
from backend_client.errors import BackendError, Forbidden, Invalid, NotFound, fragment, sentence
from backend_client.jobs import cut_page, matches, newest_first_key
from backend_client.kubernetes import access, capabilities
from backend_client.kubernetes.api.kubeconfig import Target
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.capacity_cache import CapacityCache
from backend_client.kubernetes.resources.resource_types import ROOT_TYPES
from backend_client.kubernetes.session import ClusterSession
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.watch import listing
from backend_client.kubernetes.watch.job_cache import JobCache
from backend_client.kubernetes.watch.job_watch import JobWatch, stale
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


class _Shared(Struct, frozen=True):
    """What the backends of one context share, whoever they act for."""

    session: ClusterSession
    capacity: CapacityCache
    sampler: ProgressSampler


class _Author(Struct, frozen=True):
    """Who owns the jobs that a backend creates, and what checks their manifests first.

    The default is the user of the kubeconfig: the cluster knows who that is, so no owner is written down.
    """

    ownership: Ownership | None = None
    check: ManifestCheck = lambda _: None


_KUBECONFIG_USER = _Author()


class KubernetesBackend:
    """Jobs as Deployments and Jobs of one cluster, for a user of the kubeconfig or a person of a server."""

    missing_features = capabilities.LACKS
    features: frozenset[Feature] = frozenset(Feature) - frozenset(capabilities.LACKS)
    fields = capabilities.FIELDS

    def __init__(
        self,
        target_name: str,
        site: KubernetesSettings,
        *,
        namespace: str = "",
        target: Target | None = None,
        shared: _Shared | None = None,
        author: _Author = _KUBECONFIG_USER,
    ) -> None:
        """Open nothing yet. `target_name`: the context in the kubeconfig, or the name of `target`.

        `namespace`: the context's own, where nobody names one. `shared` and `author`: as `for_user` has it.
        """
        self.context = target_name
        self.namespace = namespace or "default"
        self._site = site
        self._author = author
        self._shared = shared or _Shared(
            ClusterSession(target_name, target), CapacityCache(), ProgressSampler(self.logs)
        )
        self._session = self._shared.session
        self._sampler = self._shared.sampler
        self._cached_writer: JobWriter | None = None
        self._listed: tuple[JobQuery, Sequence[Job]] | None = None
        """The query and the jobs that the last first page was cut from."""

    def for_user(self, stamp: Ownership, inspect: ManifestCheck) -> Self:
        """Return a backend of the same context that creates jobs for one person (`MultiUserBackend`)."""
        author = _Author(stamp, inspect)
        return type(self)(
            self.context, self._site, namespace=self.namespace, shared=self._shared, author=author
        )

    async def ensure_namespace(self, namespace: str, stamp: Ownership) -> None:
        """Create a person's namespace where it is missing (`MultiUserBackend`)."""
        await namespaces.ensure_namespace(await self._session.transport(), namespace, stamp)

    async def list_created(self, server: str) -> Mapping[str, CreatedJob]:
        """List the jobs that a server created, by the key of their create (`MultiUserBackend`)."""
        namespaces = await self._session.namespaces([""])
        return await listing.list_created(await self._session.transport(), namespaces, server, self.context)

    async def whoami(self) -> Identity:
        transport = await self._session.transport()
        user = await access.current_user(transport) or f"the user of context {self._session.name}"
        return Identity(user, f"{self.context}, namespace {self.namespace}")

    async def check_access(self, asks: Sequence[AccessReview]) -> Sequence[AccessDecision]:
        return await access.check_access(await self._session.transport(), asks, self.namespace)

    async def list(self, query: JobQuery, *, after: str = "") -> Page:
        """List a page of jobs, newest first. Later pages are cut from the same list as the first."""
        if not after or self._listed is None or self._listed[0] != query:
            self._listed = query, await self._list_jobs(query)
        return cut_page(self._listed[1], query.limit, after)

    async def get(self, ref: JobRef) -> Job:
        return await listing.load_one(await self._transport_of(ref), self._new_cache(), ref)

    async def watch(self, scopes: Sequence[Scope]) -> AsyncIterator[Sequence[WatchEvent]]:
        backoff = Backoff()
        while True:
            try:
                watch = await self._new_watch([scope.namespace for scope in scopes])
            except BackendError as error:
                yield [stale(fragment(error.title))]
                await asyncio.sleep(backoff.next())
                continue
            with self._sampler.subscribe(watch.mark_dirty):
                async with contextlib.aclosing(watch.batches()) as batches:
                    async for batch in batches:
                        self._sampler.observe(batch)
                        yield batch

    async def set_visible_jobs(self, refs: Sequence[JobRef]) -> None:
        self._sampler.set_visible_jobs(refs)

    async def plan(self, spec: JobSpec) -> Plan:
        return await (await self._writer()).plan(spec)

    async def create(self, spec: JobSpec, *, key: str, secrets: Mapping[str, Secret]) -> Job:
        if not spec.image:
            raise Invalid({"image": "a cluster runs images; name one: pytorch/pytorch:2.9.0"})
        return await (await self._writer()).create(spec, key=key, secrets=secrets)

    async def stop(self, ref: JobRef) -> Job:
        await self._transport_of(ref)
        return await (await self._writer()).stop(ref)

    async def resume(self, ref: JobRef) -> Job:
        await self._transport_of(ref)
        return await (await self._writer()).resume(ref)

    async def delete(self, ref: JobRef, *, wait: bool = True) -> AsyncIterator[DeleteStep]:
        await self._transport_of(ref)
        async for step in (await self._writer()).delete(ref, wait=wait):
            yield step

    async def logs(self, query: LogQuery, *, after: str = "") -> AsyncGenerator[Sequence[LogItem], None]:
        from backend_client.kubernetes.logs.stream import stream_job_log  # noqa: PLC0415  a list needs none

        newest = query.follow and query.attempt is None
        tap = self._sampler.tap(query.ref) if newest else contextlib.nullcontext(_ignore)
        log = stream_job_log(await self._transport_of(query.ref), query, after=after)
        with tap as sample:
            async with contextlib.aclosing(log) as batches:
                async for items in batches:
                    sample(items)
                    yield items

    async def events(self, ref: JobRef) -> Sequence[Event]:
        return await listing.events(await self._transport_of(ref), ref)

    async def capacity(self, scope: Scope) -> Capacity:  # noqa: ARG002  GPUs are the cluster's
        return await self._shared.capacity.capacity(await self._session.transport(), self._site.gpu_resource)

    async def choices(
        self,
        field: str,
        *,
        namespace: str = "",
        cluster: str = "",  # noqa: ARG002  this backend is one cluster
    ) -> Sequence[Choice]:
        from backend_client.kubernetes import choices  # noqa: PLC0415  only a form asks

        if field == "gpu_type":
            return await self._gpu_types()
        return await choices.choices(await self._session.transport(), field, namespace or self.namespace)

    async def _gpu_types(self) -> Sequence[Choice]:
        capacity = await self.capacity(Scope())
        if capacity.unknown_because:
            raise Forbidden(sentence(capacity.unknown_because))
        return [Choice(p.product, f"{p.free} of {p.total} free") for p in capacity.pools if p.product]

    async def aclose(self) -> None:
        await self._sampler.aclose()
        await self._session.aclose()

    async def _transport_of(self, ref: JobRef) -> Transport:
        """Return the transport to a job. Raises NotFound for a ref that no job of a cluster can have."""
        if ref.kind not in ROOT_TYPES or not ref.namespace:
            raise NotFound(f"There is no job {ref} ({ref.uid}).")
        return await self._session.transport()

    def _new_cache(self) -> JobCache:
        return JobCache(self.context, self._site, self._shared.capacity.node_gpus, self._sampler.progress.get)

    async def _writer(self) -> "JobWriter":
        from backend_client.kubernetes.write.writer import JobWriter  # noqa: PLC0415  who only lists needs none

        if self._cached_writer is None:
            transport = await self._session.transport()
            self._cached_writer = JobWriter(
                transport,
                self._site,
                self.context,
                self.namespace,
                ownership=self._author.ownership,
                inspect=self._author.check,
            )
        return self._cached_writer

    async def _new_watch(self, scopes: Sequence[str]) -> JobWatch:
        namespaces = await self._session.namespaces(scopes)
        transport = await self._session.transport()
        return JobWatch(
            transport, self._new_cache(), namespaces, await listing.served_workload_types(transport)
        )

    async def _list_jobs(self, query: JobQuery) -> Sequence[Job]:
        cache = self._new_cache()
        namespaces = await self._session.namespaces([query.namespace])
        transport = await self._session.transport()
        if query.name:
            await listing.load_by_name(transport, cache, namespaces, query.name)
        else:
            await listing.load_all(transport, cache, namespaces)
        jobs, _ = cache.drain(complete=True)
        return sorted((job for job in jobs if matches(query, job)), key=newest_first_key)


def _ignore(_items: Sequence[LogItem]) -> None:
    """Sample no progress: this log is of the past."""
