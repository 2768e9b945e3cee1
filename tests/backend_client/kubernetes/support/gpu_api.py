"""An API server in this process with nodes, pods, Jobs and Deployments: lists in pages, watches, refuses."""

import asyncio
import contextlib
import json
from collections import defaultdict, deque
from typing import Any
from urllib.parse import parse_qs, urlsplit

from backend_client.kubernetes.api.connection import Address
from backend_client.kubernetes.api.credentials import Fixed, Login
from backend_client.kubernetes.api.kubeconfig import Target
from tests.backend_client.kubernetes.support.faults import status

Manifest = dict[str, Any]
GPU = "nvidia.com/gpu"


class GpuApi:
    """Serves what was put into it. `refused`: what gets a 403, as (verb, plural)."""

    def __init__(self) -> None:
        self.refused: set[tuple[str, str]] = set()
        self.requests: list[tuple[str, str]] = []
        """(verb, plural) of every request, in order."""
        self.version = 1
        self._objects: defaultdict[str, dict[str, bytes]] = defaultdict(dict)
        self._log: deque[tuple[int, str, bytes]] = deque(maxlen=5000)
        self._watchers: defaultdict[str, set[asyncio.Queue[bytes]]] = defaultdict(set)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    def put(self, plural: str, item: Manifest) -> None:
        """Make or change an object."""
        self.version += 1
        meta = item["metadata"] = item["metadata"] | {"resourceVersion": str(self.version)}
        key = f"{meta.get('namespace', '')}/{meta['name']}"
        kind = "MODIFIED" if key in self._objects[plural] else "ADDED"
        body = self._objects[plural][key] = json.dumps(item).encode()
        self._tell(plural, kind, body)

    def remove(self, plural: str, name: str, namespace: str = "") -> None:
        """Remove an object."""
        self.version += 1
        self._tell(plural, "DELETED", self._objects[plural].pop(f"{namespace}/{name}"))

    def count(self, verb: str, plural: str) -> int:
        """Count the requests of a kind so far."""
        return self.requests.count((verb, plural))

    def _tell(self, plural: str, kind: str, body: bytes) -> None:
        line = b'{"type":"%s","object":%s}\n' % (kind.encode(), body)
        self._log.append((self.version, plural, line))
        for queue in self._watchers[plural]:
            queue.put_nowait(line)

    async def start(self) -> Target:
        """Listen; return how to reach it."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        return Target("gpus", Address("127.0.0.1", port, ""), Fixed(Login()), encrypted=False)

    async def stop(self) -> None:
        """Cut everybody off."""
        if self._server:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
            while True:
                await self._one(reader, writer)
        self._tasks.discard(task)
        writer.transport.abort()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        length = next(
            (line.partition(":")[2] for line in head if line.lower().startswith("content-length")), "0"
        )
        await reader.readexactly(int(length))
        url = urlsplit(head[0].split()[1])
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        plural = url.path.rpartition("/")[2]
        verb = "watch" if "watch" in query else "list"
        self.requests.append((verb, plural))
        if (verb, plural) in self.refused:
            await self._answer(writer, 403, status(403))
        elif verb == "watch":
            await self._watch(writer, plural, int(query["resourceVersion"]))
        else:
            await self._answer(writer, 200, self._page(plural, query, url.path))

    def _page(self, plural: str, query: dict[str, str], path: str) -> bytes:
        _, among, place = path.partition("/namespaces/")
        prefix = f"{place.partition('/')[0]}/" if among else ""
        items = [item for key, item in self._objects[plural].items() if key.startswith(prefix)]
        start = int(query.get("continue") or 0)
        end = start + int(query.get("limit") or len(items) or 1)
        more = str(end) if end < len(items) else ""
        meta = json.dumps({"resourceVersion": str(self.version), "continue": more}).encode()
        return b'{"metadata":%s,"items":[%s]}' % (meta, b",".join(items[start:end]))

    async def _answer(self, writer: asyncio.StreamWriter, code: int, body: bytes) -> None:
        writer.write(f"HTTP/1.1 {code} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()

    async def _watch(self, writer: asyncio.StreamWriter, plural: str, since: int) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        for version, kind, line in self._log:
            if version > since and kind == plural:
                queue.put_nowait(line)
        self._watchers[plural].add(queue)
        try:
            while True:
                line = await queue.get()
                writer.write(b"%x\r\n%s\r\n" % (len(line), line))
                await writer.drain()
        finally:
            self._watchers[plural].discard(queue)


def node(name: str, gpus: int = 8, **spec: Any) -> Manifest:
    """A node that is ready."""
    amounts = {GPU: str(gpus), "cpu": "96", "memory": "1Ti"}
    return {
        "metadata": {"name": name, "uid": f"uid-{name}", "labels": {"nvidia.com/gpu.product": "NVIDIA-H100"}},
        "spec": spec,
        "status": {
            "allocatable": amounts,
            "capacity": amounts,
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def pod(name: str, on: str, gpus: int = 1, *, job: str = "", namespace: str = "mine") -> Manifest:
    """A pod that runs, of a Job where one is named."""
    meta: Manifest = {"name": name, "namespace": namespace, "uid": f"uid-{name}"}
    if job:
        owner = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "name": job,
            "uid": f"uid-{job}",
            "controller": True,
        }
        meta["ownerReferences"] = [owner]
    container = {"name": "main", "image": "a", "resources": {"limits": {GPU: str(gpus)}}}
    return {
        "metadata": meta,
        "spec": {"nodeName": on, "containers": [container]},
        "status": {"phase": "Running", "startTime": "2026-11-30T10:00:00Z"},
    }


def job(name: str, limit: int, namespace: str = "mine") -> Manifest:
    """A Job with a time limit in seconds."""
    return {
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}"},
        "spec": {"activeDeadlineSeconds": limit},
        "status": {"startTime": "2026-11-30T10:00:00Z"},
    }
