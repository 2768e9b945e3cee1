"""LogStream: the log of a job from a server, resumed behind its cursor where the connection breaks."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager

import msgspec

from backend_client.errors import Unreachable, fragment, sentence
from backend_client.protocol import Closed, Lines, LogItem, LogQuery, LogSource, Opened
from backend_client.server.connection import RETRY_PAUSES, Connection
from backend_client.server.errors import ConnectionBroken
from backend_client.server.sse import SseEvent, SseStream
from backend_client.server.wire import Bye, read_log


class LogStream:
    """One log stream, from its beginning or behind a cursor."""

    def __init__(
        self, connection: Connection, path: str, job_query: Mapping[str, str], query: LogQuery, after: str
    ) -> None:
        """`job_query` names the job."""
        self._connection = connection
        self._path = path
        self._job_query = job_query
        self._query = query
        self._after = after
        self._sources: set[LogSource] = set()

    async def batches(self) -> AsyncGenerator[Sequence[LogItem], None]:
        """Yield batches; the last ends with Closed, `lost` where every retry breaks. Raises as `logs`."""
        pauses = iter(RETRY_PAUSES)
        begun = False
        while True:
            why = "the server ended the stream"
            try:
                async with self._open() as stream:
                    async for events in stream.batches():
                        if items := self._items(events):
                            begun, pauses = True, iter(RETRY_PAUSES)
                            yield items
                        if any(isinstance(item, Closed) for item in items):
                            return
            except ConnectionBroken as error:
                why = fragment(error.title)
            except Unreachable as error:
                if not begun:
                    raise
                why, pauses = fragment(error.title), iter(())
            if (pause := next(pauses, None)) is None:
                yield [Closed(why, lost=True)]
                return
            await asyncio.sleep(pause)

    def _open(self) -> AbstractAsyncContextManager[SseStream]:
        return self._connection.stream(self._path, query=self._parameters(), last=self._after)

    def _parameters(self) -> dict[str, str]:
        """Return the query's parameters; behind a cursor `tail` and `since` have no meaning."""
        query = self._query
        begin = {} if self._after else {"tail": query.tail, "since": query.since and query.since.isoformat()}
        parameters = {**begin, "rank": query.rank, "attempt": query.attempt, "follow": query.follow or None}
        return {
            **self._job_query,
            **{name: str(value).lower() for name, value in parameters.items() if value is not None},
        }

    def _items(self, events: Sequence[SseEvent]) -> list[LogItem]:
        return [item for frame in events if (item := self._item(frame))]

    def _item(self, event: SseEvent) -> LogItem | None:
        try:
            item = read_log(event.event, event.data, event.id)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unreachable(
                sentence(f"{self._connection.label} tells what cannot be read: {error}")
            ) from None
        match item:
            case Bye():
                return Closed(item.why, lost=True)
            case Opened(source):
                if source in self._sources:
                    return None
                self._sources.add(source)
            case Lines():
                self._after = item.cursor or self._after
        return item
