"""What the jobs of one cluster use: Prometheus where there is one, metrics.k8s.io for what it does not tell,
and nvidia-smi in the pods of one job, where a setting asks for that.

Whoever acts in this context shares it: what one asked for, others get without asking again. A source that
cannot be read says why, and the others are read all the same.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

from backend_client.errors import BackendError, fragment
from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.session import ClusterSession
from backend_client.kubernetes.settings import PrometheusSettings
from backend_client.kubernetes.usage import pod_metrics
from backend_client.kubernetes.usage.denials import Denials
from backend_client.kubernetes.usage.rank_usage import rank_usages
from backend_client.kubernetes.usage.service_proxy import ServiceProxy, parse_service
from backend_client.models import Job, JobState, JobUsage
from backend_client.models.secret import Secret
from backend_client.prometheus.client import PrometheusClient
from backend_client.prometheus.pod_spans import PodKey, PodSpan, running_spans, spans_of, within
from backend_client.prometheus.usage_samples import Containers, PodUse, PodUses, sum_of
from backend_client.prometheus.usage_source import PrometheusUsage
from backend_client.single_flight import SingleFlight
from backend_client.usage import GpuUsage, Measure, Usage, UsageHistory, UsageSource, UsageTable

if TYPE_CHECKING:
    from backend_client.kubernetes.usage.nvidia_smi import NvidiaSmi
    from backend_client.prometheus.by_url import UrlAsk

READING_SECONDS = 10.0
"""So long a reading of all jobs is as good as a new one: kubelets and exporters tell no sooner."""
MOST_NAMESPACES = 20
"""Of more namespaces all pods are asked for at once."""
SOURCES_SECONDS = 600.0
"""So long what the last reading said of its sources is told; nobody reads while no job runs."""
ALL = frozenset([""])
_EMPTY_STEP = 60.0
_CONTAINERS = (Measure.CPU, Measure.RSS)
_OF_GPUS = {Measure.UTILISATION, Measure.ACTIVITY, Measure.MEMORY}


class _Reading(Struct, frozen=True):
    """What all pods of some namespaces use."""

    uses: PodUses
    sources: tuple[UsageSource, ...]


class ClusterUsage:
    """The use of jobs of one cluster; asks nothing before the first question."""

    def __init__(
        self,
        session: ClusterSession,
        settings: PrometheusSettings,
        token: Secret | None = None,
        clock: Callable[[], float] = time.time,
        *,
        reads_in_pods: bool = False,
    ) -> None:
        """Open nothing yet. `clock` returns the Unix time; `reads_in_pods`: by nvidia-smi, of one job."""
        self._session = session
        self._reads_in_pods = reads_in_pods
        self._settings, self._token = settings, token
        self._clock = clock
        self._prometheus: PrometheusUsage | None = None
        self._by_url: UrlAsk | None = None
        self._questions = SingleFlight(clock)
        self._denials = Denials(clock)
        """By source."""
        self._nvidia_smi: NvidiaSmi | None = None
        self._sources: tuple[float, tuple[UsageSource, ...]] = (float("-inf"), ())
        """When all jobs were read last, and where from."""

    async def read(self, jobs: Sequence[Job]) -> Mapping[str, JobUsage]:
        """Return what running jobs use, by uid (`usage_feed.ReadUsage`)."""
        return (await self.table(jobs)).jobs

    async def table(self, jobs: Iterable[Job]) -> UsageTable:
        """Return what running jobs use, each in sum: one query for each measure, whatever their number."""
        running = [job for job in jobs if job.state is JobState.RUNNING]
        namespaces = frozenset(job.ref.namespace for job in running)
        asked = ALL if len(namespaces) > MOST_NAMESPACES else namespaces
        reading = await self._questions.ask(asked, READING_SECONDS, lambda: self._reading(asked, namespaces))
        names = ", ".join(source.name for source in reading.sources if source.gives)
        usages = {job.ref.uid: sum_of(running_spans(job), reading.uses, names) for job in running}
        found = {uid: usage for uid, usage in usages.items() if usage is not None}
        return UsageTable(jobs=found, sources=reading.sources)

    async def usage(self, job: Job, pods: Iterable[Pod]) -> Usage:
        """Return what a job uses by rank; of one that does not run, what could tell."""
        spans, pods = running_spans(job), tuple(pods)
        gpus, told, prometheus = await self._of_prometheus(spans)
        sources = [prometheus]
        if not _gives_containers(prometheus):
            measured, source = await self._pod_metrics({job.ref.namespace})
            told = {**measured, **told}
            sources.append(source)
        if self._reads_in_pods and not _gives_gpus(prometheus):
            gpus, found = await self._in_pods().gpus(spans, pods)
            sources += found
        return Usage(ranks=rank_usages(spans, gpus, told, pods), sources=tuple(sources))

    async def history(self, job: Job, since: datetime) -> UsageHistory:
        """Return what a job has used since a time, also after its end; nothing where no Prometheus tells."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        ends = [attempt.finished or now for attempt in job.attempts]
        until = min(now, max(ends, default=now) + timedelta(minutes=1))
        since = min(max(since, (job.started or job.created) - timedelta(minutes=1)), until)
        spans = tuple(within(spans_of(job), since, until))
        try:
            prometheus = self._opened()
            if prometheus:
                return await prometheus.history(spans, since, until)
            source = self._unset()
        except BackendError as error:
            source = self._failed(error)
        return UsageHistory(start=since, step=_EMPTY_STEP, sources=(source,))

    async def claims_free(self, namespace: str) -> Mapping[str, int]:
        """Return claim -> bytes that it holds free, as far as a Prometheus tells; it only adds to a list."""
        try:
            self._denials.check("claims")
            prometheus = self._opened()
            return await prometheus.claims_free(namespace) if prometheus else {}
        except BackendError as error:
            self._denials.keep("claims", error)
            return {}

    async def last_sources(self) -> tuple[UsageSource, ...]:
        """Return where the last reading of all jobs came from; of one that is old, what there is now."""
        read, sources = self._sources
        fresh = 0 <= self._clock() - read < SOURCES_SECONDS
        return sources if fresh else (await self.table(())).sources

    async def aclose(self) -> None:
        """Close what was opened."""
        self._questions.cancel()
        if self._prometheus:
            self._prometheus.cancel()
        if self._nvidia_smi:
            self._nvidia_smi.cancel()
        if self._by_url:
            await self._by_url.aclose()

    async def _reading(self, asked: frozenset[str], namespaces: frozenset[str]) -> _Reading:
        """Read what all pods of some namespaces use; `asked`: they, or ALL. Without any: which sources."""
        reading = await self._read_all(asked, namespaces)
        self._sources = self._clock(), reading.sources
        return reading

    async def _read_all(self, asked: frozenset[str], namespaces: frozenset[str]) -> _Reading:
        uses, prometheus = await self._sums(asked)
        if _gives_containers(prometheus):
            return _Reading(uses, (prometheus, *self._of_all_jobs(prometheus)))
        measured, source = await self._pod_metrics(namespaces)
        for key, containers in measured.items():
            use = uses.setdefault(key, PodUse())
            use.cpu, use.rss, use.cpu_time = containers.cpu, containers.memory, containers.time
        return _Reading(uses, (prometheus, source, *self._of_all_jobs(prometheus)))

    async def _sums(self, namespaces: frozenset[str]) -> tuple[PodUses, UsageSource]:
        try:
            if not (prometheus := self._opened()):
                return {}, self._unset()
            await prometheus.discovery()
            uses = await prometheus.sums(namespaces - ALL) if namespaces else {}
            return uses, prometheus.source()
        except BackendError as error:
            return {}, self._failed(error)

    async def _of_prometheus(
        self, spans: Sequence[PodSpan]
    ) -> tuple[Mapping[PodKey, tuple[GpuUsage, ...]], Mapping[PodKey, Containers], UsageSource]:
        try:
            if not (prometheus := self._opened()):
                return {}, {}, self._unset()
            gpus, containers = await prometheus.gpus(spans), await prometheus.containers(spans)
            return gpus, containers, prometheus.source()
        except BackendError as error:
            return {}, {}, self._failed(error)

    async def _pod_metrics(
        self, namespaces: Iterable[str]
    ) -> tuple[Mapping[PodKey, Containers], UsageSource]:
        """Read metrics.k8s.io, unless it was refused a while ago."""
        named = frozenset(namespaces)
        question = f"{pod_metrics.NAME} of {' '.join(sorted(named))}"
        try:
            self._denials.check(question)
            transport = await self._session.transport()
            found = await self._questions.ask(
                question, READING_SECONDS, lambda: pod_metrics.read_pod_metrics(transport, named)
            )
        except BackendError as error:
            self._denials.keep(question, error)
            return {}, UsageSource(name=pod_metrics.NAME, missing=fragment(error.title))
        return found, UsageSource(name=pod_metrics.NAME, gives=_CONTAINERS)

    def _in_pods(self) -> "NvidiaSmi":
        from backend_client.kubernetes.usage.nvidia_smi import (  # noqa: PLC0415  websockets, where it is wanted
            NvidiaSmi,
        )

        self._nvidia_smi = self._nvidia_smi or NvidiaSmi(self._session.transport, self._clock)
        return self._nvidia_smi

    def _of_all_jobs(self, prometheus: UsageSource) -> tuple[UsageSource, ...]:
        """Return why nvidia-smi tells nothing of all jobs, where it is what tells of GPUs."""
        if not self._reads_in_pods or _gives_gpus(prometheus):
            return ()
        return (
            UsageSource(name="nvidia-smi", missing="is asked of one job at a time: top NAME, a job's detail"),
        )

    def _opened(self) -> PrometheusUsage | None:
        """Return the Prometheus of the settings; None where none is set. Raises what it said a while ago."""
        self._denials.check("Prometheus")
        if self._prometheus is None and (self._settings.service or self._settings.url):
            self._prometheus = PrometheusUsage(self._client(), self._clock)
        return self._prometheus

    def _client(self) -> PrometheusClient:
        settings = self._settings
        if settings.service:
            service = parse_service(settings.service)
            proxy = ServiceProxy(self._session.transport, service)
            return PrometheusClient(proxy, f"Prometheus {service.namespace}/{service.plain_name}")
        from backend_client.prometheus.by_url import UrlAsk  # noqa: PLC0415  httpx, where a URL is set

        self._by_url = UrlAsk(
            settings.url, token=self._token, token_file=settings.token_file, ca_file=settings.ca_file
        )
        return PrometheusClient(self._by_url, f"Prometheus at {self._by_url.host}")

    def _unset(self) -> UsageSource:
        lacks = "past use is not told" if self._reads_in_pods else "nobody tells of GPUs"
        return UsageSource(
            name="Prometheus",
            missing=f"none is set, so {lacks}: the setting kubernetes.prometheus.service names one",
        )

    def _failed(self, error: BackendError) -> UsageSource:
        self._denials.keep("Prometheus", error)
        if self._prometheus:
            return self._prometheus.source(error)
        return UsageSource(name="Prometheus", missing=fragment(error.title))


def _gives_containers(prometheus: UsageSource) -> bool:
    """Return whether CPU and memory are told by Prometheus; else metrics.k8s.io is asked."""
    return set(_CONTAINERS).issubset(prometheus.gives)


def _gives_gpus(prometheus: UsageSource) -> bool:
    return bool(_OF_GPUS.intersection(prometheus.gives))
