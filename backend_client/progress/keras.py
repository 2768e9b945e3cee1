"""Keras' progress bar: "Epoch 3/10", then "450/1563 ...", which counts the steps of that epoch.

Keras 3: keras/src/utils/progbar.py; the header is a print of keras/src/callbacks/progbar_logger.py. Keras 2:
keras/utils/generic_utils.py. Both draw the bar again behind "\\b"s and a "\\r".
"""

import re

from backend_client.progress.loss import training_loss
from backend_client.progress.sample import NAMED_BAR, NOTHING, Position, Sample

_EPOCH_HEADER = re.compile(r"Epoch (\d{1,9})/(\d{1,9})$")
_BAR = re.compile(r"(\d{1,15})/(\d{1,15}|Unknown) (?:\[[=>.]+\]|\u2501+|-(?= \d+m?s - ))(?P<tail> .*)$")
"""Keras 2:    450/1563 [=======>......] - ETA: 5s - loss: 1.2345 - accuracy: 0.5541
Keras 3:    450/1563 ━━━━━━━━━━━━━━━━━━━━ 5s 4ms/step - accuracy: 0.4123 - loss: 1.6021
verbose=2:  1563/1563 - 12s - 8ms/step - accuracy: 0.5541 - loss: 1.2345"""
_STEP_TIME = re.compile(r" (\d{1,9})(us|ms|s)/(?:step|epoch)\b")
"""`Progbar._format_time`: " 4ms/step"."""
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


class KerasParser:
    """Reads the bars of one output; an evaluation's, which has no header or another length, is left out."""

    def __init__(self) -> None:
        self.header: tuple[int, int] | None = None
        """The last "Epoch 3/10": (3, 10). PyTorch's tutorials print it too."""
        self._epoch = self._epochs = 0
        self._steps = 0
        """Steps of this epoch; 0 before its first bar."""

    def parse(self, line: str) -> Sample | None:
        """Return what a header or a bar says; None for a line that is neither."""
        if header := _EPOCH_HEADER.match(line):
            self._epoch, self._epochs, self._steps = int(header[1]), int(header[2]), 0
            self.header = self._epoch, self._epochs
            return NOTHING
        if bar := _BAR.match(line):
            return self._bar(bar)
        return None

    def _bar(self, bar: re.Match[str]) -> Sample:
        pace = _STEP_TIME.search(bar["tail"])
        each = int(pace[1]) * _SECONDS[pace[2]] if pace else 0.0
        rate = 1 / each if each else 0.0
        step, total = int(bar[1]), int(bar[2].replace("Unknown", "0"))
        if not 1 <= self._epoch <= self._epochs:
            return NOTHING
        if not total:
            return Sample(training_loss(bar["tail"]), Position(NAMED_BAR, step, rate=rate, whole=False))
        if (self._steps and self._steps != total) or step > total:
            return NOTHING
        done, whole = (self._epoch - 1) * total + step, self._epochs * total
        if step == total:  # what comes without a header behind it is an evaluation
            self._epoch = self._epochs = self._steps = 0
        else:
            self._steps = total
        return Sample(training_loss(bar["tail"]), Position(NAMED_BAR, done, whole, rate))
