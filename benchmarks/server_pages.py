"""Hundreds of browsers on the pages of one server: 500 on the list, 50 on logs, beside a control plane.

The browsers are connections that ask for what a browser asks for, and read it all; they draw nothing. Every
one sees all jobs. What a real browser makes of a page over a slow link is in `page_weight`.
"""

import asyncio
import gc
import json
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from benchmarks import usage
from benchmarks.cluster_fill import connected
from benchmarks.server import Row, change, cut, ended, ms
from benchmarks.server_clients import Seen, Watcher, get, watchers
from benchmarks.server_lab import ROOT, Lab, lab
from tests.backend_client.kubernetes.support import controlplane

JOBS, BROWSERS = 1_000, 500
LOGS, LOG_READERS = 10, 50
LINES = 10.0
"""Lines a second of each log."""
SECONDS = 40.0
_CODE = re.compile(rb"exit (?:code )?(\d{4,})")
_WRITES = (
    f"import time\nwhile True: print('now', int(time.time() * 1000), flush=True); time.sleep({1 / LINES})"
)
_NOW = re.compile(rb"now (\d{13})")


class LogReader(Watcher):
    """The stream of a log. `ages`: seconds from the writing of each line to its arrival."""

    def __init__(self, seen: Seen) -> None:
        super().__init__(seen)
        self.ages: list[float] = []
        self._since = time.time()

    def data_received(self, data: bytes) -> None:
        if not self.synced.done():
            self.synced.set_result(None)
        now, written = time.time(), [int(found) / 1000 for found in _NOW.findall(data)]
        self.ages += [now - when for when in written if when > self._since]  # not what was there before


def rows() -> list[Row]:
    """Return the rows of the table: (what, measured, target)."""
    if controlplane.binaries() is None:
        return [("pages", f"left out: {controlplane.HOW}", "")]
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        lab(Path(folder), BROWSERS, JOBS, LOCAL="1") as made,
    ):
        return [*asyncio.run(_measure(made))]


async def _measure(made: Lab) -> Iterator[Row]:
    admins, server = made.admins, made.server
    async with _client(made) as client:
        first = await client.get("/jobs")
        after = re.search(r'data-after="([^"]+)"', first.raise_for_status().text)[1]  # type: ignore[index]
        jobs = [await _writing(client, number) for number in range(LOGS)]
    seen = Seen(_CODE, b"event: ")
    streams = await watchers(server.port, admins, seen, f"/live/jobs?after={after}")
    readers = await _log_readers(made, jobs)
    gc.freeze()  # a pause of the browsers' process is none of the server's
    gc.disable()
    used, began = usage.cpu(server.process.pid), time.monotonic()
    async with connected(made.plane.kubeconfig) as transport:
        changing = asyncio.create_task(change(made, transport, seen))
        pages = await _open_pages(made)
        cpu = (usage.cpu(server.process.pid) - used) / (time.monotonic() - began)
        await ended(changing)
    assert not any(stream.lost for stream in (*streams, *readers))
    gc.enable()
    memory = usage.peak(server.process.pid)
    async with _client(made) as client:
        for job in jobs:  # else they would go on when the server has ended
            await client.delete(f"/api/jobs/{job['name']}", params={"uid": job["uid"]})
    for stream in (*streams, *readers):
        stream.transport.close()
    return _told(pages, seen.times, [age for reader in readers for age in reader.ages], cpu, memory)


def _client(made: Lab) -> httpx.AsyncClient:
    """Return a client of the first admin."""
    login = {"Authorization": f"Bearer {made.admins[0]}"}
    return httpx.AsyncClient(base_url=made.server.url, headers=login, timeout=60)


async def _writing(client: httpx.AsyncClient, number: int) -> dict[str, Any]:
    """Start a job of the server's own machine that writes."""
    body = {"kind": "job", "name": f"log-{number}", "cluster": "local", "command": ["python3", "-c", _WRITES]}
    answer = await client.post("/api/jobs", json=body, timeout=60)
    job: dict[str, Any] = json.loads(answer.raise_for_status().text)["ref"]
    return job


async def _log_readers(made: Lab, jobs: list[dict[str, Any]]) -> list[LogReader]:
    loop, readers = asyncio.get_running_loop(), []
    for number in range(LOG_READERS):
        ref = jobs[number % len(jobs)]
        reader = LogReader(Seen())
        await loop.create_connection(lambda made=reader: made, "127.0.0.1", made.server.port)  # type: ignore[misc]
        path = f"/live/jobs/{ref['name']}/log?cluster={ref['context']}&uid={ref['uid']}"
        reader.transport.write(get(path, made.admins[number]))
        readers.append(reader)
    await asyncio.gather(*(reader.synced for reader in readers))
    return readers


async def _open_pages(made: Lab) -> list[float]:
    """Open the list as one person after the other; return the seconds of each."""
    argv = (sys.executable, "-m", "benchmarks.server_pages_child", str(made.server.port), str(SECONDS))
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(*argv, cwd=ROOT, stdin=pipe, stdout=pipe)
    told, _ = await child.communicate("\n".join(made.admins).encode())
    times: list[float] = json.loads(told)
    return times


def _told(
    pages: list[float], changes: list[float], ages: list[float], cpu: float, memory: float
) -> Iterator[Row]:
    load = f"{JOBS:,} jobs, {BROWSERS} browsers on the list, {LOG_READERS} on logs"
    times, news, lines = cut(pages), cut(changes), cut(ages)
    yield f"{load}: first page", f"p50 {ms(times[49])}, p99 {ms(times[98])}", "p99 <= 300 ms"
    yield f"{load}: change to page", f"p50 {ms(news[49])}, p95 {ms(news[94])}", "p95 <= 500 ms"
    yield f"{load}: line to page", f"p50 {ms(lines[49])}, p95 {ms(lines[94])}", ""
    yield f"{load}: CPU of the server", f"{cpu:.0%}", ""
    yield f"{load}: memory", f"{memory:.0f} MB", "<= 350 MB"
