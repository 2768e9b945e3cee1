"""Log lines -> how far a training is: step, total, rate, time left, loss. Pure; the standard library alone.

A wrong guess is worse than none: what is not known to be training (validation, downloads, dataset maps,
checkpoint shards) is left out, and a time left is given only where it is that of the whole job. The formats
are in tqdm.py, keras.py, rich.py, ultralytics.py, tables.py and plain.py, each with the libraries that print
it; docs/reference/progress.md lists what is read of each.
"""

import re
import time
from collections.abc import Callable
from typing import Any

from backend_client.line_prefix import strip_prefix
from backend_client.progress import rich
from backend_client.progress.keras import KerasParser
from backend_client.progress.numbers import json_number
from backend_client.progress.phase import Headings, named_phase
from backend_client.progress.plain import PlainParser
from backend_client.progress.sample import EPOCH, NAMELESS_BAR, NOTHING, Position, Sample
from backend_client.progress.tables import TableParser
from backend_client.progress.tqdm import TqdmParser
from backend_client.progress.ultralytics import UltralyticsParser

_LONGEST = 1000
"""Characters of a line that are read; a longer one is no progress."""
_READ = 64 * 1024
_LINES = 200

_CSI = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x08+")
"""Colours and cursor moves, and the backspaces of Keras."""
_HEADING = 48
"""Bytes of the longest line that may be the heading of a table or of an evaluation."""


def plain_bytes(raw: bytes) -> bytes:
    """Return a line without colours, cursor moves and backspaces."""
    return _CSI.sub(b"", raw) if b"\x1b" in raw or b"\x08" in raw else raw


def _may_head(raw: bytes) -> bool:
    """Return False for a line that begins no table and no evaluation; quick, as most do not."""
    low = raw.lower()
    return (
        b"val" in low or b"test" in low or b"train" in low or b"|" in low or b"#" in low or b"dev" in low
        or b"predict" in low or b"infer" in low or b"hold" in low or b"held" in low or b"sanity" in low
        or b"benchmark" in low
    )  # fmt: skip


def _may_name_phase(raw: bytes) -> bool:
    """Return False for a line that names no evaluation, saving or loading; quick, as most do not."""
    low = raw.lower()
    return (
        b"val" in low or b"saving" in low or b"loading" in low or b"checkpoint" in low or b"resuming" in low
        or b"restoring" in low or b"writing" in low or b"tokeni" in low or b"processing" in low
        or b"test" in low or b"compiling" in low or b"predict" in low or b"fetching" in low
    )  # fmt: skip


class Tracker:
    """Reads the output of a job as it comes.

    `feed` any bytes, `read` what is known. Feed b"\\n" at the end, so that an unfinished last line counts.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        on_loss: Callable[[int, float], None] | None = None,
        on_line: Callable[[bytes], None] | None = None,
    ) -> None:
        """`on_loss(step, loss)` is called for each line with a training loss, once a step is known.

        `on_line(line)` is called for every line that is not too long, after it has been read.
        """
        self._rest = b""
        self._cut = False
        self.phase = ""
        """What its last lines say that it does instead of training: evaluating, saving, loading; else ""."""
        self._position = Position(0, 0)
        self._known = False
        self._loss: float | None = None
        self._on_loss, self._on_line = on_loss, on_line
        self._pace = _Pace(clock)
        self._tqdm, self._keras, self._plain = TqdmParser(), KerasParser(), PlainParser()
        self._ultralytics, self._tables, self._headings = UltralyticsParser(), TableParser(), Headings()

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
            if self._on_line and 4 <= len(piece) <= 4 * _LONGEST:
                self._on_line(piece)

    def read(self) -> dict[str, Any] | None:
        """Return step, total, rate (steps a second), seconds_left and loss; None for nothing.

        A loss of nan or inf is the word "nan", "inf" or "-inf": JSON has no such numbers.
        """
        if self._rest.rstrip().endswith((b"]", b"\x1b[A")):
            self._line(self._rest)
        figures: dict[str, Any] = {}
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
        if self._loss is not None:
            figures["loss"] = json_number(self._loss)
        return figures or None

    @property
    def step(self) -> int | None:
        """The step of the last position; None where none is known."""
        return self._position.step if self._known else None

    def _seconds_left(self, rate: float | None) -> float | None:
        position = self._position
        if not position.whole or self._tqdm.repeats:
            return None
        if position.seconds_left is None and position.total and rate:
            return max(0, position.total - position.step) / rate
        return position.seconds_left

    def _line(self, raw: bytes) -> None:
        if not 4 <= len(raw) <= 4 * _LONGEST:
            return
        if _may_name_phase(raw):
            words = strip_prefix(_CSI.sub(b"", raw)).decode("utf-8", "replace").strip()
            self.phase = named_phase(words[:_LONGEST]) or self.phase
        telling = b"/" in raw or b"oss" in raw or b"tep" in raw or b"LOSS" in raw
        if not telling and not self._tables.is_open and not (len(raw) <= _HEADING and _may_head(raw)):
            return
        line = strip_prefix(plain_bytes(raw)).decode("utf-8", "replace").strip()
        if len(line) > _LONGEST or self._headings.read(line):
            return
        sample = self._parse(line, telling, nested=b"\x1b[A" in raw)
        if sample is not NOTHING and not self._headings.hides(line, sample, self._position):
            self._apply(sample)

    def _parse(self, line: str, telling: bool, *, nested: bool) -> Sample:
        if not telling:
            return self._tables.parse(line) or NOTHING
        return (
            self._ultralytics.parse(line)
            or self._tqdm.parse(line, self._position, nested=nested)
            or self._keras.parse(line)
            or rich.parse(line)
            or self._tables.parse(line)
            or self._plain.parse(line, self._keras.header)
        )

    def _apply(self, sample: Sample) -> None:
        if sample.loss is not None:
            self._loss = sample.loss
            if not sample.position:
                self._tqdm.claim()
        if sample.ended:
            self._known = False
        if sample.position:
            self._move(sample.position)
            self.phase = ""
        if self._on_loss and self._known and sample.loss is not None:
            self._on_loss(self._position.step, sample.loss)

    def _move(self, position: Position) -> None:
        """Believe a position, unless a surer kind of line speaks too and has not come to its end."""
        last = self._position
        if self._known and _is_of_one_run(position, last):
            position = _together(position, last)
        at_end = last.total and last.step >= last.total
        if position.certainty < last.certainty and self._known and not at_end:
            return
        if (position.certainty, position.total) != (last.certainty, last.total) or position.step < last.step:
            self._pace.start()
        self._pace.at(position.step)
        self._position, self._known = position, True


def _is_of_one_run(now: Position, last: Position) -> bool:
    """Return True where two positions count the same steps, of which one may lack the total.

    A line behind a bar, as DeepSpeed's "step=160" behind transformers' 159/2000; a total that only some lines
    have. Epochs and steps are never the same.
    """
    total = now.total or last.total
    if not total or (now.total and last.total) or max(now.step, last.step) > total:
        same_bar = now.total == last.total and NAMELESS_BAR == now.certainty < last.certainty
        return bool(total) and same_bar and abs(now.step - last.step) <= _apart(total)
    if now.certainty == last.certainty:
        return now.step >= last.step - _apart(total)
    return EPOCH not in (now.certainty, last.certainty) and abs(now.step - last.step) <= _apart(total)


def _apart(total: int) -> int:
    """Return how many steps two lines may be apart that are written at about the same time."""
    return max(10, total // 20)


def _together(now: Position, last: Position) -> Position:
    return now._replace(
        certainty=max(now.certainty, last.certainty),
        total=now.total or last.total,
        rate=now.rate or last.rate,
        whole=now.whole and last.whole,
    )


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
