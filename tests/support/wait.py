"""Wait for a condition: the one place where tests poll, and say how long anything may take."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
PATIENCE = 60.0
"""Seconds that anything may take at least: far more than it needs, as a busy machine makes no test fail."""
_PAUSE = 0.02


def until(
    condition: Callable[[], T],
    seconds: float = PATIENCE,
    *,
    message: Callable[[], object] = str,
    pause: float = _PAUSE,
) -> T:
    """Return the value of a condition as soon as it is true. Raises AssertionError with the `message`.

    `seconds`: for what may take longer than PATIENCE; nothing is given less.
    """
    seconds = max(seconds, PATIENCE)
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"not in {seconds} s: {value!r} {message()}"
        time.sleep(pause)
    return value


async def async_until(
    condition: Callable[[], T | Awaitable[T]],
    seconds: float = PATIENCE,
    *,
    message: Callable[[], object] = str,
    pause: Callable[[], Awaitable[object]] = lambda: asyncio.sleep(_PAUSE),
) -> T:
    """Do the same in an event loop; the condition may be a coroutine function."""
    clock = asyncio.get_running_loop().time
    seconds = max(seconds, PATIENCE)
    end = clock() + seconds
    while not (value := await _value(condition())):
        assert clock() < end, f"not in {seconds} s: {value!r} {message()}"
        await pause()
    return value


async def _value(value: T | Awaitable[T]) -> T:
    return await value if inspect.isawaitable(value) else value
