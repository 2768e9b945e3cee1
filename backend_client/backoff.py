"""How long to wait before the next try."""

import asyncio
import random

FIRST_SECONDS = 0.8
LONGEST_SECONDS = 30.0
HEALTHY_SECONDS = 120.0
"""After so long without a failure the next one counts as the first."""


class Backoff:
    """Doubles from 0.8 to 30 s, with full jitter, so that many clients do not come back at once."""

    def __init__(self) -> None:
        self._ceiling = 0.0
        self._failed_at = 0.0

    def next(self) -> float:
        """Seconds to wait after this failure."""
        now = asyncio.get_running_loop().time()
        well = now - self._failed_at > HEALTHY_SECONDS
        self._ceiling = (
            FIRST_SECONDS if well or not self._ceiling else min(LONGEST_SECONDS, self._ceiling * 2)
        )
        self._failed_at = now
        return random.uniform(0.0, self._ceiling)  # noqa: S311 - spreads load, hides nothing
