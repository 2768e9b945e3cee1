"""Routes of the health checks: /livez and /readyz."""

from typing import Any

from fastapi import APIRouter

from backend.routes.deps import RuntimeDep

router = APIRouter(tags=["server"])


@router.get("/livez")
async def livez() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(runtime: RuntimeDep) -> dict[str, Any]:
    """The database takes a write within a second, tried at most once a second.

    A cluster that is down does not make the server unready.
    """
    await runtime.write_probe.check()
    service = runtime.jobs
    return {
        "status": "ok",
        "database": runtime.database.url.get_backend_name(),
        "clusters": {name: str(link.state) for name, link in service.hub.links.items()},
        "unknown_objects": sum(service.orphans.values()),
    }
