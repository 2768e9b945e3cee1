"""The one resumer: a log stream that is opened again where it broke, without a line lost or repeated."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import msgspec

from backend_client.errors import Unreachable
from backend_client.protocol import Closed, JobBackend, Lines, LogItem, LogQuery, LogSource, Opened

_FIRST, _LONGEST = 0.8, 30.0
"""Seconds; the wait doubles, and each is a random part of its whole."""


async def follow(
    backend: JobBackend,
    query: LogQuery,
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    part: Callable[[], float] = random.random,
) -> AsyncIterator[Sequence[LogItem]]:
    """What `backend.logs` gives, and again behind the last line wherever the link breaks.

    A broken link is told by one Closed(lost=True), whatever comes next ends that state; the stream ends
    with Closed(lost=False). An Opened is told once for each source. Raises what `logs` raises, but for
    Unreachable.
    """
    after, tries = "", 0
    known: set[LogSource] = set()
    while True:
        wait = 0.0
        try:
            async for batch in backend.logs(_behind(query, after), after=after):
                items = [item for item in batch if not _is_known(item, known)]
                for item in items:
                    if isinstance(item, Lines):
                        after, tries = item.cursor or after, 0
                end = items[-1] if items and isinstance(items[-1], Closed) else None
                if items:
                    yield items
                if end and not end.lost:
                    return
                if end:
                    break
            else:
                yield [Closed("the stream broke off", lost=True)]
        except Unreachable as error:
            wait = error.retry_after or 0.0
            yield [Closed(error.title, lost=True)]
        await sleep(max(wait, part() * min(_LONGEST, _FIRST * 2**tries)))
        tries = min(tries + 1, 10)


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
