"""The clusters as a caller may see them: how they are, what is free, who is on which machine."""

import asyncio

from msgspec.structs import asdict, replace

from backend.auth.caller import Caller
from backend.clusters.cluster import Cluster
from backend.jobs.job_usage import cluster_sources
from backend.jobs.other_people import as_seen_by
from backend.jobs.service import JobService
from backend_client.errors import BackendError, fragment
from backend_client.gpu_nodes import GpuNodes
from backend_client.protocol import Capacity, Scope
from backend_client.server.measured_clusters import MeasuredCluster, MeasuredClusters


async def measured_clusters(service: JobService, *, usage: bool) -> MeasuredClusters:
    """Return all clusters: how they are, what each makes of fields and features.

    `usage`: also where figures of what their jobs use come from; for one that hangs that takes some seconds.
    """
    links, found = service.hub.links, [*service.clusters]
    sources = await asyncio.gather(*map(cluster_sources, found)) if usage else [None] * len(found)
    return MeasuredClusters(
        tuple(
            MeasuredCluster(
                **asdict(cluster.info(links[cluster.name])), usage=None if told is None else tuple(told)
            )
            for cluster, told in zip(found, sources, strict=True)
        )
    )


async def capacity(service: JobService, caller: Caller, cluster: str) -> Capacity:
    """Return the GPUs, free and in all; of one cluster, or of all together. Raises NotFound."""
    clusters = [service.clusters.get(cluster)] if cluster else [*service.clusters]
    capacities = [await _cluster_capacity(each, caller) for each in clusters]
    pools = tuple(pool for each in capacities for pool in each.pools)
    reasons = "; ".join(filter(None, (each.unknown_because for each in capacities)))
    return Capacity(pools, "" if pools else reasons)


async def nodes(service: JobService, caller: Caller, cluster: str) -> GpuNodes:
    """Return the machines with GPUs, of one cluster or of all; other people's jobs as figures without names.

    Raises NotFound.
    """
    clusters = [service.clusters.get(cluster)] if cluster else [*service.clusters]
    found = [await _cluster_nodes(each, caller) for each in clusters]
    seen = tuple(as_seen_by(service, caller, node) for each in found for node in each.nodes)
    reasons = "; ".join(filter(None, (each.unknown_because for each in found)))
    unsure = "; ".join(filter(None, (*(each.unsure_because for each in found), reasons if seen else "")))
    return GpuNodes(seen, "" if seen else reasons, unsure)


async def _cluster_nodes(cluster: Cluster, caller: Caller) -> GpuNodes:
    try:
        async with cluster.breaker.call(caller.user_id):
            found = await cluster.backend.nodes(Scope())
    except BackendError as error:
        return GpuNodes(unknown_because=fragment(error.title))
    nodes = tuple(replace(node, cluster=cluster.name) for node in found.nodes)
    return replace(found, nodes=nodes)


async def _cluster_capacity(cluster: Cluster, caller: Caller) -> Capacity:
    try:
        async with cluster.breaker.call(caller.user_id):
            return await cluster.backend.capacity(Scope())
    except BackendError as error:
        return Capacity(unknown_because=fragment(error.title))
