"""A server with 200 open streams stops, and comes back: how long it takes, and what its clients know then."""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from backend_client.logs.follow import follow
from backend_client.models import Job, JobSpec
from backend_client.models.secret import Secret
from backend_client.protocol import FreshnessState, Gap, JobQuery, LogItem, LogQuery, Scope
from backend_client.server.backend import ServerBackend
from tests.backend_client.server.support.told import Reader
from tests.contract.support.harness import remove_all, text
from tests.contract.support.server import RunningServer

STREAMS = 200
FOLLOWING = 50
"""So many of them are logs: the kernel lets one user have some 100 inotify instances."""
WRITTEN = 40
SCRIPT = f"for i in $(seq {WRITTEN}); do echo $i; sleep 0.5; done"
TOLD = b"".join(b"%d\n" % line for line in range(1, WRITTEN + 1))

Row = tuple[str, str, str]


class Client:
    """One client: its watch, and the log that it follows, if any."""

    def __init__(self, server: RunningServer, token: str, job: Job | None) -> None:
        self.reader = Reader()
        self.items: list[LogItem] = []
        self.backend = ServerBackend("bench", server.url, lambda: Secret(token))
        self.watching = asyncio.create_task(self._watch())
        self.following = asyncio.create_task(self._follow(job)) if job else None

    async def _watch(self) -> None:
        async with contextlib.aclosing(self.backend.watch([Scope()])) as batches:  # type: ignore[type-var]
            async for batch in batches:
                self.reader.read(batch)

    async def _follow(self, job: Job) -> None:
        async for batch in follow(self.backend, LogQuery(ref=job.ref, follow=True)):
            self.items.extend(batch)

    @property
    def open(self) -> bool:
        """True once its streams have told something."""
        return bool(self.reader.synced and (text(self.items) or not self.following))

    @property
    def live(self) -> bool:
        return self.reader.states[-1:] == [FreshnessState.LIVE]

    @property
    def whole(self) -> bool:
        """True where its log, if it follows one, came as it was written."""
        gaps = any(isinstance(item, Gap) for item in self.items)
        return not self.following or (text(self.items) == TOLD and not gaps)

    async def aclose(self) -> None:
        self.watching.cancel()
        await asyncio.gather(self.watching, return_exceptions=True)
        await self.backend.aclose()


def rows() -> list[Row]:
    """Return the rows of the table: (what, measured, target)."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        server = RunningServer(Path(folder), "--local")
        try:
            return asyncio.run(_measured(server))
        finally:
            server.kill()


async def _measured(server: RunningServer) -> list[Row]:
    token = server.person()
    near = ServerBackend("bench", server.url, lambda: Secret(token))
    job = await near.create(JobSpec(name="writer", command=("sh", "-c", SCRIPT)), key="1", secrets={})
    clients = [Client(server, token, job if at < FOLLOWING else None) for at in range(STREAMS - FOLLOWING)]
    await _until(lambda: all(one.open for one in clients))
    took = await _restarted(server, clients)
    there = {one.ref.uid: one for one in (await near.list(JobQuery())).items}
    with contextlib.suppress(TimeoutError):
        await _until(lambda: all(one.reader.jobs == there for one in clients))
    other = sum(one.reader.jobs != there for one in clients)
    wrong = sum(not one.whole for one in clients)
    for one in clients:
        await one.aclose()
    await remove_all(near)
    await near.aclose()
    return [
        (f"{STREAMS} open streams at a graceful stop: until the process is gone", f"{took:.1f} s", "<= 3 s"),
        ("after reconnecting: clients whose list is not the server's", str(other), "0"),
        (f"after reconnecting: logs, of {FOLLOWING}, with a line lost or repeated", str(wrong), "0"),
    ]


async def _restarted(server: RunningServer, clients: list[Client]) -> float:
    """Return the seconds that a stop took, once all are connected again and the log has ended."""
    began = time.monotonic()
    await asyncio.to_thread(server.stop)
    took = time.monotonic() - began
    assert server.process.returncode == 0
    await _until(lambda: not any(one.live for one in clients))
    await asyncio.to_thread(server.start, f"127.0.0.1:{server.port}")
    await asyncio.wait_for(asyncio.gather(*(one.following for one in clients if one.following)), 120)
    await _until(lambda: all(one.live for one in clients))
    return took


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110  other processes make it so
            await asyncio.sleep(0.05)
