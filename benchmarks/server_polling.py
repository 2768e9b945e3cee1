"""The server that `benchmarks.server` measures beside ours: it lists the cluster anew for every GET /jobs.

    KUBECONFIG=… python -m benchmarks.server_polling CONTEXT PORT

It answers with the same list, has neither accounts nor a database, and asks for a few lists at a time only:
more of them at once would take each other's time.
"""

import asyncio
import contextlib
import sys
from typing import Any

import uvicorn

from backend_client.errors import Unreachable
from backend_client.kubernetes.backend import KubernetesBackend
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.protocol import JobQuery
from backend_client.server.wire import encode

AT_ONCE = 4
QUERY = JobQuery(limit=1_000)


class Polled:
    """Its whole ASGI app."""

    def __init__(self, backend: KubernetesBackend) -> None:
        self._backend = backend
        self._few = asyncio.Semaphore(AT_ONCE)

    async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
        async with self._few:
            body = await self._listed()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _listed(self) -> bytes:
        """List the jobs, again where the API server is too busy to answer."""
        while True:
            with contextlib.suppress(Unreachable):
                return encode(await self._backend.list(QUERY))


async def serve(context: str, port: int) -> None:
    """Serve until the process is ended."""
    app = Polled(KubernetesBackend(context, KubernetesSettings()))
    config = uvicorn.Config(app, port=port, lifespan="off", access_log=False, log_level="error", backlog=1024)
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
