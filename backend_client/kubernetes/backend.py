"""The JobBackend of a Kubernetes cluster: straight to its API server, no traindeck server in between."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from msgspec import Struct
from msgspec.structs import replace

from backend_client.backoff import Backoff
from backend_client.errors import BackendError, Forbidden, Invalid, NotFound, fragment, sentence
from backend_client.gpu_nodes import GpuNodes
from backend_client.jobs import cut_page, matches, newest_first_key
from backend_client.kubernetes import access, capabilities
from backend_client.kubernetes.api.kubeconfig import Target
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.capacity_cache import CapacityCache
from backend_client.kubernetes.resources.core import Object, Pod
from backend_client.kubernetes.resources.node_gpus import NodeGpus
from backend_client.kubernetes.resources.quota import gpu_quota
from backend_client.kubernetes.resources.resource_types import QUOTAS, ROOT_TYPES, ResourceType
from backend_client.kubernetes.resources.training_kinds import TRAINING_KINDS
from backend_client.kubernetes.session import ClusterSession
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.status.job_status import job_of
from backend_client.kubernetes.usage.shared_usage import SharedUsage
from backend_client.kubernetes.watch import listing
from backend_client.kubernetes.watch.attempt_memory import AttemptMemory
from backend_client.kubernetes.watch.discovery import served_versions
from backend_client.kubernetes.watch.job_cache import JobCache
from backend_client.kubernetes.watch.job_watch import JobWatch, stale, syncing
from backend_client.kubernetes.watch.kueue_lists import KueueLists
from backend_client.kubernetes.watch.lists import list_if_allowed
from backend_client.kubernetes.watch.queue_positions import QueuePositions
from backend_client.kubernetes.watch.training import training_types_of
from backend_client.kubernetes.write import namespaces, shared_objects
from backend_client.models import Event, Job, JobRef, JobSpec, JobState
from backend_client.models.datasets import Datasets, with_datasets
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
    Freshness,
    Identity,
    JobQuery,
    LogItem,
    LogQuery,
    Page,
    Plan,
    Scope,
    WatchEvent,
)
from backend_client.refresh import RefreshRequests, sleep_unless
from backend_client.single_flight import SingleFlight
from backend_client.slow_steps import heard_by
from backend_client.why import Explanation, MayName, anyone

if TYPE_CHECKING:
    from backend_client.code_bundle import Bundle
    from backend_client.exec_session import ExecQuery, ExecSession, PortConnection
    from backend_client.kubernetes.write.queue_writer import QueueWriter
    from backend_client.kubernetes.write.writer import JobWriter
    from backend_client.output_files import FileList
    from backend_client.queue_snapshot import QueueSnapshot
    from backend_client.queues import QueueBoard
    from backend_client.usage import Usage, UsageHistory, UsageSource, UsageTable

_PODS_SECONDS = 0.5
"""So long connections that are opened together share one look at the pods of their job."""


class _Shared(Struct, frozen=True):
    """What the backends of one context share, whoever they act for."""

    session: ClusterSession
    capacity: CapacityCache
    sampler: ProgressSampler
    attempts: AttemptMemory
    watched: list[JobCache]
    """The objects of the watches that are open."""
    positions: QueuePositions
    kueue: KueueLists
    usage: SharedUsage
    pods: SingleFlight
    """Of jobs whose ports are used."""
    datasets: Datasets


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
        prometheus_token: Secret | None = None,
        datasets: Datasets | None = None,
        shared: _Shared | None = None,
        author: _Author = _KUBECONFIG_USER,
    ) -> None:
        """Open nothing yet. `target_name`: the context in the kubeconfig, or the name of `target`.

        `namespace`: the context's own, where nobody names one. `prometheus_token`: for the URL of the
        settings, which hold none. `datasets`: those of the site. `shared` and `author`: as `for_user` has it.
        """
        self.context = target_name
        self.namespace = namespace or "default"
        self._site = site
        self._author = author
        self._shared = shared or self._new_shared(target, prometheus_token, datasets or {})
        self._session = self._shared.session
        self._sampler = self._shared.sampler
        self._positions = self._shared.positions
        self._refreshes = RefreshRequests()
        self._node_changes = RefreshRequests()
        """Sent when the GPUs of nodes are others than before: jobs that wait are looked at again."""
        self._told_node_gpus: tuple[NodeGpus, ...] | None = None
        """What they were then."""
        self._cached_writer: JobWriter | None = None
        self._listed: tuple[JobQuery, Sequence[Job]] | None = None
        """The query and the jobs that the last first page was cut from."""

    def _new_shared(
        self, target: Target | None, prometheus_token: Secret | None, datasets: Datasets
    ) -> _Shared:
        session = ClusterSession(self.context, target)
        capacity = CapacityCache(session, self._site.gpu_resource, self.namespace)
        positions = QueuePositions(session.transport)
        return _Shared(
            session,
            capacity,
            ProgressSampler(self.logs),
            AttemptMemory(),
            [],
            positions,
            KueueLists(),
            SharedUsage(session, self._site, prometheus_token),
            SingleFlight(),
            datasets,
        )

    def for_user(self, stamp: Ownership, inspect: ManifestCheck) -> Self:
        """Return a backend of the same context that creates jobs for one person (`MultiUserBackend`)."""
        author = _Author(stamp, inspect)
        return type(self)(
            self.context, self._site, namespace=self.namespace, shared=self._shared, author=author
        )

    async def ensure_namespace(self, namespace: str, stamp: Ownership, *, node_folders: bool = False) -> None:
        """Create a person's namespace where it is missing (`MultiUserBackend`)."""
        transport = await self._session.transport()
        await namespaces.ensure_namespace(transport, namespace, stamp, node_folders=node_folders)

    async def not_theirs(self, spec: JobSpec, namespace: str, owner: str) -> Mapping[str, str]:
        """Return what a spec uses of a shared namespace that is another's (`MultiUserBackend`)."""
        return await shared_objects.not_theirs(await self._session.transport(), spec, namespace, owner)

    async def choices_of(self, field: str, namespace: str, owner: str) -> Sequence[Choice]:
        """Return the choices of one person in a shared namespace (`MultiUserBackend`)."""
        from backend_client.kubernetes import choices  # noqa: PLC0415  only a form asks

        if field not in choices.OWNED:
            return await self.choices(field, namespace=namespace)
        return await self._choices(field, namespace, lambda item: shared_objects.is_for(item, owner))

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
        cache = self._new_cache()
        job = await listing.load_one(await self._transport_of(ref), cache, ref)
        if await self._positions.look(job):
            cache.mark_dirty(ref.uid)
            changed, _ = cache.drain(complete=True)
            return next(iter(changed), job)
        return job

    async def watch(self, scopes: Sequence[Scope]) -> AsyncIterator[Sequence[WatchEvent]]:
        async with contextlib.aclosing(self._shared.usage.follow(self._watch(scopes))) as batches:
            async for batch in batches:
                yield batch

    async def _watch(self, scopes: Sequence[Scope]) -> AsyncGenerator[Sequence[WatchEvent], None]:
        backoff, anew = Backoff(), asyncio.Event()
        while True:
            try:
                async with contextlib.aclosing(self._open_watch(scopes)) as steps:
                    async for step in steps:
                        if isinstance(step, JobWatch):
                            watch = step
                        else:
                            yield [step]
            except BackendError as error:
                yield [stale(fragment(error.title))]
                with self._refreshes.subscribe(anew.set):
                    await sleep_unless(anew, backoff.next())
                anew.clear()
                continue
            with (
                _kept_in(self._shared.watched, watch.cache),
                self._sampler.subscribe(watch.mark_dirty),
                self._positions.subscribe(watch.mark_dirty),
                self._refreshes.subscribe(watch.refresh),
                self._node_changes.subscribe(watch.mark_waiting_dirty),
            ):
                async with contextlib.aclosing(watch.batches()) as batches:
                    async for batch in batches:
                        self._sampler.observe(batch)
                        self._positions.observe(batch)
                        yield batch

    async def refresh(self) -> None:
        self._shared.capacity.refresh()
        self._shared.usage.refresh()
        self._refreshes.send()

    async def set_visible_jobs(self, refs: Sequence[JobRef]) -> None:
        self._sampler.set_visible_jobs(refs)
        self._positions.set_visible_jobs(refs)

    async def plan(self, spec: JobSpec) -> Plan:
        return await (await self._writer()).plan(with_datasets(spec, self._shared.datasets))

    async def create(self, spec: JobSpec, *, key: str, secrets: Mapping[str, Secret]) -> Job:
        if not spec.image:
            raise Invalid({"image": "a cluster runs images; name one: pytorch/pytorch:2.9.0"})
        spec = with_datasets(spec, self._shared.datasets)
        return await (await self._writer()).create(spec, key=key, secrets=secrets)

    @property
    def code_limit(self) -> int:
        """The bytes that packed code may have (`HasCode`)."""
        return self._site.code_limit * 2**20

    async def keep_code(self, bundle: "Bundle") -> None:
        """Keep packed code for the creates to come (`HasCode`)."""
        (await self._writer()).code.keep(bundle)

    async def code_of(self, ref: JobRef) -> bytes:
        """Return the packed code of a job (`HasCode`)."""
        await self._transport_of(ref)
        return await (await self._writer()).read_code(ref)

    async def stop(self, ref: JobRef) -> Job:
        await self._transport_of(ref)
        return await (await self._writer()).stop(ref)

    async def extend(self, ref: JobRef, max_runtime: int) -> Job:
        await self._transport_of(ref)
        return await (await self._writer()).extend(ref, max_runtime)

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
        past = partial(self._shared.attempts.of, query.ref.uid)
        log = stream_job_log(await self._transport_of(query.ref), query, after=after, past=past)
        with tap as sample:
            async with contextlib.aclosing(log) as batches:
                async for items in batches:
                    sample(items)
                    yield items

    async def events(self, ref: JobRef) -> Sequence[Event]:
        return await listing.events(await self._transport_of(ref), ref)

    async def explain(self, ref: JobRef) -> Explanation:
        return await self.explain_for(ref, anyone)

    async def explain_for(self, ref: JobRef, may_name: MayName) -> Explanation:
        """Explain to somebody who may not know of all jobs (`MultiUserBackend`)."""
        from backend_client.kubernetes.explain import Explainer  # noqa: PLC0415  a list needs none

        shared = self._shared
        explainer = Explainer(
            transport=await self._transport_of(ref),
            context=self.context,
            site=self._site,
            capacity=shared.capacity,
            attempts=shared.attempts,
            positions=shared.positions,
            kueue=shared.kueue,
            watched=shared.watched,
            new_cache=self._new_cache,
            logs=self.logs,
        )
        return await explainer.explain(ref, may_name)

    @contextlib.asynccontextmanager
    async def open_port(self, ref: JobRef, port: int, *, rank: int = 0) -> "AsyncIterator[PortConnection]":
        """Connect to a port in the pod that a rank runs in now (`HasPorts`)."""
        from backend_client.kubernetes.ports.connection import (  # noqa: PLC0415  websockets, where it is wanted
            open_connection,
        )
        from backend_client.kubernetes.ports.pod import running_pod  # noqa: PLC0415  as above

        transport = await self._transport_of(ref)
        job, pods = await self._shared.pods.ask(ref.uid, _PODS_SECONDS, lambda: self._with_pods(ref))
        async with open_connection(transport, running_pod(job, pods, rank), port) as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def open_exec(self, query: "ExecQuery") -> AsyncGenerator["ExecSession", None]:
        """Start a command in the pod of a rank (`HasExec`)."""
        from backend_client.kubernetes.exec.find_container import (  # noqa: PLC0415  a list needs none
            find_container,
        )
        from backend_client.kubernetes.exec.session import open_session  # noqa: PLC0415  as above

        job, pods = await self._with_pods(query.ref)
        container = find_container(job, pods, query.rank)
        async with open_session(await self._session.transport(), container, query) as session:
            yield session

    async def output_files(self, ref: JobRef, path: str = "") -> "FileList":
        """List a folder of a job's outputs, in a pod that runs (`HasFiles`)."""
        from backend_client.kubernetes.exec import list_files as files  # noqa: PLC0415  a list needs none
        from backend_client.output_files import FileList, outputs_of, path_within  # noqa: PLC0415  as above

        job, pods = await self._with_pods(ref)
        outputs = outputs_of(job)
        whole = path_within(outputs, path)
        container = files.find_any_container(job, pods, outputs)
        found = await files.list_files(await self._session.transport(), container, whole)
        return FileList(folder=whole, files=found)

    async def usage(self, ref: JobRef) -> "Usage":
        """Return what a job uses now (`HasUsage`)."""
        job, pods = await self._with_pods(ref)
        return await self._shared.usage.open().usage(job, pods)

    async def usage_history(self, ref: JobRef, since: datetime) -> "UsageHistory":
        """Return what a job has used since a time (`HasUsage`)."""
        job, _ = await self._with_pods(ref)
        return await self._shared.usage.open().history(job, since)

    async def usages(self, scope: Scope) -> "UsageTable":
        """Return what the running jobs of a scope use now, each in sum (`HasUsage`)."""
        running = JobQuery(namespace=scope.namespace, states=frozenset([JobState.RUNNING]))
        return await self._shared.usage.open().table(await self._list_jobs(running))

    def set_usage_interval(self, seconds: float) -> None:
        """Set how often the watches of this context read what jobs use (`MultiUserBackend`)."""
        self._shared.usage.set_interval(seconds)

    async def usage_sources(self) -> "Sequence[UsageSource]":
        """Return what the figures of jobs come from, as the last reading found it (`MultiUserBackend`)."""
        return await self._shared.usage.open().last_sources()

    async def _with_pods(self, ref: JobRef) -> tuple[Job, tuple[Pod, ...]]:
        """Return a job and its pods: those of a watch that is open and has them, else loaded."""
        watched = (cache.objects_of(ref.uid) for cache in self._shared.watched)
        if objects := next(filter(None, watched), None):
            return job_of(objects.root, objects.pods, self.context, objects.related), objects.pods
        cache = self._new_cache()
        job = await listing.load_one(await self._transport_of(ref), cache, ref)
        found = cache.objects_of(ref.uid)
        return job, found.pods if found else ()

    async def nodes(self, scope: Scope) -> GpuNodes:  # noqa: ARG002  a cluster's nodes are its own
        return await self._shared.capacity.nodes()

    async def queues(self, scope: Scope) -> "QueueBoard":
        """Return Kueue's queues and what waits; without Kueue the scheduler's order (`HasQueues`)."""
        from backend_client.kubernetes.queue.board import read_board  # noqa: PLC0415  only its screen asks

        namespaces = await self._session.namespaces([scope.namespace])
        return await read_board(await self._session.transport(), namespaces, self._site.gpu_resource)

    async def set_priority(self, ref: JobRef, name: str) -> Job:
        """Give a waiting job another priority of its queue (`HasQueues`)."""
        return await (await self._queue_writer(ref)).set_priority(ref, name)

    async def hold(self, ref: JobRef) -> Job:
        """Hold a waiting job back (`HasQueues`)."""
        return await (await self._queue_writer(ref)).hold(ref)

    async def release(self, ref: JobRef) -> Job:
        """Put a held job into its queue again (`HasQueues`)."""
        return await (await self._queue_writer(ref)).release(ref)

    async def move(self, ref: JobRef, queue: str) -> Job:
        """Put a waiting job into another queue (`HasQueues`)."""
        return await (await self._queue_writer(ref)).move(ref, queue)

    async def queue_snapshot(self) -> "QueueSnapshot | None":
        """Read all queues, for a server (`HasQueueSnapshot`)."""
        from backend_client.kubernetes.queue_snapshot import (  # noqa: PLC0415  only a server asks
            read_queue_snapshot,
        )

        return await read_queue_snapshot(await self._session.transport(), self._site.gpu_resource)

    async def capacity(self, scope: Scope) -> Capacity:
        capacity = await self._shared.capacity.capacity()
        if (known := self._shared.capacity.node_gpus()) is not self._told_node_gpus:
            self._told_node_gpus = known
            self._node_changes.send()
        if not capacity.unknown_because:
            return capacity
        transport, resource = await self._session.transport(), self._site.gpu_resource
        quotas = await list_if_allowed(transport, QUOTAS, scope.namespace or self.namespace)
        return replace(capacity, quota=gpu_quota(quotas, resource))

    async def choices(
        self,
        field: str,
        *,
        namespace: str = "",
        cluster: str = "",  # noqa: ARG002  this backend is one cluster
    ) -> Sequence[Choice]:
        if field == "gpu_type":
            return await self._gpu_types()
        return await self._choices(field, namespace or self.namespace, lambda _: True)

    async def _choices(
        self, field: str, namespace: str, chosen: Callable[[Object], bool]
    ) -> Sequence[Choice]:
        from backend_client.kubernetes import choices  # noqa: PLC0415  only a form asks

        transport, shared = await self._session.transport(), self._shared
        if field not in choices.OF_CLAIMS:
            return await choices.choices(transport, field, namespace, chosen)
        found, free = await asyncio.gather(
            choices.claims(transport, namespace, chosen), shared.usage.open().claims_free(namespace)
        )
        return choices.claim_choices(field, found, free, shared.datasets)

    async def list_namespaces(self) -> Sequence[str]:
        from backend_client.kubernetes import choices  # noqa: PLC0415  only the choice of one asks

        return await choices.list_namespaces(await self._session.transport())

    async def _gpu_types(self) -> Sequence[Choice]:
        capacity = await self.capacity(Scope())
        if capacity.unknown_because:
            raise Forbidden(sentence(capacity.unknown_because))
        return [
            Choice(p.product, f"{p.free} of {p.total} free") for p in capacity.pools if p.usable and p.product
        ]

    async def aclose(self) -> None:
        self._shared.pods.cancel()
        await self._shared.usage.aclose()
        await self._shared.capacity.aclose()
        await self._sampler.aclose()
        await self._positions.aclose()
        await self._session.aclose()

    async def _transport_of(self, ref: JobRef) -> Transport:
        """Return the transport to a job. Raises NotFound for a ref that no job of a cluster can have."""
        if ref.kind not in (*ROOT_TYPES, *TRAINING_KINDS) or not ref.namespace:
            raise NotFound(f"There is no job {ref} ({ref.uid}).")
        return await self._session.transport()

    def _new_cache(self, namespaces: Sequence[str] = ()) -> JobCache:
        return JobCache(
            self.context,
            self._site,
            self._shared.capacity.node_gpus,
            self._sampler.progress.get,
            self._positions.position_of,
            memory=self._shared.attempts,
            everywhere="" in namespaces,
        )

    async def _queue_writer(self, ref: JobRef) -> "QueueWriter":
        from backend_client.kubernetes.write.queue_writer import QueueWriter  # noqa: PLC0415  as above

        return QueueWriter(await self._transport_of(ref), self._site, self.context)

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

    async def _open_watch(self, scopes: Sequence[Scope]) -> AsyncGenerator[Freshness | JobWatch, None]:
        """Yield what the opening of a watch waits for, where that takes long, and last the watch."""
        heard: asyncio.Queue[str | None] = asyncio.Queue()
        with heard_by(heard.put_nowait):
            opening = asyncio.create_task(self._new_watch([scope.namespace for scope in scopes]))
        opening.add_done_callback(lambda _: heard.put_nowait(None))
        try:
            while (words := await heard.get()) is not None:
                yield syncing(words)
            yield await opening
        finally:
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)

    async def _new_watch(self, scopes: Sequence[str]) -> JobWatch:
        namespaces = await self._session.namespaces(scopes)
        transport = await self._session.transport()
        served = await served_versions(transport)
        training = await training_types_of(transport, served)
        extra: list[ResourceType[Any]] = [*listing.workload_types_of(served), *training]
        return JobWatch(transport, self._new_cache(namespaces), namespaces, extra)

    async def _list_jobs(self, query: JobQuery) -> Sequence[Job]:
        namespaces = await self._session.namespaces([query.namespace])
        cache = self._new_cache(namespaces)
        transport = await self._session.transport()
        if query.name:
            await listing.load_by_name(transport, cache, namespaces, query.name)
        else:
            await listing.load_all(transport, cache, namespaces)
        if cache.wants_nodes:
            with contextlib.suppress(BackendError):
                await self._shared.capacity.capacity()
        jobs, _ = cache.drain(complete=True)
        return sorted((job for job in jobs if matches(query, job)), key=newest_first_key)


@contextlib.contextmanager
def _kept_in(caches: list[JobCache], cache: JobCache) -> Iterator[None]:
    """Keep the objects of a watch in a list for as long as it is open."""
    caches.append(cache)
    try:
        yield
    finally:
        caches.remove(cache)


def _ignore(_items: Sequence[LogItem]) -> None:
    """Sample no progress: this log is of the past."""
