"""What one Prometheus tells of jobs, asked once for all who want to know, and remembered for a step.

Nothing is asked before the first question. A question that is under way is not asked again: whoever asks the
same waits for its answer.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from msgspec import Struct

from backend_client.errors import BackendError, fragment
from backend_client.prometheus.claim_space import claims_free, claims_query
from backend_client.prometheus.client import PrometheusClient, Series
from backend_client.prometheus.gpu_exporter import Discovery, FoundExporter, discover
from backend_client.prometheus.pod_spans import PodKey, PodSpan
from backend_client.prometheus.usage_queries import (
    Where,
    container_history_query,
    container_queries,
    container_sums_queries,
    gpu_queries,
    history_query,
    sums_queries,
)
from backend_client.prometheus.usage_samples import (
    Containers,
    PodUses,
    add_sums,
    containers_of,
    gpus_of,
    series_of,
)
from backend_client.single_flight import SingleFlight
from backend_client.usage import GpuUsage, Measure, UsageHistory, UsageSource

T = TypeVar("T")
DISCOVER_EVERY_SECONDS = 86_400.0
LOOK_AGAIN_SECONDS = 60.0
"""After so long a Prometheus is looked at again that told of no GPU of a pod."""
SUMS_SECONDS = 8.0
"""The time for a question about all pods: nobody waits for it, and a busy Prometheus may take a while."""
MOST_POINTS = 120
_POD_LABELS = "namespace", "pod"
_OF_CONTAINERS = (Measure.CPU, Measure.RSS)


class Grid(Struct, frozen=True):
    """The times of a history: multiples of its step, so that the same ones are asked for again."""

    start: float
    step: float
    count: int

    @property
    def end(self) -> float:
        return self.start + self.step * (self.count - 1)


def grid_of(since: float, until: float, interval: float) -> Grid:
    """Return at most `MOST_POINTS` times, no closer than two scrapes are."""
    steps = max(1.0, -(-max(0.0, until - since) // (interval * (MOST_POINTS - 1))))
    step = interval * steps
    start = since // step * step
    return Grid(start, step, max(1, min(MOST_POINTS, int((until - start) // step) + 1)))


class PrometheusUsage:
    """What pods use, as one Prometheus tells."""

    def __init__(self, client: PrometheusClient, clock: Callable[[], float] = time.time) -> None:
        """Ask nothing yet."""
        self._client = client
        self._clock = clock
        self._discovery: Discovery | None = None
        self._discovered_at = 0.0
        self._questions = SingleFlight(clock)
        self._answered = False
        self._silent_since: float | None = None

    @property
    def name(self) -> str:
        return self._client.name

    async def sums(self, namespaces: Iterable[str] = ()) -> PodUses:
        """Return what each pod uses now, by namespace and name; of these namespaces, without any of all.

        One query for each measure, whatever the number of pods. Raises a BackendError.
        """
        where, discovery = Where(tuple(sorted(set(namespaces)))), await self.discovery()
        questions: list[tuple[Measure | str, str, tuple[str, str], float]] = [
            (measure, query, (found.namespace, found.pod), found.exporter.memory_unit)
            for found in discovery.exporters
            for measure, query in sums_queries(found, where).items()
        ]
        if discovery.containers:
            asked = container_sums_queries(where, _window(discovery))
            questions += ((measure, query, _POD_LABELS, 1.0) for measure, query in asked.items())
        answers = await self._all(
            self._client.instant(query, seconds=SUMS_SECONDS) for _, query, *_ in questions
        )
        uses: PodUses = {}
        for (measure, _, labels, memory_unit), answer in zip(questions, answers, strict=True):
            add_sums(uses, measure, answer, labels, memory_unit)
        return uses

    async def gpus(self, spans: Sequence[PodSpan]) -> dict[PodKey, tuple[GpuUsage, ...]]:
        """Return each GPU of some pods as it is now. Raises a BackendError."""
        if not spans:
            return {}
        gpus: dict[PodKey, tuple[GpuUsage, ...]] = {}
        for found in (await self.discovery()).exporters:
            asked = gpu_queries(found, _where(spans))
            answers = await self._all(self._client.instant(query) for query in asked.values())
            gpus |= gpus_of(found, dict(zip(asked, answers, strict=True)), spans)
        return gpus

    async def containers(self, spans: Sequence[PodSpan]) -> dict[PodKey, Containers]:
        """Return CPU and memory of some pods as they are now. Raises a BackendError."""
        discovery = await self.discovery()
        if not spans or not discovery.containers:
            return {}
        asked = container_queries(_where(spans), _window(discovery))
        cpu, rss = await self._all(self._client.instant(query) for query in asked.values())
        return containers_of(cpu, rss)

    async def claims_free(self, namespace: str) -> dict[str, int]:
        """Return claim -> bytes that it holds free, where that is told. Raises a BackendError."""
        return claims_free(await self._client.instant(claims_query(namespace)), namespace)

    async def history(self, spans: Sequence[PodSpan], since: datetime, until: datetime) -> UsageHistory:
        """Return what some pods used over a time: one query for each measure. Raises a BackendError."""
        discovery = await self.discovery()
        grid = grid_of(since.timestamp(), until.timestamp(), discovery.interval)
        questions: list[tuple[Measure, FoundExporter | None, str]] = [
            (measure, found, history_query(found, measure, _where(spans), grid.step))
            for found in discovery.exporters
            for measure in Measure
        ]
        if discovery.containers:
            questions += (
                (measure, None, container_history_query(measure, _where(spans), grid.step))
                for measure in _OF_CONTAINERS
            )
        asked = [question for question in questions if question[2] and spans]
        answers = await self._all(self._range(query, grid) for _, _, query in asked)
        times = grid.start, grid.step, grid.count
        series = [
            one
            for (measure, found, _), answer in zip(asked, answers, strict=True)
            for one in series_of(measure, answer, spans, times, found)
        ]
        start = datetime.fromtimestamp(grid.start, UTC)
        return UsageHistory(start=start, step=grid.step, series=tuple(series), sources=(self.source(),))

    async def discovery(self) -> Discovery:
        """Return which exporters there are; found out once, and again each day. Raises a BackendError."""
        age = self._clock() - self._discovered_at
        known = self._discovery
        every = DISCOVER_EVERY_SECONDS if known and known.exporters else LOOK_AGAIN_SECONDS
        if known is None or not 0 <= age < every:
            known = await self._questions.ask(("discovery",), 0.0, self._discover)
        return known

    def source(self, error: BackendError | None = None) -> UsageSource:
        """Return this Prometheus as a source: what it gives, or why it does not."""
        if error:
            since = datetime.fromtimestamp(self._silent_since, UTC) if self._silent_since else None
            return UsageSource(name=self.name, missing=fragment(error.title), since=since)
        discovery = self._discovery or Discovery()
        return UsageSource(name=self.name, gives=gives(discovery), missing=missing(discovery))

    def cancel(self) -> None:
        """Give up what is under way."""
        self._questions.cancel()

    async def _discover(self) -> Discovery:
        (self._discovery,) = await self._all([discover(self._client)])
        self._discovered_at = self._clock()
        return self._discovery

    async def _range(self, query: str, grid: Grid) -> list[Series]:
        async def ask() -> list[Series]:
            return await self._client.query_range(query, grid.start, grid.end, grid.step)

        return await self._questions.ask((query, grid), grid.step, ask)

    async def _all(self, questions: Iterable[Awaitable[T]]) -> list[T]:
        """Return the answers to questions that are asked at the same time; note whether there are any."""
        try:
            answers = await _gathered(questions)
        except BackendError:
            if self._answered and self._silent_since is None:
                self._silent_since = self._clock()
            raise
        self._answered, self._silent_since = True, None
        return answers


async def _gathered(questions: Iterable[Awaitable[T]]) -> list[T]:
    """Await all; where one fails, none of the others goes on."""
    tasks = [asyncio.ensure_future(question) for question in questions]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


def _where(spans: Iterable[PodSpan]) -> Where:
    keys = [span.key for span in spans]
    return Where(tuple({namespace for namespace, _ in keys}), tuple({pod for _, pod in keys}))


def _window(discovery: Discovery) -> float:
    """Return over how many seconds CPU is a mean: four scrapes, so that one may be lost."""
    return max(120.0, 4 * discovery.interval)


def gives(discovery: Discovery) -> tuple[Measure, ...]:
    """Return what a Prometheus can tell of."""
    given = {measure for found in discovery.exporters for measure in Measure if _tells(found, measure)}
    given |= set(_OF_CONTAINERS) if discovery.containers else set()
    return tuple(measure for measure in Measure if measure in given)


def _tells(found: FoundExporter, measure: Measure) -> bool:
    return bool(history_query(found, measure, Where(), 60.0))


def missing(discovery: Discovery) -> str:
    """Say what a Prometheus does not tell of GPUs, and what would help; "" where it tells of them."""
    if discovery.exporters:
        return ""
    if discovery.seen:
        names = " and ".join(dict.fromkeys(discovery.seen))
        return f"its {names} tells of no pod that holds a GPU: none does, or it runs without --kubernetes"
    return "it has no figures of GPUs: it scrapes no exporter of them (dcgm-exporter)"
