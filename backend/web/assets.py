"""The files that pages load: script, style, icon. Their address has a hash, so that browsers keep them."""

import gzip
import hashlib
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request, Response
from msgspec import Struct

from backend_client.errors import NotFound

FOLDER = Path(__file__).parent / "static"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FOR_EVER = "public, max-age=31536000, immutable"
router = APIRouter(include_in_schema=False)


class Asset(Struct, frozen=True):
    """One file as it is sent."""

    path: str
    """Below the root of the server: /static/HASH/NAME."""
    content: bytes
    compressed: bytes
    media_type: str


@cache
def assets() -> dict[str, Asset]:
    """Read all files: name -> asset.

    One hash for all of them: a script imports its neighbours by a relative path, and gets those of its time.
    """
    contents = {path.name: path.read_bytes() for path in sorted(FOLDER.iterdir()) if path.suffix in _TYPES}
    release = hashlib.sha256(b"\0".join(contents.values())).hexdigest()[:12]
    return {
        name: Asset(
            f"/static/{release}/{name}",
            content,
            gzip.compress(content, 9, mtime=0),
            _TYPES[Path(name).suffix],
        )
        for name, content in contents.items()
    }


@router.get("/static/{release}/{name}")
async def static(release: str, name: str, request: Request) -> Response:
    """Send one file; under an older hash there is none any more."""
    asset = assets().get(name)
    if asset is None or asset.path != f"/static/{release}/{name}":
        raise NotFound("There is no such file.")
    headers = {"Cache-Control": _FOR_EVER, "Vary": "Accept-Encoding"}
    content = asset.content
    if "gzip" in request.headers.get("accept-encoding", ""):
        content, headers["Content-Encoding"] = asset.compressed, "gzip"
    return Response(content, headers=headers, media_type=asset.media_type)
