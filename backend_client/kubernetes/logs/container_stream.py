"""The log of one run, asked for as often as it takes until the run has ended and all of it is there."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from weakref import WeakKeyDictionary

from backend_client.backoff import Backoff
from backend_client.errors import NotFound, Refused, Unreachable
from backend_client.kubernetes.api.errors import ServerFailed
from backend_client.kubernetes.api.transport import REQUEST_SECONDS, Transport
from backend_client.kubernetes.logs.container_runs import ContainerRun
from backend_client.kubernetes.logs.job_tracker import JobTracker
from backend_client.kubernetes.logs.line_resumer import LineResumer
from backend_client.kubernetes.resources.resource_types import PODS
from backend_client.protocol import Gap, LogItem

MOST_STREAMS = 50
"""Logs of one cluster that are read at a time; the next one waits."""
QUIET_SECONDS = 300.0
"""A log that is silent for so long is opened again: a dead connection is silent too."""
SETTLE_SECONDS = 2.0
"""How long it may take until what a node knows stands in the pod."""
_PATIENCE = 3
_limits: WeakKeyDictionary[Transport, asyncio.Semaphore] = WeakKeyDictionary()


class _AnotherLog(Exception):
    """The mark is not in it: the log was rotated, or it is that of the next run already."""


class ContainerLogReader:
    """Reads runs of one subject. `put` takes what is new and returns when there is room for more.

    A node that does not answer is asked again and again while the log is followed. Any other break of the
    link is raised: Unreachable.
    """

    def __init__(
        self,
        transport: Transport,
        subject: JobTracker,
        put: Callable[[Sequence[LogItem]], Awaitable[None]],
        *,
        follow: bool,
    ) -> None:
        self._transport = transport
        self._subject = subject
        self._put = put
        self._follow = follow
        self._whole = False
        """The last answer ended as it should."""

    async def last(self, run: ContainerRun, tail: LineResumer, count: int) -> None:
        """The last `count` lines as they are now; none are told for 0, but the mark moves behind them."""
        found: list[LogItem] = []

        async def keep(items: Sequence[LogItem]) -> None:
            found.extend(items)

        one = ContainerLogReader(self._transport, self._subject, keep, follow=False)
        await one.read(run, tail, count=max(1, count))
        if count:
            await self._put(found)

    async def read(self, run: ContainerRun, tail: LineResumer, *, count: int | None = None) -> None:
        """All that comes behind the tail's mark. What cannot be read is marked as a gap."""
        backoff, failures, sure = Backoff(), 0, not self._follow
        while now := self._subject.find(run):
            mark = tail.mark
            try:
                await self._answer(now, tail, count, sure=sure)
            except _AnotherLog:
                tail.mark, sure = mark, True
                await self._settle(now)
                continue
            except ServerFailed as error:
                failures += 1
                if not self._follow and failures == _PATIENCE:
                    return await self._put([Gap(tail.source, error.title)])
                await asyncio.sleep((error.retry_after or 0.0) + backoff.next())
                continue
            except (NotFound, Refused) as error:
                return await self._missing(tail, error.title)
            sure = not self._follow
            if now.ended or not self._follow:
                return None
            await self._subject.wait_for_change(1.0)
        return await self._missing(tail, "the pod is gone")

    async def _settle(self, run: ContainerRun) -> None:
        """Wait for the pod to say that another run has begun, if one has."""
        clock = asyncio.get_running_loop().time
        until = clock() + SETTLE_SECONDS
        while self._subject.find(run) == run and (left := until - clock()) > 0:
            await self._subject.wait_for_change(left)

    async def _missing(self, tail: LineResumer, why: str) -> None:
        if not self._whole:
            await self._put([Gap(tail.source, why)])

    async def _answer(self, run: ContainerRun, tail: LineResumer, count: int | None, *, sure: bool) -> None:
        """One request. Raises _AnotherLog, unless `sure`, where the mark is not in what comes.

        Of a log in which nothing stands yet not even the head comes before its first line does.
        """
        follow, self._whole = self._follow and not run.ended, False
        path, query = PODS.path(run.namespace, run.pod, "log"), _query(run, tail, count, follow)
        head = 2 * QUIET_SECONDS if follow else REQUEST_SECONDS
        clock = asyncio.get_running_loop().time
        tail.begin()
        try:
            async with (
                self._limit(),
                asyncio.timeout(QUIET_SECONDS) as silence,
                self._transport.stream(path, query=query, timeout=head) as stream,
            ):
                while not self._whole:
                    data = await stream.read()
                    silence.reschedule(None)
                    await self._tell(run, tail, data, sure=sure)
                    silence.reschedule(clock() + QUIET_SECONDS)
                    self._whole = not data
        except TimeoutError:
            if not follow:
                raise Unreachable(f"a log came to a stop for {QUIET_SECONDS:g} s") from None

    async def _tell(self, run: ContainerRun, tail: LineResumer, data: bytes, *, sure: bool) -> None:
        """Hand on what is new in these bytes; b"" is the end."""
        items = tail.feed(data) if data else tail.end()
        if not (sure or run.previous) and any(isinstance(item, Gap) for item in items):
            raise _AnotherLog
        if items:
            await self._put(items)

    def _limit(self) -> asyncio.Semaphore:
        return _limits.setdefault(self._transport, asyncio.Semaphore(MOST_STREAMS))


def _query(run: ContainerRun, tail: LineResumer, count: int | None, follow: bool) -> dict[str, str]:
    query = {"container": run.container, "timestamps": "true"}
    since = tail.mark.since if tail.mark else tail.since // 1_000_000_000
    if since > 0:
        query["sinceTime"] = f"{datetime.fromtimestamp(since, UTC):%Y-%m-%dT%H:%M:%SZ}"
    if count is not None:
        query["tailLines"] = str(count)
    if follow:
        query["follow"] = "true"
    if run.previous:
        query["previous"] = "true"
    return query
