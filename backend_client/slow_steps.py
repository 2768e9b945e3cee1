"""What a call waits for beside the network, told in words to whoever made the call, once it takes long."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

SLOW_SECONDS = 3.0
Listener = Callable[[str], None]
"""Gets a fragment when a step takes long, and "" when that step is over; returns at once."""
_listener: ContextVar[Listener | None] = ContextVar("slow_steps", default=None)


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """Tell a listener of the slow steps of all calls made within, and of tasks that are begun within."""
    before = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(before)


@contextmanager
def slow_step(words: str) -> Iterator[None]:
    """Tell the caller's listener what is waited for, where the block takes longer than `SLOW_SECONDS`."""
    listener = _listener.get()
    if listener is None:
        yield
        return
    told = asyncio.Event()

    def tell() -> None:
        told.set()
        listener(words)

    timer = asyncio.get_running_loop().call_later(SLOW_SECONDS, tell)
    try:
        yield
    finally:
        timer.cancel()
        if told.is_set():
            listener("")
