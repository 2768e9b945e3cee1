"""Clients of a server that die. A step is anything that the HTTP library tells its tracer of: a connection
made, a head or a body sent, an answer that begins or has come.
"""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import httpx

from backend_client.models import JobSpec
from backend_client.models.secret import Secret
from backend_client.server.backend import ServerBackend
from tests.contract.support.dying import serve


def client(spec: JobSpec, key: str, step: Callable[[], None]) -> None:
    url, token = Path(sys.argv[1]).read_text().split()
    build = httpx.AsyncClient.build_request

    async def trace(event: str, _: object) -> None:
        step()

    def traced(*args, **more):
        return build(*args, **more, extensions={"trace": trace})

    httpx.AsyncClient.build_request = traced
    backend = ServerBackend("contract", url, lambda: Secret(token))
    asyncio.run(backend.create(spec, key=key, secrets={}))


if __name__ == "__main__":
    serve(client)
