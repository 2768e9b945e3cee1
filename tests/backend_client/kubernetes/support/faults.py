"""An API server in this process, of pods only, that fails on demand in every way that a real one can fail."""

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import AsyncIterator, Container
from typing import Any
from urllib.parse import parse_qs, urlsplit

from backend_client.kubernetes.api.connection import Address
from backend_client.kubernetes.api.credentials import Credentials, Fixed, Login
from backend_client.kubernetes.api.kubeconfig import Target
from tests.support.faults import reset

_STATUSES = tuple("401 403 404 410 429 500 503 302".split())
BEFORE_ANSWER = (*_STATUSES, "reset", "hang", "close", "not http", "cut head", "html")
_ERRORS = ("error 410", "error 500", "error 429")
_CUTS = ("cut line", "reset later", "end", "half-open", "half event")
IN_WATCH = (*_ERRORS, *_CUTS, "garbage", "odd event", "huge")
"""Met at the next event of a watch. One more, "end at once", is met when a watch is opened; and one, "pass",
by any request, which then goes well."""


class Pods:
    """What is true: pods by name, every change with its version."""

    def __init__(self) -> None:
        self.version = 1
        self.oldest = 1
        self.now: dict[str, dict[str, Any]] = {}
        self.log: list[tuple[int, str, dict[str, Any]]] = []
        self.changed = asyncio.Event()

    def put(self, name: str, uid: str, **more: Any) -> None:
        """Make or change a pod. Another uid: another pod of the same name."""
        before = self.now.get(name)
        if before and before["metadata"]["uid"] != uid:
            self.remove(name)
            before = None
        self.version += 1
        meta = {"name": name, "namespace": "ns", "uid": uid, "resourceVersion": str(self.version)}
        self.now[name] = {"kind": "Pod", "metadata": meta, "status": {"phase": "Running"}, **more}
        self._tell("MODIFIED" if before else "ADDED", self.now[name])

    def remove(self, name: str) -> None:
        self.version += 1
        pod = json.loads(json.dumps(self.now.pop(name)))
        pod["metadata"]["resourceVersion"] = str(self.version)
        self._tell("DELETED", pod)

    def compact(self) -> None:
        """Forget every change so far."""
        self.oldest = self.version + 1
        self.version += 1

    def _tell(self, kind: str, pod: dict[str, Any]) -> None:
        self.log.append((self.version, kind, pod))
        self.changed.set()
        self.changed = asyncio.Event()

    def versions(self) -> dict[str, str]:
        """uid -> version."""
        return {pod["metadata"]["uid"]: pod["metadata"]["resourceVersion"] for pod in self.now.values()}


class FaultyApi:
    """Serves `Pods` by HTTP. `faults` are met one by one, each by the next request or event that it fits."""

    def __init__(self, pods: Pods, *, page: int = 2) -> None:
        self.pods = pods
        self.page = page
        self.faults: deque[str] = deque()
        self.requests: list[tuple[float, str, dict[str, str]]] = []
        """Time, path, query of every request."""
        self.authorizations: list[str] = []
        self.connections = 0
        self.alive = True
        """False: takes connections and requests, answers nothing, as a stopped process does."""
        self.tokens: set[str] = set()
        """Where not empty: what else than these gets a 401."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """As a killed process: nothing listens, all connections are cut."""
        assert self._server
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._server = None

    def target(self, credentials: Credentials | None = None) -> Target:
        return Target(
            "scripted",
            Address("127.0.0.1", self.port, ""),
            credentials or Fixed(Login()),
            encrypted=False,
        )

    def paths(self) -> list[str]:
        return [path + ("?watch" if "watch" in query else "") for _, path, query in self.requests]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        self.connections += 1
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
            while await self._one(reader, writer):
                pass
        self._tasks.discard(task)
        writer.transport.abort()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])}
        await reader.readexactly(int(headers.get("content-length", 0)))
        url = urlsplit(head[0].split()[1])
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        self.requests.append((asyncio.get_running_loop().time(), url.path, query))
        self.authorizations.append(headers.get("authorization", ""))
        if not self.alive:
            await asyncio.Event().wait()
        if self.tokens and headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return await self._status(writer, 401)
        if url.path == "/version":
            return await self._answer(writer, 200, b'{"major":"1"}')
        if not self._fault(["pass"]) and (fault := self._fault(BEFORE_ANSWER)):
            return await self._refuse(writer, fault)
        if "watch" in query:
            return await self._watch(writer, query)
        return await self._list(writer, query)

    def _fault(self, now: Container[str]) -> str:
        return self.faults.popleft() if self.faults and self.faults[0] in now else ""

    async def _refuse(self, writer: asyncio.StreamWriter, fault: str) -> bool:
        if fault.isdigit():
            return await self._status(writer, int(fault))
        if fault == "hang":
            await asyncio.Event().wait()
        if fault == "html":
            return await self._answer(writer, 502, b"<html>\x1b[31mbad gateway")
        if fault == "reset":
            reset(writer)
        writer.write({"not http": b"SSH-2.0-OpenSSH\r\n\r\n", "cut head": b"HTTP/1.1 200 O"}.get(fault, b""))
        await writer.drain()
        return False

    async def _status(self, writer: asyncio.StreamWriter, code: int) -> bool:
        more = {429: "Retry-After: 7\r\n", 302: "Location: https://login.example.org/\r\n"}.get(code, "")
        return await self._answer(writer, code, status(code), more)

    async def _answer(self, writer: asyncio.StreamWriter, code: int, body: bytes, more: str = "") -> bool:
        writer.write(f"HTTP/1.1 {code} X\r\n{more}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        return True

    async def _list(self, writer: asyncio.StreamWriter, query: dict[str, str]) -> bool:
        """Pages of `self.page`, all of them of one version, as a real one's."""
        version, _, after = query.get("continue", f"{self.pods.version}:").partition(":")
        if int(version) < self.pods.oldest:
            return await self._status(writer, 410)
        then = self._as_of(int(version))
        page = self.page if "limit" in query else None
        names = [name for name in sorted(then) if name > after][:page]
        more = f"{version}:{names[-1]}" if names and names[-1] != max(then) else ""
        body = {
            "metadata": {"resourceVersion": version, "continue": more},
            "items": [then[name] for name in names],
        }
        return await self._answer(writer, 200, json.dumps(body).encode())

    def _as_of(self, version: int) -> dict[str, dict[str, Any]]:
        pods: dict[str, dict[str, Any]] = {}
        for number, kind, pod in self.pods.log:
            if number <= version:
                name = pod["metadata"]["name"]
                pods.pop(name, None)
                if kind != "DELETED":
                    pods[name] = pod
        return pods

    async def _watch(self, writer: asyncio.StreamWriter, query: dict[str, str]) -> bool:
        since = int(query["resourceVersion"])
        if since < self.pods.oldest - 1:
            return await self._status(writer, 410)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        if self._fault(["end at once"]):
            writer.write(b"0\r\n\r\n")
            return True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(int(query["timeoutSeconds"])):
                async for line in self._lines(since):
                    if b'"BOOKMARK"' not in line and (fault := self._fault(IN_WATCH)):
                        return await self._break(writer, fault, line)
                    chunk(writer, line)
                    await writer.drain()
        chunk(writer, b"")
        return True

    async def _lines(self, since: int) -> AsyncIterator[bytes]:
        while True:
            changed = self.pods.changed
            for version, kind, pod in self.pods.log:
                if version > since:
                    since = version
                    yield json.dumps({"type": kind, "object": pod}).encode() + b"\n"
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), 60)
                continue
            since = self.pods.version
            mark = {"kind": "Pod", "metadata": {"resourceVersion": str(since)}, "spec": {"containers": None}}
            yield json.dumps({"type": "BOOKMARK", "object": mark}).encode() + b"\n"

    async def _break(self, writer: asyncio.StreamWriter, fault: str, line: bytes) -> bool:
        """Tell the event, or a part of it, or something else in its place, and fail."""
        if fault.startswith("error "):
            error = {"type": "ERROR", "object": json.loads(status(int(fault.split()[1])))}
            chunk(writer, line + json.dumps(error).encode() + b"\n")
            return True
        match fault:
            case "cut line":
                chunk(writer, line[:20])
            case "half event":
                chunk(writer, line + line[:20])
                chunk(writer, b"")
            case "garbage":
                chunk(writer, b'{"type":"ADDED","object":{"metadata":{"name":7}}}\n')
            case "odd event":
                chunk(writer, b'{"type":"PERHAPS","object":{}}\n')
            case "huge":
                chunk(writer, b"x" * 4096)
            case "end":
                chunk(writer, b"")
            case "half-open":
                await asyncio.Event().wait()
        await writer.drain()
        if fault == "reset later":
            reset(writer)
        return False


def status(code: int) -> bytes:
    """A metav1.Status."""
    more = {"details": {"retryAfterSeconds": 5}} if code == 429 else {}
    return json.dumps({"kind": "Status", "code": code, "message": f"scripted {code}", **more}).encode()


def chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
