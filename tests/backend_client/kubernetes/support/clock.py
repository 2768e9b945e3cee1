"""An event loop whose clock jumps: thirty seconds of silence pass at once, and in the same order every time.

The sockets are real. Both ends must live in this loop: then what was sent is there to be read at once, and
when nothing is there, nothing will happen before the next timer.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
_GRACE = 0.002
_LONG = 1.0
_LONG_GRACE = 0.02
"""A busy machine delivers what it sent to itself some milliseconds late: no time-out passes before that."""


class _Jumping(selectors.DefaultSelector):
    now = 1000.0
    threads = 0
    """That work for the loop: they take real time, which a jump would cut short."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout != 0 and self.threads:
            return super().select(None)
        if not ready and timeout != 0:
            ready = super().select(_LONG_GRACE if timeout is None or timeout >= _LONG else _GRACE)
        if not ready and timeout:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """`loop.time()` stands still while anything can be done."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:
        future = super().run_in_executor(executor, func, *args)
        self._jumping.threads += 1
        future.add_done_callback(self._thread_ended)
        return future

    def _thread_ended(self, _: object) -> None:
        self._jumping.threads -= 1


def run(main: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`, on a virtual clock."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
