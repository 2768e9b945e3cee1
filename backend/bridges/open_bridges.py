"""The bridges that are open: how many each login has, and what goes on when a request has ended."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any

from backend.auth.caller import Caller
from backend.auth.password_guard import TooMany

RETRY_SECONDS = 5.0
LAST_SECONDS = 5.0
"""Seconds that bridges have, when the server stops, to end what they have started and to write so."""


class Kind(Enum):
    """A kind of bridge: how many one login may have at a time, and what they are called."""

    COMMANDS = 32, "commands and shells"
    CONNECTIONS = 128, "connections to ports"


class OpenBridges:
    """Counts bridges by login, and keeps their tasks until they have tidied up."""

    def __init__(self) -> None:
        self._open: Counter[tuple[Kind, int]] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    @contextmanager
    def count(self, kind: Kind, caller: Caller) -> Iterator[None]:
        """Count one more of a login. Raises TooMany."""
        most, words = kind.value
        key = kind, caller.token_id
        if self._open[key] >= most:
            raise TooMany(f"This login has {most} {words} open already.", "Close some.", RETRY_SECONDS)
        self._open[key] += 1
        try:
            yield
        finally:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]

    async def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a bridge to its end; whoever is cancelled, as the server stops, leaves it to tidy up."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.shield(task)

    async def aclose(self) -> None:
        """Wait for what ends, for a while."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=LAST_SECONDS)
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
