"""Routes of the health checks: /livez and /readyz."""

import asyncio
from typing import Any

from fastapi import APIRouter
from sqlalchemy import select

from backend.db.models import Meta
from backend.routes.deps import RuntimeDep
from backend.runtime import Runtime
from backend_client.errors import BackendError, Unreachable

router = APIRouter(tags=["server"])
PROBE = 1.0
"""Seconds that the database may take."""


@router.get("/livez")
async def livez() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(runtime: RuntimeDep) -> dict[str, Any]:
    """The database takes a write within a second. A cluster that is down does not make the server unready."""
    try:
        await asyncio.wait_for(_write(runtime), PROBE)
    except (TimeoutError, BackendError):
        raise Unreachable("The server's database does not take writes.", retry_after=2) from None
    service = runtime.jobs
    return {
        "status": "ok",
        "database": runtime.database.url.get_backend_name(),
        "clusters": {name: str(link.state) for name, link in service.hub.links.items()},
        "unknown_objects": sum(service.orphans.values()),
    }


async def _write(runtime: Runtime) -> None:
    async with runtime.database.write() as session:
        (await session.merge(Meta(key="probe", value=""))).value = runtime.server_id
        await session.execute(select(Meta.key).where(Meta.key == "probe"))
        await session.rollback()
