"""The loss curves that pages have asked for, in memory: a log is read once, and then on from where it was."""

import asyncio
from collections.abc import Hashable

from msgspec import Struct, field

from backend_client.progress.loss_curve import LossCurve

_MOST = 32
"""Curves that are kept, of at most some 600 kB; beyond that the one goes that was asked for longest ago."""


class LossReading(Struct):
    """A curve, and how much of the log it is of."""

    rank: int | None = None
    """Whose lines are read; None is all ranks'."""
    curve: LossCurve = field(default_factory=LossCurve)
    lines: int = 0
    cursor: str = ""
    """Behind which the log is read on."""
    trouble: str = ""
    """Why it may lack lines, as a fragment."""

    @property
    def is_empty(self) -> bool:
        """Whether no line has told a loss."""
        return not self.curve.points and not self.curve.not_finite


class LossStore:
    """Curves by what they are of."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, LossReading] = {}
        self.turn = asyncio.Lock()
        """Held while lines are parsed: however many logs are read, others wait for a few lines at most."""

    def get(self, key: Hashable) -> LossReading | None:
        """Return a curve that is kept."""
        found = self._kept.pop(key, None)
        if found is not None:
            self._kept[key] = found
        return found

    def put(self, key: Hashable, reading: LossReading) -> None:
        """Keep a curve."""
        self._kept[key] = reading
        while len(self._kept) > _MOST:
            del self._kept[next(iter(self._kept))]

    def drop(self, key: Hashable) -> None:
        """Forget a curve: its log cannot be read on."""
        self._kept.pop(key, None)
