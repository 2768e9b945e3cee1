"""Tries at other people's jobs, and how quickly a small server answers: `python -m benchmarks server_tries`.

Everybody who is not the owner tries every way to one job that the API has: every route of a job by its name,
by its uid, by its owner, in another spelling; lists, history, watch, access reviews. A wrong answer is one in
which anything of the job stands, or no refusal.
"""

import asyncio
import itertools
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles
from typing import Any
from urllib.parse import urlencode

import httpx

from backend_client.local.backend import LocalBackend
from tests.contract.support.harness import remove_all
from tests.contract.support.server import PASSWORD, RunningServer

CANARY = "canary-7f3a"
"""In the job's command, its labels and its log."""
NAME = "secret-run"
READERS = 8
SECONDS = 10.0

Row = tuple[str, str, str]
Request = tuple[str, str, Any]
"""Method, path, body."""


def rows() -> list[Row]:
    """Return the rows of the table: (what, measured, target)."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        os.environ["XDG_STATE_HOME"] = folder
        server = RunningServer(Path(folder), "--local")
        try:
            return asyncio.run(_measure(server))
        finally:
            server.stop()
            asyncio.run(remove_all(LocalBackend(gpus=2, grace=0.5)))


async def _measure(server: RunningServer) -> list[Row]:
    owner = _enter(server, "ann", "researcher", "vision")
    command = ["sh", "-c", f"echo {CANARY}; sleep 600"]
    body = {"kind": "job", "name": NAME, "command": command, "labels": {"x": CANARY}}
    ref = (await owner.post("/api/jobs", json=body)).raise_for_status().json()["ref"]
    others = [
        ("nobody", httpx.AsyncClient(base_url=server.url)),
        ("another researcher", _enter(server, "bob", "researcher", "vision")),
        ("a viewer of another team", _enter(server, "eve", "viewer", "speech")),
        ("a disabled admin", await _disabled(server)),
    ]
    tried, wrong = 0, []
    for name, other in others:
        for method, path, sent in _tries(ref):
            tried += 1
            if trouble := await _try(other, method, path, sent):
                wrong.append(f"{method} {path} by {name}: {trouble}")
    assert (await owner.get(f"/api/jobs/{NAME}")).json()["state"] == "Running"
    print("\n".join(wrong))
    rate, p99 = await _load(owner)
    return [
        (f"{tried:,} tries of others at one person's job: wrong answers", str(len(wrong)), "0"),
        (f"lists of one's jobs, {READERS} at a time: requests a second", f"{rate:,.0f}", ""),
        (f"lists of one's jobs, {READERS} at a time: p99", f"{p99 * 1000:,.0f} ms", "<= 250 ms"),
    ]


def _enter(server: RunningServer, name: str, role: str, team: str = "") -> httpx.AsyncClient:
    server.admin("POST", "users", {"user": name, "password": PASSWORD, "role": role, "team": team})
    headers = {"Authorization": f"Bearer {server.login(name)}"}
    return httpx.AsyncClient(base_url=server.url, headers=headers, timeout=30)


async def _disabled(server: RunningServer) -> httpx.AsyncClient:
    client = _enter(server, "mallory", "admin")
    server.admin("PATCH", "users/mallory", {"disabled": True})
    return client


def _tries(ref: dict[str, str]) -> Iterator[Request]:
    """Yield all requests that could tell of the job, or change it."""
    choices = {"cluster": ("", ref["context"]), "owner": ("", "ann", "ANN"), "uid": ("", ref["uid"])}
    queries = [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]
    spellings = (NAME.upper(), f"{NAME}%2F", f"..%2F{NAME}", f"{NAME}/", f"%20{NAME}")
    names = (NAME, ref["uid"], *spellings)
    routes = [("GET", ""), ("GET", "/logs"), ("GET", "/events"), ("HEAD", ""), ("HEAD", "/logs")]
    routes += [("POST", "/stop"), ("POST", "/resume"), ("DELETE", "")]
    for (method, part), name, query in itertools.product(routes, names, queries):
        yield method, f"/api/jobs/{name}{part}?{urlencode(query)}", None
    for path, query in itertools.product(("jobs", "history"), queries):
        yield "GET", f"/api/{path}?{urlencode(query | {'name': NAME, 'text': NAME, 'user': 'ann'})}", None
    for verb, uid in itertools.product(("stop", "resume", "delete", "logs"), (ref["uid"],)):
        yield "POST", "/api/access", [{"verb": verb, "ref": ref | {"uid": uid}}]
    yield "POST", "/api/look", {"screen": "s", "uids": [ref["uid"]]}
    yield "GET", "/api/audit", None
    yield "GET", "/api/users/ann", None
    for query in queries:
        yield "WATCH", f"/api/watch?{urlencode(query)}", None


async def _try(client: httpx.AsyncClient, method: str, path: str, body: Any) -> str:
    """Send one; return what is wrong with its answer, "" where nothing is."""
    if method == "WATCH":
        text = await _first_of_watch(client, path)
        return f"{text[:100]!r}" if CANARY in text else ""
    answer = await client.request(method, path, json=body)
    if CANARY in answer.text or (path.startswith("/api/jobs/") and answer.is_success):
        return f"{answer.status_code} {answer.text[:100]!r}"
    if path == "/api/access" and answer.is_success and answer.json()[0].get("allowed"):
        return "it is allowed"
    return ""


async def _first_of_watch(client: httpx.AsyncClient, path: str) -> str:
    """Return a watch as far as its list is whole."""
    text = ""
    async with client.stream("GET", path) as answer:
        async for part in answer.aiter_text():
            text += part
            if "event: synced" in text or not answer.is_success:
                break
    return text


async def _load(client: httpx.AsyncClient) -> tuple[float, float]:
    """Return requests a second, and the p99 of their seconds."""
    times: list[float] = []
    end = time.monotonic() + SECONDS

    async def read() -> None:
        while (began := time.monotonic()) < end:
            (await client.get("/api/jobs")).raise_for_status()
            times.append(time.monotonic() - began)

    await asyncio.gather(*(read() for _ in range(READERS)))
    return len(times) / SECONDS, quantiles(times, n=100, method="inclusive")[98]
