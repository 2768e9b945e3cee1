"""A reflector: lists and watches one resource type in one scope, and heals for ever.

It follows client-go (tools/cache/reflector.go):
- a watch resumes from the resourceVersion of its last event, bookmarks included;
- 410, as a status or as an ERROR event within a stream of status 200, means to list again;
- a refused connection or a 429 keeps the resourceVersion: back off, then watch again;
- a 500 is retried before it leads to a list (MaxInternalErrorRetryDuration there, three times here);
- a watch that ends within a second is not repeated at once (VeryShortWatchError);
- `timeoutSeconds` is random, so that many watches do not end together.

HTTP/1.1 has no ping (HTTP/2's: apimachinery, pkg/util/net/http.go), so a silent watch has the server asked by
another request. Lists are paged and consistent (no resourceVersion), because at version 0 an API server
ignores the page size: 10,000 pods come in one piece. A streaming list (KEP-3157) costs both sides twice as
much. docs/FACTS.md, "Watch and list".
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from typing import Generic

import msgspec

from backend_client.backoff import Backoff
from backend_client.errors import BackendError, Forbidden, LoginNeeded, Unreachable, fragment
from backend_client.kubernetes.access import is_allowed, resource_rule
from backend_client.kubernetes.api.errors import Expired, ServerFailed, error_from_status
from backend_client.kubernetes.api.json_lines import JsonLines, TooLarge
from backend_client.kubernetes.api.transport import Stream, Transport
from backend_client.kubernetes.resources.resource_types import (
    RawWatchEvent,
    ResourceType,
    T,
    decode,
    decode_bookmark,
    decode_status,
    decode_watch_event,
)
from backend_client.kubernetes.watch.delta import Delta, DeltaBuilder, Key
from backend_client.protocol import Freshness, FreshnessState, Synced
from backend_client.refresh import sleep_unless

FIRST_PAGE = 100
"""Objects of the first page, which is small: rows stand on the screen while the rest comes."""
PAGE = 500
LIST_SECONDS = 30.0
SILENCE_SECONDS = 30.0
"""After so long a silence of a watch the server is asked whether it is alive."""
PROBE_SECONDS = 15.0
REOPEN_SECONDS = 90.0
"""After so long a silence a watch is opened again from its last resourceVersion."""
FORBIDDEN_SECONDS = 300.0
"""How long to wait with the next try once it is clear that a right is missing."""
REFUSED_SECONDS = 60.0
"""So long a 403 may be the API server's own trouble: one that starts has read no roles and refuses all."""
_MIN_WATCH_SECONDS = 1.0
_MAX_SERVER_FAILURES = 3


class TooShort(Exception):
    """A watch ended as soon as it started: no failure, but not to be repeated at once."""


class Reflector(Generic[T]):
    """Reports the objects that are there, then every change.

    `batches()` yields Delta; Synced after every list, when the deltas so far make it whole; Freshness when
    that changes. An object comes once per version; the same name with another uid is gone and new. Nothing
    queues here: a slow consumer slows the server, and what waited comes as one Delta.
    """

    def __init__(
        self,
        transport: Transport,
        resource_type: ResourceType[T],
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
    ) -> None:
        """Watch nothing yet; `labels` and `fields` are selectors."""
        self.resource_type = resource_type
        self.namespace = namespace
        self.as_of: datetime | None = None
        """When the objects were last known to be true; None before the first byte."""
        self.error: Exception | None = None
        """What ended the last list or watch; None while all is well."""
        self._transport = transport
        self._path = resource_type.path(namespace)
        selectors = {"labelSelector": labels, "fieldSelector": fields}
        self._selectors = {key: value for key, value in selectors.items() if value}
        self._versions: dict[Key, tuple[str, str]] = {}
        """(namespace, name) -> (uid, resourceVersion) of the objects that were reported and are not gone."""
        self._version = ""
        """resourceVersion that the next watch starts at; empty where a list must come first."""
        self._failures = 0
        """Failures in a row of the server to serve a watch from `_version`."""
        self._freshness: Freshness | None = None
        self._backoff = Backoff()
        self._verb = "list"
        """The verb that was asked for last: list or watch."""
        self._granted: set[str] = set()
        """The verbs that the server has allowed, and has not withdrawn for good."""
        self._refused_since: float | None = None
        self._anew = asyncio.Event()
        """Set where somebody wants the objects listed now."""
        self._reading: asyncio.Timeout | None = None

    def refresh(self) -> None:
        """List anew at once, whatever is waited for."""
        self._anew.set()
        if self._reading:
            self._reading.reschedule(asyncio.get_running_loop().time())

    async def batches(self) -> AsyncGenerator[Delta[T] | Synced | Freshness, None]:
        """Yield changes for ever, until closed. Raises defects alone, nothing of network or cluster."""
        while True:
            freshness: Freshness | None = None
            pause = 0.0
            if self._anew.is_set():
                self._anew.clear()
                self._version = ""
                self._backoff.reset()
            try:
                async with contextlib.aclosing(self._list_and_watch()) as parts:
                    async for part in parts:
                        yield part
            except Forbidden as error:
                self.error = error
                freshness, pause = await self._handle_refusal(error)
            except (BackendError, msgspec.DecodeError, TooLarge, TooShort) as error:
                self.error = error
                freshness, pause = self._handle_error(error)
            if freshness:
                yield freshness
            await sleep_unless(self._anew, pause)

    def _handle_error(self, error: Exception) -> tuple[Freshness | None, float]:
        """Return the freshness that an error leaves, and seconds to wait; drop a version of no more use."""
        pause = self._backoff.next()
        match error:
            case TooShort():
                return None, max(_MIN_WATCH_SECONDS, pause)
            case Expired():
                self._version = ""
                return None, pause
            case LoginNeeded():
                self._version = ""
            case msgspec.DecodeError() | TooLarge():
                self._version = ""
                reason = f"{self.resource_type.plural} cannot be read: {error}"
                return self._set_freshness(FreshnessState.STALE, reason), pause
            case ServerFailed():
                self._failures += 1
                if self._failures >= _MAX_SERVER_FAILURES:
                    self._version = ""
            case _:
                pass
        retry_after = error.retry_after if isinstance(error, Unreachable) else None
        reason = fragment(str(getattr(error, "title", error)))
        return self._set_freshness(FreshnessState.STALE, reason), (retry_after or 0.0) + pause

    async def _handle_refusal(self, error: Forbidden) -> tuple[Freshness | None, float]:
        """Return the freshness that a 403 leaves, and seconds to wait.

        What was allowed before counts as an outage, until the 403 has held for a while and the server says
        that the right is gone. Whichever it is, the first minute's tries come in seconds.
        """
        now, pause = asyncio.get_running_loop().time(), self._backoff.next()
        self._version = ""
        self._refused_since = now if self._refused_since is None else self._refused_since
        has_held = now - self._refused_since >= REFUSED_SECONDS
        reason = fragment(error.title)
        if has_held and self._verb in self._granted and await self._is_withdrawn():
            self._granted.discard(self._verb)
        if self._verb in self._granted:
            return self._set_freshness(FreshnessState.STALE, f"{reason}, which was allowed before"), pause
        return self._set_freshness(FreshnessState.FORBIDDEN, reason), FORBIDDEN_SECONDS if has_held else pause

    async def _is_withdrawn(self) -> bool:
        """Return whether the server says that the right is missing; False where it does not answer that."""
        try:
            rule = resource_rule(self._verb, self.resource_type, self.namespace)
            return not await is_allowed(self._transport, rule)
        except (BackendError, msgspec.DecodeError):
            return False

    def _allow(self) -> None:
        """Note that the server allows what was asked for last."""
        self._granted.add(self._verb)
        self._refused_since = self.error = None

    async def _list_and_watch(self) -> AsyncGenerator[Delta[T] | Synced | Freshness, None]:
        """List where that is needed, then watch until that ends. Raises what ended it."""
        if not self._version:
            async with contextlib.aclosing(self._list()) as listed:
                async for part in listed:
                    yield part
        async with contextlib.aclosing(self._watch()) as watched:
            async for change in watched:
                yield change

    async def _list(self) -> AsyncGenerator[Delta[T] | Synced, None]:
        seen: set[Key] = set()
        self._verb = "list"
        query = self._selectors | {"limit": str(FIRST_PAGE)}
        while True:
            response = await self._transport.request("GET", self._path, query=query, timeout=LIST_SECONDS)
            self._allow()
            page = self.resource_type.decode_page(response.body)
            self.as_of = datetime.now(UTC)
            builder = DeltaBuilder[T](self._versions)
            for item in page.items:
                seen.add((item.namespace, item.name))
                builder.put(item)
            if not page.metadata.continue_token:
                break
            if delta := builder.delta():
                yield delta
            query = self._selectors | {"limit": str(PAGE), "continue": page.metadata.continue_token}
        for key in self._versions.keys() - seen:
            builder.remove(key)
        if delta := builder.delta():
            yield delta
        self._version = page.metadata.resource_version
        self._failures = 0
        yield Synced()

    async def _watch(self) -> AsyncGenerator[Delta[T] | Freshness, None]:
        seconds = random.randint(120, 240)  # noqa: S311  spreads load, hides nothing
        query = self._selectors | {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(seconds),
        }
        loop = asyncio.get_running_loop()
        started = loop.time()
        self._verb = "watch"
        async with self._transport.stream(self._path, query=query) as stream:
            self._allow()
            if freshness := self._set_freshness(FreshnessState.LIVE):
                yield freshness
            splitter = JsonLines()
            while data := await self._read(stream):
                self.as_of = datetime.now(UTC)
                builder = DeltaBuilder[T](self._versions)
                error = self._apply(splitter.feed(data), builder)
                if delta := builder.delta():
                    yield delta
                if error:
                    raise error
        if loop.time() - started < _MIN_WATCH_SECONDS:
            raise TooShort

    def _apply(self, lines: Sequence[bytes], builder: DeltaBuilder[T]) -> Exception | None:
        """Apply events in order; return the error of the first that cannot be applied, and stop there."""
        for line in lines:
            try:
                event = decode_watch_event.decode(line)
                self._apply_event(event, builder)
            except (msgspec.DecodeError, BackendError) as error:
                return error
        return None

    def _apply_event(self, event: RawWatchEvent, builder: DeltaBuilder[T]) -> None:
        if event.type == "ERROR":
            raise error_from_status(decode(decode_status, event.object), "GET", self._path, {})
        if event.type == "BOOKMARK":
            self._version = decode(decode_bookmark, event.object).metadata.resource_version or self._version
            return
        item = self.resource_type.decode_object(event.object)
        if event.type == "DELETED":
            builder.remove((item.namespace, item.name), item)
        elif event.type in ("ADDED", "MODIFIED"):
            builder.put(item)
        else:
            raise msgspec.ValidationError(f"no event is called {event.type!r}")
        self._version = item.metadata.resource_version or self._version
        self._failures = 0

    async def _read(self, stream: Stream) -> bytes:
        """Return the next bytes; b"" at the end of the watch, or when its silence calls for a new one.

        A peer's kernel may answer for a process that does not: so a silent watch has the server asked.
        """
        loop = asyncio.get_running_loop()
        reopen_at = loop.time() + REOPEN_SECONDS
        while True:
            if self._anew.is_set():
                return b""
            try:
                async with asyncio.timeout_at(min(loop.time() + SILENCE_SECONDS, reopen_at)) as self._reading:
                    return await stream.read()
            except TimeoutError:
                if loop.time() >= reopen_at or self._anew.is_set():
                    return b""
            finally:
                self._reading = None
            await self._transport.request("GET", "/version", timeout=PROBE_SECONDS, allow=range(300, 600))
            self.as_of = datetime.now(UTC)

    def _set_freshness(self, state: FreshnessState, reason: str = "") -> Freshness | None:
        """Set the freshness; return it, None where it is unchanged. Stale data is as old as its last byte."""
        before = self._freshness
        if before and (before.state, before.why) == (state, reason):
            return None
        now = datetime.now(UTC)
        since = (self.as_of or now) if state is FreshnessState.STALE else now
        if before and before.state is state:
            since = before.since
        self._freshness = Freshness(state, since, reason)
        return self._freshness
