"""Questions that many ask at once, and again soon: each is asked once, and its answer kept for a while."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")
_MOST = 512
"""Answers that are kept; beyond that the first one goes."""


class _Asked(NamedTuple):
    until: float
    answer: "asyncio.Future[Any]"

    def holds(self, now: float) -> bool:
        """Return whether it is under way, or was answered and is fresh: an error is asked about again."""
        if not self.answer.done():
            return True
        return now < self.until and not self.answer.cancelled() and self.answer.exception() is None


class SingleFlight:
    """Answers by question, while they are under way or fresh."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns seconds."""
        self._clock = clock
        self._asked: dict[Hashable, _Asked] = {}

    async def ask(self, question: Hashable, seconds: float, ask: Callable[[], Awaitable[T]]) -> T:
        """Return the answer to a question: that of another who asks it now, or asked within `seconds`.

        Whoever gives up waiting ends nobody else's question. Raises what `ask` raises.
        """
        now = self._clock()
        known = self._asked.get(question)
        if known is None or not known.holds(now):
            self._make_room(now)
            known = self._asked[question] = _Asked(now + seconds, asyncio.ensure_future(ask()))
            known.answer.add_done_callback(_note_error)
        answer: T = await asyncio.shield(known.answer)
        return answer

    def _make_room(self, now: float) -> None:
        for question in [question for question, asked in self._asked.items() if not asked.holds(now)]:
            del self._asked[question]
        while len(self._asked) >= _MOST:
            del self._asked[next(iter(self._asked))]

    def cancel(self) -> None:
        """Give up what is under way."""
        for asked in self._asked.values():
            asked.answer.cancel()
        self._asked.clear()


def _note_error(answer: "asyncio.Future[Any]") -> None:
    """Look at an error once, so that asyncio does not report it where all have stopped waiting for it."""
    if not answer.cancelled():
        answer.exception()
