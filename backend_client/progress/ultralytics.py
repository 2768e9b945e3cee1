"""Ultralytics YOLO's rows: an epoch's figures, then the bar over its batches (tqdm's, or one of its own).

ultralytics/engine/trainer.py and utils/tqdm.py; YOLOv5's train.py counts its epochs from 0. The sum of the
losses is not printed: only where one column is named "loss" (classification) it is read.
"""

import re

from backend_client.progress.numbers import NOT_FINITE, any_number
from backend_client.progress.sample import NAMED_BAR, NOTHING, Position, Sample

_HEADER = re.compile(r"(?i)\s*Epoch\s+GPU_mem\s+(?P<names>.*)$")
_ROW = re.compile(
    rf"\s*(\d{{1,7}})/(\d{{1,7}})\s+[\d.]+[KMGT]?\s+(?P<figures>(?:(?:[-\d.e+]+"
    rf"|{NOT_FINITE})\s+)+)\d+:\s+\d{{1,3}}% ?"
    r"(?:\|[^|]*\||[^\w|]{1,60}) ?(\d{1,12})/(\d{1,12}) (?P<tail>.*)$",
    re.IGNORECASE,
)
"""  70/100      6.73G      1.081  0.4706  1.084  10  640: 100%|█| 16/16 [00:05<00:00,  2.78it/s]
     70/100      6.73G      1.081  0.4706  1.084  10  640: 100% ━━━━━━━━ 16/16 2.8it/s 5.7s"""
_RATE = re.compile(r"(\d+\.?\d*)(it/s|s/it)")


class UltralyticsParser:
    """Reads the rows of one output; the header above them says what its columns are."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._first = 1
        """The number of the first epoch."""

    def parse(self, line: str) -> Sample | None:
        """Return what a header or a row says; None for a line that is neither."""
        if line.startswith("Epoch") and (header := _HEADER.match(line)):
            self._names = header["names"].split()
            if {"obj", "obj_loss"} & set(self._names):
                self._first = 0
            return NOTHING
        if line[:1].isdigit() and ("it/s" in line or "s/it" in line) and (row := _ROW.match(line)):
            return self._row(row)
        return None

    def _row(self, row: re.Match[str]) -> Sample:
        epoch, epochs, step, total = int(row[1]), int(row[2]), int(row[4]), int(row[5])
        self._first = self._first if epoch else 0
        if not total or step > total or epoch > epochs:
            return NOTHING
        rate = _RATE.search(row["tail"])
        speed = float(rate[1]) if rate else 0.0
        if rate and rate[2] == "s/it" and speed:
            speed = 1 / speed
        done, whole = (epoch - self._first) * total + step, (epochs + 1 - self._first) * total
        return Sample(self._loss(row["figures"].split()), Position(NAMED_BAR, done, whole, speed))

    def _loss(self, figures: list[str]) -> float | None:
        """Return the figure of the column that is named "loss"; `figures` may lack the last columns."""
        if "loss" not in self._names or self._names.index("loss") >= len(figures):
            return None
        return any_number(figures[self._names.index("loss")])
