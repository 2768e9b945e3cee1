"""What anybody may know of the server."""

from importlib.metadata import version
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from backend.auth.first_admin import is_set_up
from backend.runtime import Runtime, get_runtime

router = APIRouter(prefix="/api", tags=["server"])
Here = Annotated[Runtime, Depends(get_runtime)]


@router.get("/server")
async def about(runtime: Here) -> dict[str, Any]:
    """Its name and version, and how people come in; `setup`: it waits for its first admin."""
    return {
        "name": "traindeck",
        "version": version("traindeck"),
        "registration": runtime.settings.registration,
        "setup": not await is_set_up(runtime),
    }
