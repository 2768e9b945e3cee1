"""A lost line is opened again: for as long as something comes, and then for two minutes more."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from msgspec import Struct

from backend_client.backoff import Backoff
from backend_client.errors import Unreachable, fragment

_T = TypeVar("_T")
FIRST, LONGEST = 0.2, 8.0
"""Seconds, the shortest and the longest ceiling of the pause between two tries."""


class Watcher(Struct, frozen=True):
    """Whoever looks on."""

    say: Callable[[str], None]
    """Takes a sentence."""
    show: Callable[[int, int | None], None]
    """Takes the bytes that are copied, and how many there are, where that is known."""
    seconds: float = 120.0
    """For so long it is tried again after the last byte came."""


async def persist(
    step: Callable[[], Awaitable[_T]], watcher: Watcher, *, done: Callable[[], int] = lambda: 0
) -> _T:
    """Do a step, again and again where the line breaks. `done`: how far it is, in bytes.

    Tells of each break once. Raises Unreachable when nothing more has come for `watcher.seconds`.
    """
    loop, backoff = asyncio.get_running_loop(), Backoff(first=FIRST, longest=LONGEST)
    reached, until = -1, 0.0
    while True:
        try:
            return await step()
        except Unreachable as error:
            if done() > reached:
                reached, until = done(), loop.time() + watcher.seconds
                backoff.reset()
                watcher.say(f"The line broke ({fragment(error.title)}); trying again.")
            elif loop.time() > until:
                raise
            await asyncio.sleep(max(backoff.next(), min(error.retry_after or 0.0, LONGEST)))
