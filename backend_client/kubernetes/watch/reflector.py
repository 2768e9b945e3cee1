"""One kind of object in one scope, kept as it is in the cluster: list, watch, and heal for ever.

The rules are those of client-go's reflector, changed where HTTP/1.1 has no ping. Lists are paged and
consistent (without resourceVersion), because at version 0 an API server ignores the page size: 10,000 pods
come in one piece. A streaming list costs both sides twice as much.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from typing import Generic

import msgspec

from backend_client.backoff import Backoff
from backend_client.errors import BackendError, Forbidden, LoginNeeded, Unreachable
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

FIRST_PAGE = 100
"""A small page first: rows stand on the screen while the rest comes."""
PAGE = 500
LIST_SECONDS = 30.0
SILENCE_SECONDS = 30.0
"""A watch silent for so long has the server asked whether it is alive."""
PROBE_SECONDS = 15.0
REOPEN_SECONDS = 90.0
"""A watch silent for so long is opened again from where it was."""
FORBIDDEN_SECONDS = 300.0
_SHORTEST = 1.0
_PATIENCE = 3


class TooShort(Exception):
    """A watch that ended as soon as it began: no failure, but not to be repeated at once."""


class Reflector(Generic[T]):
    """Tells what is there, then every change.

    `batches()` yields Delta; Synced when the Deltas so far make the whole list, after every list; and Link
    when the link changes. An object comes once per version; the same name with another uid is gone and new.
    Nothing queues here: a slow consumer slows the server, and what waited comes as one Delta.
    """

    def __init__(
        self,
        transport: Transport,
        kind: ResourceType[T],
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
    ) -> None:
        self.kind = kind
        self.namespace = namespace
        self.as_of: datetime | None = None
        """When it was last known to be true; None before the first byte."""
        self._transport = transport
        self._path = kind.path(namespace)
        selectors = {"labelSelector": labels, "fieldSelector": fields}
        self._selectors = {key: value for key, value in selectors.items() if value}
        self._known: dict[Key, tuple[str, str]] = {}
        """(namespace, name) -> (uid, version) of all that was told and is not gone."""
        self._version = ""
        """Where the next watch starts; empty where a list must come first."""
        self._failures = 0
        """How often in a row the server failed to serve a watch from `_version`."""
        self._link: Freshness | None = None
        self._backoff = Backoff()

    async def batches(self) -> AsyncGenerator[Delta[T] | Synced | Freshness, None]:
        """For ever, until closed. What is not a matter of the network or the cluster is raised: a defect."""
        while True:
            link: Freshness | None = None
            pause = 0.0
            try:
                async with contextlib.aclosing(self._round()) as parts:
                    async for part in parts:
                        yield part
            except (BackendError, msgspec.DecodeError, TooLarge, TooShort) as error:
                link, pause = self._judge(error)
            if link:
                yield link
            await asyncio.sleep(pause)

    def _judge(self, error: Exception) -> tuple[Freshness | None, float]:
        """What an end means: the link it leaves, and seconds to wait. Drops a version that is no use."""
        pause = self._backoff.next()
        match error:
            case TooShort():
                return None, max(_SHORTEST, pause)
            case Expired():
                self._version = ""
                return None, pause
            case LoginNeeded():
                self._version = ""
            case Forbidden():
                self._version = ""
                return self._turn(FreshnessState.FORBIDDEN, error.title), FORBIDDEN_SECONDS
            case msgspec.DecodeError() | TooLarge():
                self._version = ""
                return self._turn(FreshnessState.STALE, f"{self.kind.plural} cannot be read: {error}"), pause
            case ServerFailed():
                self._failures += 1
                if self._failures >= _PATIENCE:
                    self._version = ""
            case _:
                pass
        asked = error.retry_after if isinstance(error, Unreachable) else None
        return self._turn(FreshnessState.STALE, str(getattr(error, "title", error))), (asked or 0.0) + pause

    async def _round(self) -> AsyncGenerator[Delta[T] | Synced | Freshness, None]:
        """A list where one is needed, then a watch until it ends. Raises what ended it."""
        if not self._version:
            async with contextlib.aclosing(self._list()) as listed:
                async for part in listed:
                    yield part
        async with contextlib.aclosing(self._watch()) as watched:
            async for change in watched:
                yield change

    async def _list(self) -> AsyncGenerator[Delta[T] | Synced, None]:
        seen: set[Key] = set()
        query = self._selectors | {"limit": str(FIRST_PAGE)}
        while True:
            response = await self._transport.request("GET", self._path, query=query, timeout=LIST_SECONDS)
            page = self.kind.page(response.body)
            self.as_of = datetime.now(UTC)
            changes = DeltaBuilder[T](self._known)
            for item in page.items:
                seen.add((item.namespace, item.name))
                changes.put(item)
            if not page.metadata.continue_token:
                break
            if delta := changes.delta():
                yield delta
            query = self._selectors | {"limit": str(PAGE), "continue": page.metadata.continue_token}
        for key in self._known.keys() - seen:
            changes.remove(key)
        if delta := changes.delta():
            yield delta
        self._version = page.metadata.resource_version
        self._failures = 0
        yield Synced()

    async def _watch(self) -> AsyncGenerator[Delta[T] | Freshness, None]:
        seconds = random.randint(120, 240)  # noqa: S311 - spreads load, hides nothing
        query = self._selectors | {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(seconds),
        }
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with self._transport.stream(self._path, query=query) as stream:
            if link := self._turn(FreshnessState.LIVE):
                yield link
            frames = JsonLines()
            while data := await self._next(stream):
                self.as_of = datetime.now(UTC)
                changes = DeltaBuilder[T](self._known)
                trouble = self._apply(frames.feed(data), changes)
                if delta := changes.delta():
                    yield delta
                if trouble:
                    raise trouble
        if loop.time() - began < _SHORTEST:
            raise TooShort

    def _apply(self, lines: Sequence[bytes], changes: DeltaBuilder[T]) -> Exception | None:
        """Take in what happened, in order; stop at what cannot be taken in and return it."""
        for line in lines:
            try:
                event = decode_watch_event.decode(line)
                self._take(event, changes)
            except (msgspec.DecodeError, BackendError) as error:
                return error
        return None

    def _take(self, event: RawWatchEvent, changes: DeltaBuilder[T]) -> None:
        if event.type == "ERROR":
            raise error_from_status(decode(decode_status, event.object), "GET", self._path, {})
        if event.type == "BOOKMARK":
            self._version = decode(decode_bookmark, event.object).metadata.resource_version or self._version
            return
        item = self.kind.one(event.object)
        if event.type == "DELETED":
            changes.remove((item.namespace, item.name))
        elif event.type in ("ADDED", "MODIFIED"):
            changes.put(item)
        else:
            raise msgspec.ValidationError(f"no event is called {event.type!r}")
        self._version = item.metadata.resource_version or self._version
        self._failures = 0

    async def _next(self, stream: Stream) -> bytes:
        """The next bytes; b"" at the end of the watch, and when it was silent so long that a new one is due.

        A peer's kernel may answer for a process that does not: so a silent watch has the server asked.
        """
        loop = asyncio.get_running_loop()
        reopen_at = loop.time() + REOPEN_SECONDS
        while True:
            try:
                async with asyncio.timeout_at(min(loop.time() + SILENCE_SECONDS, reopen_at)):
                    return await stream.read()
            except TimeoutError:
                if loop.time() >= reopen_at:
                    return b""
            await self._transport.request("GET", "/version", timeout=PROBE_SECONDS, allow=range(300, 600))
            self.as_of = datetime.now(UTC)

    def _turn(self, state: FreshnessState, why: str = "") -> Freshness | None:
        """The link, where it is another than was told last. Stale data is as old as its last byte."""
        before = self._link
        if before and (before.state, before.why) == (state, why):
            return None
        now = datetime.now(UTC)
        since = (self.as_of or now) if state is FreshnessState.STALE else now
        if before and before.state is state:
            since = before.since
        self._link = Freshness(state, since, why)
        return self._link
