"""What jobs use, as their cluster measures it: of one job by rank and over time, of all in sum.

No query of a caller reaches a Prometheus: the cluster's backend writes them, from the job's own pods.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import cast

from msgspec.structs import replace

from backend.auth.caller import Caller
from backend.authorization import sees
from backend.clusters.circuit_breaker import SERVER
from backend.clusters.cluster import Cluster
from backend.jobs.rows import JobSelector, find_row, now, ref_of
from backend.jobs.service import JobService
from backend_client.errors import BackendError, Refused, fragment, sentence
from backend_client.job_use import JobUse, read_use
from backend_client.models import Job, JobRef, JobState
from backend_client.protocol import Feature
from backend_client.usage import HasUsage, Usage, UsageHistory, UsageSource, UsageTable

DEFAULT_HISTORY = timedelta(hours=1)
SOURCES_SECONDS = 5.0
"""So long may it take to say what figures come from, and so long is that told again."""


async def usage(service: JobService, caller: Caller, name: str, selector: JobSelector) -> Usage:
    """Return what a job uses now. Raises NotFound, Conflict, Refused, Unreachable."""
    cluster, ref = await _find(service, caller, name, selector)
    async with cluster.breaker.call(caller.user_id):
        return await _measuring(cluster).usage(ref)


async def history(
    service: JobService, caller: Caller, name: str, selector: JobSelector, since: datetime | None
) -> UsageHistory:
    """Return what a job has used since a time, without one of the last hour. Raises as `usage`."""
    cluster, ref = await _find(service, caller, name, selector)
    async with cluster.breaker.call(caller.user_id):
        return await _measuring(cluster).usage_history(ref, since or now() - DEFAULT_HISTORY)


async def use_of(service: JobService, caller: Caller, job: Job) -> JobUse:
    """Return what a job that the caller may see uses, and has used in its last hour. Raises as `usage`."""
    cluster = service.clusters.get(job.ref.context)
    async with cluster.breaker.call(caller.user_id):
        return await read_use(_measuring(cluster), job)


async def table(service: JobService, caller: Caller, name: str) -> UsageTable:
    """Return what the running jobs that a caller may see use, as the watch told it last; asks for no job.

    `name`: of one cluster; "" is all. Raises NotFound for one that is not there.
    """
    service.hub.note_look()
    clusters = [service.clusters.get(name)] if name else [*service.clusters]
    names = {cluster.name for cluster in clusters}
    jobs = {
        cached.job.ref.uid: cached.job.usage
        for cached in service.hub.all()
        if cached.job.ref.context in names
        and cached.job.state is JobState.RUNNING
        and cached.job.usage
        and sees(caller, cached.user_id)
    }
    return UsageTable(jobs=jobs, sources=await sources_of(clusters))


async def sources_of(clusters: Sequence[Cluster]) -> tuple[UsageSource, ...]:
    """Return what the clusters' figures come from; of several clusters with the cluster's name."""
    found = await asyncio.gather(*map(cluster_sources, clusters))
    if len(clusters) == 1:
        return tuple(found[0])
    return tuple(
        replace(source, name=f"{cluster.name}: {source.name}")
        for cluster, sources in zip(clusters, found, strict=True)
        for source in sources
    )


async def cluster_sources(cluster: Cluster) -> Sequence[UsageSource]:
    """Return what the figures of a cluster come from, or why there are none; it is asked as the server."""

    async def ask() -> Sequence[UsageSource]:
        async with cluster.breaker.call(SERVER, SOURCES_SECONDS):
            return await cluster.backend.usage_sources()

    try:
        _measuring(cluster)
        return await cluster.questions.ask("usage sources", SOURCES_SECONDS, ask)
    except BackendError as error:
        return (UsageSource(name="usage", missing=fragment(error.title)),)


def _measuring(cluster: Cluster) -> HasUsage:
    """Return the backend of a cluster as one that measures. Raises Refused."""
    if Feature.METRICS in cluster.backend.missing_features or not isinstance(cluster.backend, HasUsage):
        why = cluster.backend.missing_features.get(Feature.METRICS, "")
        raise Refused(f"{cluster.name} does not tell what jobs use.", sentence(why))
    return cast("HasUsage", cluster.backend)


async def _find(
    service: JobService, caller: Caller, name: str, selector: JobSelector
) -> tuple[Cluster, JobRef]:
    async with service.database.read() as session:
        row, _ = await find_row(session, caller, name, selector)
    service.hub.note_look()
    return service.clusters.get(row.cluster), ref_of(row)
