"""A program at the far end of a slow link: what it sends and what is typed arrive late over it."""

import os
import select
import time
from collections import deque

from tests.support.pty_app import PtyApp

DELAY = 0.05
"""Seconds each way: 100 ms there and back."""
RATE = 50_000
"""Bytes a second to the terminal."""
BUFFER = 65_536
"""Bytes on their way at which nobody takes more from the program, as ssh does."""
PIECE = 500


class SlowApp(PtyApp):
    """As PtyApp, seen from the near end: `sent` is what has arrived."""

    _typed: deque[tuple[float, bytes]]
    _coming: deque[tuple[float, bytes]]
    _free = 0.0

    def __enter__(self) -> "SlowApp":
        self._typed, self._coming = deque(), deque()
        return self

    def keys(self, text: str) -> None:
        self._typed.append((time.monotonic() + DELAY, text.encode()))

    def read(self, seconds: float) -> bytes:
        """Return what arrives within so many seconds; at once when something did."""
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end or self._due(now):
            while self._typed and self._typed[0][0] <= now:
                os.write(self._fd, self._typed.popleft()[1])
            if self._due(now):
                data = b""
                while self._due(now):
                    data += self._coming.popleft()[1]
                self.sent += data
                return data
            self._take(min(end, *(queue[0][0] for queue in (self._typed, self._coming) if queue), end) - now)
        return b""

    def _due(self, now: float) -> bool:
        return bool(self._coming) and self._coming[0][0] <= now

    def _take(self, wait: float) -> None:
        """Put what the program writes meanwhile on its way."""
        full = sum(len(data) for _, data in self._coming) > BUFFER
        if not select.select([] if full else [self._fd], [], [], max(0, wait))[0]:
            return
        try:
            data = os.read(self._fd, 1 << 16)
        except OSError:
            time.sleep(max(0, wait))
            return
        self._free = max(self._free, time.monotonic())
        for at in range(0, len(data), PIECE):
            piece = data[at : at + PIECE]
            self._free += len(piece) / RATE
            self._coming.append((self._free + DELAY, piece))
