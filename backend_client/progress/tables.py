"""Tables that grow by a row: fastai's, spaCy's; and the one that Stable-Baselines3 prints now and then.

fastai/callback/progress.py writes "epoch     train_loss  valid_loss  time"; spacy/training/loggers.py
"E    #       LOSS TAGGER  ..."; stable_baselines3/common/logger.py a box of "|    loss    | 20.1    |".
"""

import re

from backend_client.progress.numbers import FLOAT, NOT_FINITE, any_number
from backend_client.progress.sample import (
    EPOCH,
    NAMED_BAR,
    NOTHING,
    STEP,
    Position,
    Sample,
    position_over_epochs,
)

_FASTAI = re.compile(r"epoch +train_loss +valid_loss\b")
_FASTPROGRESS = re.compile(
    r"Epoch (\d{1,9})/(\d{1,9}) : \|[^|]*\| [\d.]{1,6}% \[(\d{1,12})/(\d{1,12}) [\d:]{4,12}<[\d:?]{1,12}"
    rf"(?:[. ]{{1,6}}(?P<loss>{NOT_FINITE}|{FLOAT}))?\]",
    re.IGNORECASE,
)
"""Epoch 1/3 : |████------| 62.50% [5/8 00:00<00:00 5.7845]: fastai's bar, of the training and then of the
validation of each epoch; both with the training's loss."""
_SPACY = re.compile(r"E +# +(.*)$")
_SPACY_LOSSES = re.compile(r"LOSS \S+")
_BOX = re.compile(r"\| {1,8}(?P<key>[\w/.]{1,40}) *\| *(?P<value>[-+\w./#]{0,24}) *\|$")
_FIGURE = re.compile(r"(?i)(?:[-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|nan|inf))$")


class TableParser:
    """Reads the tables of one output; the header says what the rows below it are."""

    def __init__(self) -> None:
        self._kind = ""
        self._losses = 0
        self._section = ""
        self._box: dict[str, float] = {}
        self._trained = 0
        """The last epoch whose training has come to its end, as a bar of fastai tells."""

    @property
    def is_open(self) -> bool:
        """True below a header: a row has no word that tells what it is."""
        return bool(self._kind)

    def parse(self, line: str) -> Sample | None:
        """Return what a header or a row says; None for a line that is neither."""
        if line.startswith("|"):
            return self._boxed(line)
        if "% [" in line and (bar := _FASTPROGRESS.match(line)):
            return self._bar(bar)
        if _FASTAI.match(line):
            self._kind = "fastai"
            return NOTHING
        if spacy := _SPACY.match(line):
            self._kind, self._losses = "spacy", len(_SPACY_LOSSES.findall(spacy[1]))
            return NOTHING
        return self._row(line.split()) if self._kind else None

    def _row(self, cells: list[str]) -> Sample | None:
        if len(cells) < 4 or not all(map(_FIGURE.match, cells[:3])) or not cells[0].isdigit():
            return None
        if self._kind == "fastai":
            position = None if self._trained else Position(EPOCH, int(cells[0]))
            return Sample(any_number(cells[1]), position)
        if not cells[1].isdigit():
            return None
        loss = any_number(cells[2]) if self._losses == 1 else None
        return Sample(loss, Position(STEP, int(cells[1])))

    def _bar(self, bar: re.Match[str]) -> Sample:
        epoch, epochs, step, total = (int(bar[i]) for i in range(1, 5))
        if epoch == self._trained:
            return NOTHING
        if step == total:
            self._trained = epoch
        loss = any_number(bar["loss"]) if bar["loss"] else None
        return Sample(loss, position_over_epochs(NAMED_BAR, (epoch, epochs), step, total, 0.0))

    def _boxed(self, line: str) -> Sample | None:
        row = _BOX.match(line)
        if not row:
            return None
        key, value = row["key"], row["value"]
        if key.endswith("/") and not value:
            self._section = key
            return NOTHING
        if not _FIGURE.match(value):
            return None
        if self._section == "time/" and key in ("fps", "total_timesteps"):
            self._box[key] = any_number(value)
            if key == "fps":
                return NOTHING
            return Sample(None, Position(STEP, int(self._box[key]), rate=self._box.get("fps", 0.0)))
        if self._section == "train/" and key == "loss":
            return Sample(any_number(value))
        return None
