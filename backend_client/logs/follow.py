"""The one resumer: a log stream that is opened again where it broke, without a line lost or repeated."""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing

import msgspec

from backend_client.errors import LoginNeeded, Unreachable
from backend_client.protocol import Closed, JobBackend, Lines, LogItem, LogQuery, LogSource, Opened

_FIRST, _LONGEST = 0.8, 30.0
"""Seconds; the wait doubles, and each is a random part of its whole."""


async def follow(
    backend: JobBackend,
    query: LogQuery,
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    part: Callable[[], float] = random.random,
    login: Callable[[LoginNeeded], Awaitable[bool]] | None = None,
) -> AsyncGenerator[Sequence[LogItem]]:
    """What `backend.logs` gives, and again behind the last line wherever the link breaks.

    A broken link is told by one Closed(lost=True); the next batch, be it an empty one, says that it is back.
    The stream ends with Closed(lost=False). An Opened is told once for each source. Raises what `logs`
    raises, but for Unreachable; and for LoginNeeded where `login`, which waits for another login, says True.
    """
    after, tries, broken = "", 0, False
    known: set[LogSource] = set()
    while True:
        wait = 0.0
        try:
            async with aclosing(_stream(backend, _behind(query, after), after)) as batches:
                async for batch in batches:
                    items = [item for item in batch if not _is_known(item, known)]
                    for item in items:
                        if isinstance(item, Lines):
                            after, tries = item.cursor or after, 0
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
            yield [Closed(error.title, lost=True)]
            broken = True
            wait = await _again(error, login)
        await sleep(max(wait, part() * min(_LONGEST, _FIRST * 2**tries)))
        tries = min(tries + 1, 10)


async def _again(
    error: Unreachable | LoginNeeded, login: Callable[[LoginNeeded], Awaitable[bool]] | None
) -> float:
    """Wait until another try may help; seconds to wait still. Raises the error where none will."""
    if isinstance(error, Unreachable):
        return error.retry_after or 0.0
    if login is None or not await login(error):
        raise error
    return 0.0


async def _stream(backend: JobBackend, query: LogQuery, after: str) -> AsyncGenerator[Sequence[LogItem]]:
    """One stream, closed in any case; one that just ends is a lost one."""
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


def _behind(query: LogQuery, after: str) -> LogQuery:
    """`tail` and `since` say where to begin; a cursor says it better."""
    return msgspec.structs.replace(query, tail=None, since=None) if after else query


def _is_known(item: LogItem, known: set[LogSource]) -> bool:
    """True for an Opened that was told before."""
    if not isinstance(item, Opened):
        return False
    if item.source in known:
        return True
    known.add(item.source)
    return False
