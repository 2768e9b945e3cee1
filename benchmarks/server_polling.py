"""The server that `benchmarks.server` measures beside ours: it lists the cluster anew for every GET /jobs.

    python -m benchmarks.server_polling KUBECONFIG CONTEXT PORT

It is as quick as such a server can be in Python: one list of the pods, of which it decodes little and tells
little, and neither accounts nor a database.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import msgspec
import uvicorn

from backend_client.kubernetes.kinds import PODS
from backend_client.kubernetes.transport import Transport
from benchmarks.cluster_fill import connected


class _Ended(msgspec.Struct):
    exit_code: int = msgspec.field(name="exitCode", default=0)


class _State(msgspec.Struct):
    terminated: _Ended | None = None


class _Container(msgspec.Struct):
    state: _State


class _Status(msgspec.Struct):
    phase: str = ""
    containers: list[_Container] = msgspec.field(name="containerStatuses", default_factory=list)


class _Metadata(msgspec.Struct):
    name: str


class _Pod(msgspec.Struct):
    metadata: _Metadata
    status: _Status


class _Pods(msgspec.Struct):
    items: list[_Pod]


_PODS = msgspec.json.Decoder(_Pods)


def told(pod: _Pod) -> dict[str, object]:
    """What a client is shown of a job."""
    ended = next((one.state.terminated for one in pod.status.containers if one.state.terminated), None)
    code = ended.exit_code if ended else None
    return {"name": pod.metadata.name, "state": pod.status.phase, "exit_code": code}


class Polled:
    """Its whole ASGI app."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
        answer = await self._transport.request("GET", PODS.path(), timeout=120)
        body = msgspec.json.encode([told(pod) for pod in _PODS.decode(answer.body).items])
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def serve(kubeconfig: Path, context: str, port: int) -> None:
    """Until the process is ended."""
    async with connected(kubeconfig, context) as transport:
        config = uvicorn.Config(
            Polled(transport), port=port, lifespan="off", access_log=False, log_level="error", backlog=1024
        )
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
