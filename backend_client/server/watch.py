"""WatchStream: jobs as they change, over a connection that may break; the consumer's list stays the server's.

A break is reported only when the connection is not back at once. The list comes once: after `Synced` there
are only changes, also where the server had to start over.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Sequence
from datetime import UTC, datetime

import msgspec

from backend_client.backoff import Backoff
from backend_client.errors import BackendError, Forbidden, LoginNeeded, Unreachable, fragment, sentence
from backend_client.models import Job, JobRef
from backend_client.protocol import Changed, Freshness, FreshnessState, Gone, Snapshot, Synced, WatchEvent
from backend_client.refresh import sleep_unless
from backend_client.server.connection import Connection
from backend_client.server.sse import SseEvent
from backend_client.server.wire import ClusterLink, Lagged, WatchWire, read_watch

PATH = "/api/watch"
_WORST = (FreshnessState.STALE, FreshnessState.SYNCING, FreshnessState.FORBIDDEN, FreshnessState.LIVE)
FIRST_PAUSE, LONGEST_PAUSE, _HEALTHY = 0.3, 30.0, 5.0
"""Seconds: the first and the largest pause after a break, and how long a connection must have held for the
next break to count as the first."""


class WatchStream:
    """One consumer's watch of one server."""

    def __init__(
        self, connection: Connection, from_wire: Callable[[Job], Job], namespaces: Collection[str]
    ) -> None:
        """`from_wire`: a job of the wire -> as the consumer's context has it; `namespaces`: none for all."""
        self._connection = connection
        self._list = _ReplicatedList(from_wire, namespaces)
        self._clusters: dict[str, ClusterLink] = {}
        self._connection_freshness = Freshness(FreshnessState.STALE, datetime.now(UTC))
        """Freshness of the connection to the server."""
        self._last_received = datetime.now(UTC)
        self._published: Freshness | None = None
        self._last_event_id = ""
        """The event to resume behind; empty: start over."""
        self._was_healthy = False
        """The connection was well until just now: its first break is not reported."""
        self._anew = asyncio.Event()
        """Set where somebody wants a new connection now."""
        self._reading: asyncio.Timeout | None = None
        self._backoff = Backoff(first=FIRST_PAUSE, longest=LONGEST_PAUSE, healthy=math.inf)

    def refresh(self) -> None:
        """Connect anew at once, and have the whole list again."""
        self._anew.set()
        if self._reading:
            self._reading.reschedule(asyncio.get_running_loop().time())

    async def batches(self) -> AsyncGenerator[Sequence[WatchEvent], None]:
        """Yield batches until closed. Where the login has ended, yield a Freshness and raise LoginNeeded."""
        clock = asyncio.get_running_loop().time
        while True:
            begun, asked = clock(), 0.0
            if self._anew.is_set():
                self._anew.clear()
                self._last_event_id = ""
                self._backoff.reset()
            try:
                async with self._connection.stream(PATH, last=self._last_event_id) as stream:
                    self._clusters.clear()
                    self._list.restart()
                    frames = aiter(stream.batches())
                    while (events := await self._next(frames)) is not None:
                        if batch := self._read(events):
                            yield batch
                        if any(event.event in ("lagged", "bye") for event in events):
                            break
            except LoginNeeded as error:
                yield [Freshness(FreshnessState.FORBIDDEN, datetime.now(UTC), fragment(error.title))]
                raise
            except BackendError as error:
                asked = (isinstance(error, Unreachable) and error.retry_after) or 0.0
                if not self._was_healthy and (freshness := self._disconnected(error)) != self._published:
                    self._published = freshness
                    yield [freshness]
            self._was_healthy = False
            if clock() - begun > _HEALTHY:
                self._backoff.reset()
            await sleep_unless(self._anew, max(asked, self._backoff.next()))

    async def _next(self, frames: AsyncIterator[Sequence[SseEvent]]) -> Sequence[SseEvent] | None:
        """Return the next events; None at the end of the stream, or where a new one is wanted."""
        try:
            async with asyncio.timeout(None) as self._reading:
                return None if self._anew.is_set() else await anext(frames)
        except (TimeoutError, StopAsyncIteration):
            return None
        finally:
            self._reading = None

    def _read(self, events: Sequence[SseEvent]) -> list[WatchEvent]:
        self._was_healthy, self._last_received = True, datetime.now(UTC)
        if self._connection_freshness.state is not FreshnessState.LIVE:
            self._connection_freshness = Freshness(FreshnessState.LIVE, self._last_received)
        batch = [event for frame in events for event in self._apply(frame)]
        freshness = self._freshness()
        if freshness != self._published:
            self._published = freshness
            batch.insert(0, freshness)
        return batch

    def _apply(self, event: SseEvent) -> list[WatchEvent]:
        wire_event = self._decode(event)
        match wire_event:
            case ClusterLink():
                self._clusters[wire_event.cluster] = wire_event
            case Lagged():
                self._last_event_id = ""
                return []
        events = self._list.apply(wire_event)
        if event.id and not self._list.listing:
            self._last_event_id = event.id
        return events

    def _decode(self, event: SseEvent) -> WatchWire | None:
        try:
            return read_watch(event.event, event.data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self._last_event_id = ""
            raise Unreachable(
                sentence(f"{self._connection.label} tells what cannot be read: {error}")
            ) from None

    def _freshness(self) -> Freshness:
        """Return the worst freshness of all clusters, where the connection itself is well."""
        worst = min(
            self._clusters.values(), key=lambda link: (_WORST.index(link.state), link.since), default=None
        )
        if worst is None or worst.state is FreshnessState.LIVE:
            return self._connection_freshness
        where = f"{worst.cluster}: " if len(self._clusters) > 1 and worst.why else ""
        return Freshness(worst.state, worst.since, f"{where}{worst.why}")

    def _disconnected(self, error: BackendError) -> Freshness:
        state = FreshnessState.FORBIDDEN if isinstance(error, Forbidden) else FreshnessState.STALE
        since = (
            self._last_received
            if self._connection_freshness.state is FreshnessState.LIVE
            else self._connection_freshness.since
        )
        self._connection_freshness = Freshness(state, since, fragment(error.title))
        return self._connection_freshness


class _ReplicatedList:
    """The consumer's copy of the list, so that it only gets what differs."""

    def __init__(self, from_wire: Callable[[Job], Job], namespaces: Collection[str]) -> None:
        self._from_wire = from_wire
        self._namespaces = namespaces
        self._jobs: dict[str, Job] = {}
        self._listed: set[str] | None = None
        self._synced = False

    @property
    def listing(self) -> bool:
        """True in the middle of a list: nobody can resume there."""
        return self._listed is not None

    def restart(self) -> None:
        """Drop what was listed on a connection that broke."""
        self._listed = None

    def apply(self, event: WatchWire | None) -> list[WatchEvent]:
        """Apply an event of the wire, and return the events for the consumer."""
        match event:
            case Snapshot(jobs):
                self._listed = (self._listed or set()) | {job.ref.uid for job in jobs}
                return self._changed(jobs)
            case Changed(jobs):
                if self._listed is not None:
                    self._listed |= {job.ref.uid for job in jobs}
                return self._changed(jobs)
            case Gone(refs):
                return self._gone([ref.uid for ref in refs])
            case Synced():
                return self._complete()
        return []

    def _changed(self, jobs: Sequence[Job]) -> list[WatchEvent]:
        fresh = [
            self._from_wire(job)
            for job in jobs
            if not self._namespaces or job.ref.namespace in self._namespaces
        ]
        fresh = [job for job in fresh if self._jobs.get(job.ref.uid) != job]
        self._jobs.update((job.ref.uid, job) for job in fresh)
        if not fresh:
            return []
        return [Changed(tuple(fresh)) if self._synced else Snapshot(tuple(fresh))]

    def _gone(self, uids: Sequence[str]) -> list[WatchEvent]:
        if self._listed is not None:
            self._listed.difference_update(uids)
        refs: list[JobRef] = [job.ref for uid in uids if (job := self._jobs.pop(uid, None))]
        return [Gone(tuple(refs))] if refs else []

    def _complete(self) -> list[WatchEvent]:
        if self._synced and self._listed is None:
            return []
        listed, self._listed = self._listed or set(), None
        events = self._gone([uid for uid in self._jobs if uid not in listed])
        if not self._synced:
            self._synced = True
            events.append(Synced())
        return events
