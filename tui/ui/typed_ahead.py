"""Keys that are typed ahead wait for the key before: what it opens has the focus when they arrive.

Textual hands every key at once to what has the focus then. What came in one burst behind `n` or `/`, typed
quickly or while a link stood still, would be keys of the list.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from textual import events
from textual.app import App, ScreenStackError
from textual.dom import DOMNode

_LOOK_AGAIN = 0.02
"""Seconds."""
_MOST_LOOKS = 150
"""After so many of these pauses, 3 s, the next key is handed on, whatever the one before still does. They are
counted, as a program that a busy machine lets run now and then alone needs longer for everything."""

Typed = events.Key | events.Paste


class TypedAhead:
    """Hands keys and pastes on with `deliver`, one after the other; none while `is_opening`."""

    def __init__(
        self, app: App[int], deliver: Callable[[Typed], Awaitable[None]], is_opening: Callable[[], bool]
    ) -> None:
        self._app, self._deliver, self._is_opening = app, deliver, is_opening
        self._waiting: deque[Typed] = deque()
        self._settling: asyncio.Task[None] | None = None
        self._target: DOMNode = app
        """What had the focus when the last key was handed on."""
        self._held = ""
        """That key, unless it moved the focus or opened something."""
        self._place_before: object = None

    async def take(self, typed: Typed) -> None:
        """Hand on a key, now or when its turn comes."""
        self._waiting.append(typed)
        if self._settling is None:
            if not self._is_opening():
                await self._hand_on()
            self._settling = asyncio.create_task(self._hand_on_the_rest())

    async def _hand_on(self) -> None:
        """Hand on the next key; of one that is held down and moves no focus, all that have come."""
        while self._waiting and self._app.return_code is None:  # a program that was left hears nothing more
            typed, before = self._waiting.popleft(), self._held
            self._held, self._place_before = _key(typed), self._place
            self._target = self._app.focused or self._app.screen
            await self._deliver(typed)
            if not (
                self._held and self._held == before and self._waiting and _key(self._waiting[0]) == before
            ):
                break

    async def _hand_on_the_rest(self) -> None:
        with suppress(ScreenStackError):  # the end of the program has taken its screens away
            await self._settle()
            while self._waiting and self._app.return_code is None:
                await self._passed(self._app, self._hand_on)
                await self._settle()
        self._settling = None

    @property
    def _place(self) -> tuple[object, object]:
        return self._app.screen, self._app.focused

    async def _settle(self) -> None:
        """Wait until the last key is handled, what it opens is there, and the focus where that wants it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(None) as limit, _patience(limit):
                place = None
                while place != (place := self._place) or self._is_opening():
                    await self._pass_up(self._target)  # the key itself
                    await self._pass_up(self._target)  # what it has posted
                    await self._pass_up(self._app.screen)
                    if self._is_opening():
                        await asyncio.sleep(_LOOK_AGAIN)
        if self._place != self._place_before:
            self._held = ""

    async def _pass_up(self, target: DOMNode) -> None:
        """Wait until a node and all above it, up to the app, have handled what they have got by now."""
        for node in [*target.ancestors_with_self, self._app]:
            await self._passed(node)

    async def _passed(self, node: DOMNode, do: Callable[[], Awaitable[None]] | None = None) -> None:
        """Wait until a node has handled all that it has got by now, and `do` in its turn."""
        done = asyncio.Event()

        async def turn() -> None:
            try:
                if do:
                    await do()
            finally:
                done.set()

        if node.call_later(turn):
            while not done.is_set() and (node is self._app or node.is_attached):
                with suppress(TimeoutError):
                    await asyncio.wait_for(done.wait(), _LOOK_AGAIN)


@asynccontextmanager
async def _patience(limit: asyncio.Timeout) -> AsyncIterator[None]:
    """Let a limit run out after `_MOST_LOOKS` pauses."""

    async def run_out() -> None:
        for _ in range(_MOST_LOOKS):
            await asyncio.sleep(_LOOK_AGAIN)
        limit.reschedule(asyncio.get_running_loop().time())

    counting = asyncio.create_task(run_out())
    try:
        yield
    finally:
        counting.cancel()


def _key(typed: Typed) -> str:
    return typed.key if isinstance(typed, events.Key) else ""
