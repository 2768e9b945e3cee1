"""Asking anew: a person does not want to wait for the next try of a watch."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator


class RefreshRequests:
    """The watches of a backend that are told when everything is to be asked anew."""

    def __init__(self) -> None:
        self._watches: list[Callable[[], None]] = []

    @contextlib.contextmanager
    def subscribe(self, ask_anew: Callable[[], None]) -> Iterator[None]:
        """Have a watch told; `ask_anew` returns at once."""
        self._watches.append(ask_anew)
        try:
            yield
        finally:
            self._watches.remove(ask_anew)

    def send(self) -> None:
        """Tell all watches."""
        for ask_anew in tuple(self._watches):
            ask_anew()


async def sleep_unless(wanted: asyncio.Event, seconds: float) -> None:
    """Sleep, but no longer than until an event is set."""
    if seconds <= 0:
        await asyncio.sleep(0)
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await wanted.wait()
