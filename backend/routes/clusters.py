"""Where jobs run: the clusters, what is free there; for admins, which there are."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from backend.audit import record
from backend.auth.caller import Caller
from backend.authorization import Action, allowed
from backend.clusters.cluster import Cluster
from backend.clusters.registration import ClusterRegistration, decode_registration
from backend.jobs.choices import choices_for
from backend.openapi import struct_body, struct_response
from backend.runtime import Runtime, get_runtime
from backend_client.errors import BackendError
from backend_client.protocol import Capacity, Scope
from backend_client.server.bodies import Choices, Clusters
from backend_client.server.wire import encode

router = APIRouter(prefix="/api", tags=["clusters"])
Here = Annotated[Runtime, Depends(get_runtime)]
See = Annotated[Caller, Depends(allowed(Action.SEE))]
Admin = Annotated[Caller, Depends(allowed(Action.CLUSTERS))]
JSON = "application/json"


class Registered(BaseModel):
    """A cluster that was registered; its credentials are told to nobody."""

    name: str
    server: str
    namespace: str
    created: datetime


@router.get("/clusters", responses={200: struct_response(Clusters)})
async def clusters(runtime: Here, _who: See) -> Response:
    """All clusters: how they are, what each makes of fields and features."""
    service = runtime.jobs
    told = Clusters(tuple(cluster.info(service.hub.links[cluster.name]) for cluster in service.clusters))
    return Response(encode(told), media_type=JSON)


@router.post("/clusters", status_code=201, openapi_extra=struct_body(ClusterRegistration))
async def register(request: Request, runtime: Here, admin: Admin) -> Registered:
    """Register a cluster: name, https server, ca, and token or certificate and key. It must answer.

    Of one that is registered already, a new login.
    """
    wanted = decode_registration(await request.body())
    await runtime.jobs.clusters.probe(wanted)
    async with runtime.database.write() as session:
        row = await runtime.jobs.clusters.register(session, wanted)
        await record(session, admin, "add cluster", wanted.server, cluster=wanted.name)
    await runtime.jobs.clusters.connect(row)
    return Registered(name=row.name, server=row.server, namespace=row.namespace, created=row.created)


@router.delete("/clusters/{name}", status_code=204, response_class=Response)
async def unregister(name: str, runtime: Here, admin: Admin) -> None:
    """Forget a cluster in which no jobs are."""
    async with runtime.database.write() as session:
        await runtime.jobs.clusters.unregister(session, name)
        await record(session, admin, "remove cluster", name, cluster=name)
    await runtime.jobs.clusters.disconnect(name)


@router.get("/capacity", responses={200: struct_response(Capacity)})
async def capacity(runtime: Here, _who: See, cluster: str = "") -> Response:
    """GPUs, free and in all; of one cluster, or of all together."""
    wanted = [runtime.jobs.clusters.get(cluster)] if cluster else [*runtime.jobs.clusters]
    found = [await _cluster_capacity(one) for one in wanted]
    pools = tuple(pool for one in found for pool in one.pools)
    hidden = "; ".join(filter(None, (one.unknown_because for one in found)))
    return Response(encode(Capacity(pools, "" if pools else hidden)), media_type=JSON)


@router.get("/choices", responses={200: struct_response(Choices)})
async def choices(runtime: Here, caller: See, field: str, cluster: str = "") -> Response:
    """What can stand in a field of a job of the caller's own, in one cluster; "" is the only one."""
    return Response(
        encode(Choices(tuple(await choices_for(runtime.jobs, caller, field, cluster)))), media_type=JSON
    )


async def _cluster_capacity(cluster: Cluster) -> Capacity:
    try:
        async with cluster.breaker.call():
            return await cluster.backend.capacity(Scope())
    except BackendError as error:
        return Capacity(unknown_because=error.title)
