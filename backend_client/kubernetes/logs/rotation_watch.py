"""Looks at which file is a container's newest, while its log is read from behind."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Self

from backend_client.errors import BackendError

LOOK_SECONDS = 2.0
"""Between two looks. A file is the newest for three seconds at least (containerLogMonitorInterval)."""
BEHIND_SECONDS = 2.0
"""A reader whose last line is older than this is behind, while lines come."""
_IDLE_SECONDS = 1.0
_SECOND = 1_000_000_000


class RotationWatch:
    """Calls `look` every two seconds while the reader is behind; a log without news costs nothing."""

    def __init__(self, look: Callable[[], Awaitable[None]], *, now: Callable[[], int] = time.time_ns) -> None:
        """`now`: nanoseconds since the epoch."""
        self._look, self._now = look, now
        self._busy = False
        self._read_at = 0.0
        self._latest = 0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def began(self) -> None:
        """Note that bytes have come, which are handed on now."""
        self._busy, self._read_at = True, asyncio.get_running_loop().time()

    def done(self, latest: int) -> None:
        """Note that they are handed on, up to a line of this time."""
        self._busy, self._latest = False, latest
        if self._is_behind and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._watch())

    @property
    def _is_behind(self) -> bool:
        return self._latest > 0 and self._now() - self._latest > BEHIND_SECONDS * _SECOND

    async def _watch(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            idle = not self._busy and clock() - self._read_at > _IDLE_SECONDS
            if idle or not self._is_behind:
                return
            with contextlib.suppress(BackendError):
                await self._look()
