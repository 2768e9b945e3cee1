"""Routes of the clusters: list, capacity, choices; for admins, register and unregister."""

from datetime import datetime

import msgspec
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from backend.clusters.registration import ClusterRegistration
from backend.jobs import cluster_reading
from backend.jobs.choices import choices_for
from backend.jobs.cluster_changes import add_cluster, remove_cluster
from backend.openapi import struct_body, struct_response
from backend.routes.bodies import StructResponse, decode_body
from backend.routes.deps import CanManageClusters, CanSee, RuntimeDep
from backend_client.gpu_nodes import GpuNodes
from backend_client.protocol import Capacity
from backend_client.server.bodies import Choices
from backend_client.server.measured_clusters import MeasuredClusters

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
    return StructResponse(await cluster_reading.measured_clusters(runtime.jobs, usage=usage))


@router.post("/clusters", status_code=201, openapi_extra=struct_body(ClusterRegistration))
async def register(request: Request, runtime: RuntimeDep, admin: CanManageClusters) -> Registered:
    """Register a cluster: name, https server, ca, and token or certificate and key. It must answer.

    Of one that is registered already, a new login.
    """
    registration = await decode_body(
        request, _REGISTRATION, "name, server, ca, and token or certificate and key"
    )
    row = await add_cluster(runtime.jobs, admin, registration)
    return Registered(name=row.name, server=row.server, namespace=row.namespace, created=row.created)


@router.delete("/clusters/{name}", status_code=204, response_class=Response)
async def unregister(name: str, runtime: RuntimeDep, admin: CanManageClusters) -> None:
    """Forget a cluster in which no jobs are."""
    await remove_cluster(runtime.jobs, admin, name)


@router.get("/capacity", responses={200: struct_response(Capacity)})
async def capacity(runtime: RuntimeDep, caller: CanSee, cluster: str = "") -> Response:
    """GPUs, free and in all; of one cluster, or of all together."""
    return StructResponse(await cluster_reading.capacity(runtime.jobs, caller, cluster))


@router.get("/nodes", responses={200: struct_response(GpuNodes)})
async def nodes(runtime: RuntimeDep, caller: CanSee, cluster: str = "") -> Response:
    """The machines with GPUs, of one cluster or of all; other people's jobs as figures without names."""
    return StructResponse(await cluster_reading.nodes(runtime.jobs, caller, cluster))


@router.get("/choices", responses={200: struct_response(Choices)})
async def choices(runtime: RuntimeDep, caller: CanSee, field: str, cluster: str = "") -> Response:
    """What can stand in a field of a job of the caller's own, in one cluster; "" is the only one."""
    return StructResponse(Choices(tuple(await choices_for(runtime.jobs, caller, field, cluster))))
