"""Routes of the server itself, public."""

from importlib.metadata import version
from typing import Any

from fastapi import APIRouter

from backend.routes.deps import RuntimeDep

router = APIRouter(prefix="/api", tags=["server"])


@router.get("/server")
async def about(runtime: RuntimeDep) -> dict[str, Any]:
    """Its name and version, and how people come in; `setup`: it waits for its first admin."""
    return {
        "name": "traindeck",
        "version": version("traindeck"),
        "registration": runtime.settings.registration,
        "setup": not await runtime.first_admin.exists(),
    }
