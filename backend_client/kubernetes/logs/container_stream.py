"""The API server as a source of logs: a run is requested again until it has ended and all of it is read.

The end of an answer is no end of the log: servers restart, load balancers cut quiet connections, a rotation
on the node confuses a follow. So the pod decides, and the next request goes on from the position reached
(docs/FACTS.md, "Logs").
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from functools import partial
from weakref import WeakKeyDictionary

from backend_client.backoff import Backoff
from backend_client.errors import NotFound, Refused, Unreachable, fragment
from backend_client.kubernetes.api.errors import ServerFailed
from backend_client.kubernetes.api.transport import REQUEST_SECONDS, Stream, Transport
from backend_client.kubernetes.logs.container_log import Put
from backend_client.kubernetes.logs.container_runs import ContainerRun
from backend_client.kubernetes.logs.job_tracker import JobTracker
from backend_client.kubernetes.logs.kubelet_lines import first_time
from backend_client.kubernetes.logs.line_resumer import LineResumer
from backend_client.kubernetes.logs.rotation_watch import RotationWatch
from backend_client.kubernetes.resources.resource_types import PODS
from backend_client.protocol import Gap, LogItem

MOST_STREAMS = 50
"""Logs of one cluster that are read at a time, as in stern (`--max-log-requests`); the next one waits."""
QUIET_SECONDS = 300.0
"""A log that is silent for so long is requested again: a dead connection is silent too."""
SETTLE_SECONDS = 2.0
"""How long it may take until the pod's status says what its node knows already."""
UNFINISHED_SECONDS = 0.25
"""How long the bytes of an unfinished line wait for its newline: a bar is handed on as it grows."""
_PATIENCE = 3
_limits: WeakKeyDictionary[Transport, asyncio.Semaphore] = WeakKeyDictionary()


class _PositionNotFound(Exception):
    """The log does not contain the position: it was rotated, or it is the log of the next run already."""


class ContainerLogReader:
    """The ContainerLog of one rank that reads from the API server.

    While the log is followed, a node that does not answer is asked again for ever. A connection that breaks
    in any other way raises Unreachable.
    """

    def __init__(self, transport: Transport, tracker: JobTracker, put: Put, *, follow: bool) -> None:
        self._transport = transport
        self._tracker = tracker
        self._put = put
        self._follow = follow
        self._complete = False
        """The last answer ended as it should."""

    async def read_last(self, run: ContainerRun, resumer: LineResumer, count: int) -> None:
        """Read the last `count` lines as they are now; 0 puts none, but moves the position behind them."""
        items: list[LogItem] = []

        async def collect(batch: Sequence[LogItem]) -> None:
            items.extend(batch)

        reader = ContainerLogReader(self._transport, self._tracker, collect, follow=False)
        await reader.read(run, resumer, count=max(1, count))
        if count:
            await self._put(items)

    async def read(self, run: ContainerRun, resumer: LineResumer, *, count: int | None = None) -> None:
        """Read all that comes behind the resumer's position. What cannot be read is put as a gap.

        `count`: read only so many of the last lines.
        """
        backoff, failures, confirmed = Backoff(), 0, not self._follow
        while current := self._tracker.find_run(run):
            position = resumer.position
            try:
                await self._read_answer(current, resumer, count, confirmed=confirmed)
            except _PositionNotFound:
                resumer.position, confirmed = position, True
                await self._settle(current)
                continue
            except ServerFailed as error:
                failures += 1
                if not self._follow and failures == _PATIENCE:
                    return await self._put([Gap(resumer.source, fragment(error.title))])
                await asyncio.sleep((error.retry_after or 0.0) + backoff.next())
                continue
            except (NotFound, Refused) as error:
                return await self._put_missing(resumer, fragment(error.title))
            confirmed = not self._follow
            if current.ended or not self._follow:
                return None
            await self._tracker.wait_for_change(1.0)
        return await self._put_missing(resumer, "the pod is gone")

    async def _settle(self, run: ContainerRun) -> None:
        """Wait until the pod's status shows that another run has begun, if one has."""
        clock = asyncio.get_running_loop().time
        until = clock() + SETTLE_SECONDS
        while self._tracker.find_run(run) == run and (left := until - clock()) > 0:
            await self._tracker.wait_for_change(left)

    async def _put_missing(self, resumer: LineResumer, why: str) -> None:
        if not self._complete:
            await self._put([Gap(resumer.source, why)])

    async def _read_answer(
        self, run: ContainerRun, resumer: LineResumer, count: int | None, *, confirmed: bool
    ) -> None:
        """Send one request and read its answer to the end.

        Raises _PositionNotFound where the answer does not contain the position, unless it is `confirmed` that
        this is the log of the run. Of an empty log not even the head comes before its first line does.
        """
        follow, self._complete = self._follow and not run.ended, False
        path, query = PODS.path(run.namespace, run.pod, "log"), _log_query(run, resumer, count, follow)
        head_timeout = 2 * QUIET_SECONDS if follow else REQUEST_SECONDS
        clock = asyncio.get_running_loop().time
        resumer.begin()
        files = RotationWatch(partial(self._look_at_newest_file, run, resumer))
        try:
            async with (
                self._limit(),
                asyncio.timeout(QUIET_SECONDS) as silence,
                self._transport.stream(path, query=query, timeout=head_timeout) as stream,
                files,
            ):
                async for data in _read_pieces(stream, resumer):
                    silence.reschedule(None)  # a reader that is slow to take the lines is no silence
                    files.began()
                    await self._put_new(run, resumer, data, confirmed=confirmed)
                    if follow and resumer.position:
                        files.done(resumer.position.latest)
                    silence.reschedule(clock() + QUIET_SECONDS)
                    self._complete = data == b""
        except TimeoutError:
            if not follow:
                raise Unreachable(f"A log came to a stop for {QUIET_SECONDS:g} s.") from None

    async def _look_at_newest_file(self, run: ContainerRun, resumer: LineResumer) -> None:
        """Tell the resumer with which line the newest file of the log begins."""
        path = PODS.path(run.namespace, run.pod, "log")
        query = {"container": run.container, "timestamps": "true", "limitBytes": "64"}
        resumer.skipped.saw(first_time((await self._transport.request("GET", path, query=query)).body))

    async def _put_new(
        self, run: ContainerRun, resumer: LineResumer, data: bytes | None, *, confirmed: bool
    ) -> None:
        """Put what is new in these bytes; b"" is the end of the answer, None a pause in it."""
        searching = resumer.is_searching
        items = resumer.flush() if data is None else resumer.take(data)
        if searching and not (confirmed or run.previous) and any(isinstance(item, Gap) for item in items):
            raise _PositionNotFound
        if items:
            await self._put(items)

    def _limit(self) -> asyncio.Semaphore:
        return _limits.setdefault(self._transport, asyncio.Semaphore(MOST_STREAMS))


async def _read_pieces(stream: Stream, resumer: LineResumer) -> AsyncGenerator[bytes | None, None]:
    """Yield what comes, b"" at the end; None where an unfinished line has been held back long enough."""
    clock = asyncio.get_running_loop().time
    due: float | None = None
    while True:
        data: bytes | None = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(due):
                data = await stream.read()
        yield data
        if data == b"":
            return
        if data is None or not resumer.holds_back:
            due = None
        elif due is None or b"\n" in data:
            due = clock() + UNFINISHED_SECONDS


def _log_query(run: ContainerRun, resumer: LineResumer, count: int | None, follow: bool) -> dict[str, str]:
    """Build the query of a log request (core/v1 PodLogOptions).

    `sinceTime` in whole seconds: the API server cuts fractions off (pkg/registry/core/pod/strategy.go).
    """
    query = {"container": run.container, "timestamps": "true"}
    since = resumer.position.since if resumer.position else resumer.since // 1_000_000_000
    if since > 0:
        query["sinceTime"] = f"{datetime.fromtimestamp(since, UTC):%Y-%m-%dT%H:%M:%SZ}"
    if count is not None:
        query["tailLines"] = str(count)
    if follow:
        query["follow"] = "true"
    if run.previous:
        query["previous"] = "true"
    return query
