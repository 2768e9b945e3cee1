"""Log lines -> how far a training is: step, total, rate, time left, loss. Pure; the standard library alone.

A wrong guess is worse than none: what is not known to be training (validation, downloads, dataset maps,
checkpoint shards) is left out, and a time left is given only where it is that of the whole job. The formats
are in tqdm.py, keras.py, rich.py and plain.py, each with the libraries that print it.
"""

import re
import time
from collections.abc import Callable
from math import isfinite

from backend_client.progress import rich
from backend_client.progress.keras import KerasParser
from backend_client.progress.plain import PlainParser
from backend_client.progress.sample import Position, Sample
from backend_client.progress.tqdm import TqdmParser

_LONGEST = 1000
"""Characters of a line that are read; a longer one is no progress."""
_READ = 64 * 1024
_LINES = 200

_CSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x08+")
"""Colours and cursor moves, and the backspaces of Keras."""


class Tracker:
    """Reads the output of a job as it comes.

    `feed` any bytes, `read` what is known. Feed b"\\n" at the end, so that an unfinished last line counts.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        on_loss: Callable[[int, float], None] | None = None,
    ) -> None:
        """`on_loss(step, loss)` is called for each line with a finite training loss, once a step is known."""
        self._rest = b""
        self._cut = False
        self._position = Position(0, 0)
        self._known = False
        self._loss: float | None = None
        self._on_loss = on_loss
        self._pace = _Pace(clock)
        self._tqdm, self._keras, self._plain = TqdmParser(), KerasParser(), PlainParser()

    def feed(self, data: bytes, *, cut: bool = False) -> None:
        """Take output: many lines, parts of lines, bars that end in "\\r". Never raises; time is bounded.

        `cut`: bytes before `data` were left out, so its first line may be a rest and is not read.
        """
        if len(data) > _READ:
            data, cut = data[-_READ:], True
        if cut:
            self._rest, self._cut = b"", True
        pieces = re.split(rb"[\r\n]", self._rest + data)
        if self._cut and len(pieces) > 1:
            pieces, self._cut = pieces[1:], False
        self._rest = pieces.pop()
        if self._cut or len(self._rest) > 4 * _LONGEST:
            self._rest, self._cut = b"", True
        for piece in pieces[-_LINES:]:
            self._line(piece)

    def read(self) -> dict[str, float] | None:
        """Return step, total, rate (steps a second), seconds_left and loss; None for nothing.

        All are finite numbers. After a loss of nan or inf the loss is not known: it goes into JSON, which has
        no such numbers, and the one before would be a lie.
        """
        if self._rest.rstrip().endswith((b"]", b"\x1b[A")):
            self._line(self._rest)
        figures: dict[str, float] = {}
        if self._known:
            figures["step"] = self._position.step
            if self._position.total:
                figures["total"] = self._position.total
            rate = self._position.rate or self._pace.rate
            if rate:
                figures["rate"] = rate
            left = self._seconds_left(rate)
            if left is not None:
                figures["seconds_left"] = left
        if self._loss is not None and isfinite(self._loss):
            figures["loss"] = self._loss
        return figures or None

    def _seconds_left(self, rate: float | None) -> float | None:
        position = self._position
        if not position.whole or self._tqdm.repeats:
            return None
        if position.seconds_left is None and position.total and rate:
            return max(0, position.total - position.step) / rate
        return position.seconds_left

    def _line(self, raw: bytes) -> None:
        if not 6 <= len(raw) <= 4 * _LONGEST or (
            b"/" not in raw and b"oss" not in raw and b"step" not in raw
        ):
            return
        line = _CSI.sub("", raw.decode("utf-8", "replace")).strip()
        if len(line) > _LONGEST:
            return
        self._apply(
            self._tqdm.parse(line, self._position, nested=b"\x1b[A" in raw)
            or self._keras.parse(line)
            or rich.parse(line)
            or self._plain.parse(line)
        )

    def _apply(self, sample: Sample) -> None:
        if sample.loss is not None:
            self._loss = sample.loss
        if sample.ended:
            self._known = False
        if sample.position:
            self._move(sample.position)
        if self._on_loss and self._known and sample.loss is not None and isfinite(sample.loss):
            self._on_loss(self._position.step, sample.loss)

    def _move(self, position: Position) -> None:
        """Believe a position, unless a surer kind of line speaks too and has not come to its end."""
        last = self._position
        at_end = last.total and last.step >= last.total
        if position.certainty < last.certainty and self._known and not at_end:
            return
        if (position.certainty, position.total) != (last.certainty, last.total) or position.step < last.step:
            self._pace.start()
        self._pace.at(position.step)
        self._position, self._known = position, True


class _Pace:
    """Steps a second by our own clock, over the last one to two minutes: for lines that name no rate."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.start()

    def start(self) -> None:
        self._old = self._mid = self._last = None  # type: tuple[float, int] | None

    def at(self, step: int) -> None:
        now = self._clock()
        if self._last and self._last[1] == step:
            return
        self._last = (now, step)
        if not self._old or not self._mid:
            self._old = self._mid = self._last
        elif now - self._mid[0] > 60:
            self._old, self._mid = self._mid, self._last

    @property
    def rate(self) -> float | None:
        if not self._old or not self._last or self._last[0] - self._old[0] < 5:
            return None
        return (self._last[1] - self._old[1]) / (self._last[0] - self._old[0])
