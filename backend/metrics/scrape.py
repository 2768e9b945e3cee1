"""One scrape of the server: all families in one text, made once for all who ask at the same time."""

import asyncio
import time
from collections.abc import Mapping
from importlib.metadata import version

from backend.clusters.cluster import Cluster
from backend.jobs.job_usage import cluster_sources
from backend.jobs.rows import now
from backend.jobs.service import JobService
from backend.metrics.gpu_time import GpuTime
from backend.metrics.job_metrics import job_families
from backend.metrics.process_metrics import process_families
from backend.metrics.row_metrics import RowFigures, read_figures, row_families
from backend.metrics.server_metrics import (
    cluster_families,
    gpu_families,
    login_families,
    request_families,
    source_families,
)
from backend.metrics.text_format import Family, Sample, render
from backend.request_counts import RequestCounts
from backend_client.errors import BackendError
from backend_client.protocol import Capacity, Scope
from backend_client.usage import UsageSource

GOOD_FOR_SECONDS = 5.0
"""A text is told again for so long: two Prometheuses ask no more than one."""
ROWS_GOOD_FOR_SECONDS = 30.0
CAPACITY_SECONDS = 2.0
"""For a cluster's GPUs; one that takes longer tells of them at the next scrape."""
SCRAPER = -1
"""In the place of a person's id: a scrape that fails holds up nobody's requests."""


class Scraper:
    """Makes the text of a scrape."""

    def __init__(
        self,
        service: JobService,
        requests: RequestCounts,
        refused: Mapping[str, int],
        streams: Mapping[int, int],
    ) -> None:
        """`refused`: logins by reason; `streams`: those that are open, by login."""
        self._service, self._requests = service, requests
        self._refused, self._streams = refused, streams
        self._gpu_time = GpuTime(now())
        self._lock = asyncio.Lock()
        self._text, self._made = b"", float("-inf")
        self._rows: RowFigures | None = None
        self._rows_read = float("-inf")

    async def text(self) -> bytes:
        """Return the text of a scrape."""
        async with self._lock:
            if time.monotonic() - self._made > GOOD_FOR_SECONDS:
                self._text = render(await self._families())
                self._made = time.monotonic()
            return self._text

    async def _families(self) -> list[Family]:
        hub, moment = self._service.hub, now()
        clusters = [*self._service.clusters]
        capacities, sources, rows = await asyncio.gather(
            self._capacities(clusters), _sources(clusters), self._row_figures()
        )
        jobs = [cached.job for cached in hub.all()]
        self._gpu_time.count(jobs, moment)
        return [
            Family(
                "traindeck_build_info",
                "gauge",
                "Always 1; its labels say which version runs.",
                [Sample(1, {"version": version("traindeck")})],
            ),
            *job_families(jobs, (cluster.name for cluster in clusters), moment),
            self._gpu_time.family(),
            *gpu_families(capacities),
            *source_families(sources),
            *cluster_families(hub.links.values(), moment),
            Family(
                "traindeck_unknown_objects",
                "gauge",
                "Objects in a cluster that bear this server's mark and that it does not know.",
                [Sample(count, {"cluster": name}) for name, count in self._service.orphans.items()],
            ),
            *row_families(rows, moment),
            *request_families(self._requests),
            *login_families(self._refused, self._streams),
            *process_families(),
        ]

    async def _row_figures(self) -> RowFigures | None:
        if time.monotonic() - self._rows_read > ROWS_GOOD_FOR_SECONDS:
            try:
                async with self._service.database.read() as session:
                    self._rows = await read_figures(session, now())
                self._rows_read = time.monotonic()
            except BackendError:
                self._rows = None
        return self._rows

    async def _capacities(self, clusters: list[Cluster]) -> dict[str, Capacity]:
        found = await asyncio.gather(*map(_capacity, clusters))
        return {cluster.name: each for cluster, each in zip(clusters, found, strict=True) if each}


async def _sources(clusters: list[Cluster]) -> dict[str, tuple[UsageSource, ...]]:
    found = await asyncio.gather(*map(cluster_sources, clusters))
    return {cluster.name: tuple(each) for cluster, each in zip(clusters, found, strict=True)}


async def _capacity(cluster: Cluster) -> Capacity | None:
    try:
        async with cluster.breaker.call(SCRAPER, CAPACITY_SECONDS):
            return await cluster.backend.capacity(Scope())
    except BackendError:
        return None
