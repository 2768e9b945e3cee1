"""Routes of the clusters: list, capacity, choices; for admins, register and unregister."""

import asyncio
from datetime import datetime

import msgspec
from fastapi import APIRouter, Request, Response
from msgspec.structs import asdict, replace
from pydantic import BaseModel

from backend.audit import record
from backend.auth.caller import Caller
from backend.clusters.cluster import Cluster
from backend.clusters.registration import ClusterRegistration, check_registration
from backend.jobs.choices import choices_for
from backend.jobs.job_usage import cluster_sources
from backend.jobs.other_people import as_seen_by
from backend.openapi import struct_body, struct_response
from backend.routes.bodies import StructResponse, decode_body
from backend.routes.deps import CanManageClusters, CanSee, RuntimeDep
from backend_client.errors import BackendError, fragment
from backend_client.gpu_nodes import GpuNodes
from backend_client.protocol import Capacity, Scope
from backend_client.server.bodies import Choices
from backend_client.server.measured_clusters import MeasuredCluster, MeasuredClusters

router = APIRouter(prefix="/api", tags=["clusters"])
_REGISTRATION = msgspec.json.Decoder(ClusterRegistration)


class Registered(BaseModel):
    """A cluster that was registered; its credentials are told to nobody."""

    name: str
    server: str
    namespace: str
    created: datetime


@router.get("/clusters", responses={200: struct_response(MeasuredClusters)})
async def clusters(runtime: RuntimeDep, _caller: CanSee, usage: bool = False) -> Response:
    """All clusters: how they are, what each makes of fields and features.

    `usage`: also where figures of what their jobs use come from; for one that hangs that takes some seconds.
    """
    links, found = runtime.jobs.hub.links, [*runtime.jobs.clusters]
    sources = await asyncio.gather(*map(cluster_sources, found)) if usage else [None] * len(found)
    items = tuple(
        MeasuredCluster(
            **asdict(cluster.info(links[cluster.name])), usage=None if told is None else tuple(told)
        )
        for cluster, told in zip(found, sources, strict=True)
    )
    return StructResponse(MeasuredClusters(items))


@router.post("/clusters", status_code=201, openapi_extra=struct_body(ClusterRegistration))
async def register(request: Request, runtime: RuntimeDep, admin: CanManageClusters) -> Registered:
    """Register a cluster: name, https server, ca, and token or certificate and key. It must answer.

    Of one that is registered already, a new login.
    """
    registration = await decode_body(
        request, _REGISTRATION, "name, server, ca, and token or certificate and key"
    )
    check_registration(registration)
    await runtime.jobs.clusters.probe(registration)
    async with runtime.database.write() as session:
        row = await runtime.jobs.clusters.register(session, registration)
        await record(session, admin, "add cluster", registration.server, cluster=registration.name)
    await runtime.jobs.clusters.connect(row)
    return Registered(name=row.name, server=row.server, namespace=row.namespace, created=row.created)


@router.delete("/clusters/{name}", status_code=204, response_class=Response)
async def unregister(name: str, runtime: RuntimeDep, admin: CanManageClusters) -> None:
    """Forget a cluster in which no jobs are."""
    async with runtime.database.write() as session:
        await runtime.jobs.clusters.unregister(session, name)
        await record(session, admin, "remove cluster", name, cluster=name)
    await runtime.jobs.clusters.disconnect(name)


@router.get("/capacity", responses={200: struct_response(Capacity)})
async def capacity(runtime: RuntimeDep, caller: CanSee, cluster: str = "") -> Response:
    """GPUs, free and in all; of one cluster, or of all together."""
    clusters = [runtime.jobs.clusters.get(cluster)] if cluster else [*runtime.jobs.clusters]
    capacities = [await _cluster_capacity(each, caller) for each in clusters]
    pools = tuple(pool for each in capacities for pool in each.pools)
    reasons = "; ".join(filter(None, (each.unknown_because for each in capacities)))
    return StructResponse(Capacity(pools, "" if pools else reasons))


@router.get("/nodes", responses={200: struct_response(GpuNodes)})
async def nodes(runtime: RuntimeDep, caller: CanSee, cluster: str = "") -> Response:
    """The machines with GPUs, of one cluster or of all; other people's jobs as figures without names."""
    clusters = [runtime.jobs.clusters.get(cluster)] if cluster else [*runtime.jobs.clusters]
    found = [await _cluster_nodes(each, caller) for each in clusters]
    seen = tuple(as_seen_by(runtime.jobs, caller, node) for each in found for node in each.nodes)
    reasons = "; ".join(filter(None, (each.unknown_because for each in found)))
    unsure = "; ".join(filter(None, (each.unsure_because for each in found)))
    return StructResponse(GpuNodes(seen, "" if seen else reasons, unsure))


@router.get("/choices", responses={200: struct_response(Choices)})
async def choices(runtime: RuntimeDep, caller: CanSee, field: str, cluster: str = "") -> Response:
    """What can stand in a field of a job of the caller's own, in one cluster; "" is the only one."""
    return StructResponse(Choices(tuple(await choices_for(runtime.jobs, caller, field, cluster))))


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
