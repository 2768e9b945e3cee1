"""`follow`: a log stream that is opened again where it broke, without a line lost or repeated."""

import asyncio
import math
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing

import msgspec

from backend_client.backoff import Backoff
from backend_client.errors import LoginNeeded, Unreachable, fragment
from backend_client.logs.snapshot import until_asked
from backend_client.protocol import Closed, JobBackend, Lines, LogItem, LogQuery, LogSource, Opened


def follow(
    backend: JobBackend,
    query: LogQuery,
    *,
    after: str = "",
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    random_part: Callable[[], float] = random.random,
    login: Callable[[LoginNeeded], Awaitable[bool]] | None = None,
) -> AsyncGenerator[Sequence[LogItem]]:
    """Follow `backend.logs`; where the stream breaks, open it again behind the last line.

    Without `query.follow` it ends at what was there when it was asked for. `after`: begin behind this cursor.

    A break yields one Closed(lost=True); the next batch, even an empty one, means that the stream is back.
    The stream ends with Closed(lost=False). There is one Opened for each source. Raises what `logs`
    raises, save Unreachable, and save LoginNeeded where `login`, which waits for a new login, returns True.
    """
    batches = _follow(backend, query, after, sleep, random_part, login)
    return batches if query.follow else until_asked(batches)


async def follow_lines(
    backend: JobBackend,
    query: LogQuery,
    *,
    login: Callable[[LoginNeeded], Awaitable[bool]] | None = None,
) -> AsyncGenerator[Lines]:
    """Follow a log as `follow` does, for whom its lines alone matter."""
    async with aclosing(follow(backend, query, login=login)) as batches:
        async for batch in batches:
            for item in batch:
                if isinstance(item, Lines):
                    yield item


async def _follow(  # noqa: PLR0917  those of `follow`
    backend: JobBackend,
    query: LogQuery,
    after: str,
    sleep: Callable[[float], Awaitable[None]],
    random_part: Callable[[], float],
    login: Callable[[LoginNeeded], Awaitable[bool]] | None,
) -> AsyncGenerator[Sequence[LogItem]]:
    broken = False
    backoff = Backoff(healthy=math.inf, jitter=random_part)
    sources: set[LogSource] = set()
    while True:
        wait = 0.0
        try:
            async with aclosing(_stream(backend, _resume_query(query, after), after)) as batches:
                async for batch in batches:
                    items = [item for item in batch if not _is_repeated(item, sources)]
                    for item in items:
                        if isinstance(item, Lines):
                            after = item.cursor or after
                            backoff.reset()
                    end = next((item for item in items if isinstance(item, Closed)), None)
                    lost = end is not None and end.lost
                    if items or broken:
                        yield items
                    broken = lost
                    if end and not lost:
                        return
                    if lost:
                        break
        except (Unreachable, LoginNeeded) as error:
            yield [Closed(fragment(error.title), lost=True)]
            broken = True
            wait = await _wait_for_retry(error, login)
        await sleep(max(wait, backoff.next()))


async def _wait_for_retry(
    error: Unreachable | LoginNeeded, login: Callable[[LoginNeeded], Awaitable[bool]] | None
) -> float:
    """Wait for a login where one is needed; return the seconds still to wait. Raises what no retry mends."""
    if isinstance(error, Unreachable):
        return error.retry_after or 0.0
    if login is None or not await login(error):
        raise error
    return 0.0


async def _stream(backend: JobBackend, query: LogQuery, after: str) -> AsyncGenerator[Sequence[LogItem]]:
    """Open one stream and close it in any case; one that ends without a Closed is lost."""
    batches = backend.logs(query, after=after)
    try:
        async for batch in batches:
            yield batch
            if any(isinstance(item, Closed) for item in batch):
                return
        yield [Closed("the stream broke off", lost=True)]
    finally:
        if isinstance(batches, AsyncGenerator):
            await batches.aclose()


def _resume_query(query: LogQuery, after: str) -> LogQuery:
    """Return the query for a resumed stream: behind a cursor `tail` and `since` have no meaning."""
    return msgspec.structs.replace(query, tail=None, since=None) if after else query


def _is_repeated(item: LogItem, sources: set[LogSource]) -> bool:
    """Return True for an Opened of a source that has had one."""
    if not isinstance(item, Opened):
        return False
    if item.source in sources:
        return True
    sources.add(item.source)
    return False
