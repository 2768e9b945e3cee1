"""The queue of passwords to hash: few at a time, in threads, and each origin in its turn.

A crowd that guesses from one place waits behind itself, not in front of everybody.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import TypeVar

from backend_client.errors import Unreachable

T = TypeVar("T")
CONCURRENT = 2
OF_ONE_ORIGIN = 100
"""Waiting ones of one origin at most: about three seconds of work."""
OF_ALL = 300
"""Waiting ones at most; of more, the newest of the longest queue goes."""


class HashQueue:
    """Runs work in threads, `CONCURRENT` at a time."""

    def __init__(self) -> None:
        self._running = 0
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        """Origin -> its waiting ones; the first origin is the next."""

    async def run(self, origin: str, work: Callable[..., T], *args: object) -> T:
        """Run in a thread: argon2 takes tens of milliseconds, and releases the GIL.

        Raises Unreachable where too many of this origin wait.
        """
        await self._enter(origin)
        try:
            return await asyncio.to_thread(work, *args)
        finally:
            self._running -= 1
            self._start_next()

    async def _enter(self, origin: str) -> None:
        if self._running < CONCURRENT:
            self._running += 1
            return
        self._make_room(origin)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(origin, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and not turn.exception():  # its turn had come
                self._running -= 1
                self._start_next()
            raise

    def _make_room(self, origin: str) -> None:
        mine = len(self._waiting.get(origin, ()))
        if mine >= OF_ONE_ORIGIN:
            raise _too_many()
        if sum(map(len, self._waiting.values())) < OF_ALL:
            return
        longest = max(self._waiting, key=lambda one: len(self._waiting[one]))
        if mine + 1 >= len(self._waiting[longest]):
            raise _too_many()
        dropped = self._waiting[longest].pop()
        if not dropped.done():
            dropped.set_exception(_too_many())

    def _start_next(self) -> None:
        while self._waiting and self._running < CONCURRENT:
            origin, queue = self._waiting.popitem(last=False)
            turn = queue.popleft()
            if queue:
                self._waiting[origin] = queue
            if not turn.done():
                self._running += 1
                turn.set_result(None)


def _too_many() -> Unreachable:
    return Unreachable("Too many people log in at once.", "Try again in a moment.", retry_after=1)
