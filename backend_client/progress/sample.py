"""Sample: what one line of output says about a training; and the patterns that all formats share."""

import re
from typing import NamedTuple

from backend_client.progress.numbers import FLOAT

NAMED_BAR, STEP, NAMELESS_BAR, EPOCH = 4, 3, 2, 1
"""How sure a position is: a bar that names itself or its loss, a line with a step, a bar without a name, a
line with an epoch. A surer kind of line is not overruled by another."""

EPOCH_WORD = re.compile(
    r"(?i)(?<![\w./-])epoch(?:\(train\))?[\"']?[ :=]{0,4}"
    r"\[? ?(\d{1,9})(?![\d.]*\.\d|\d)(?: ?/ ?(\d{1,9}))?\]?"
)
"""An epoch, and how many there are: "Epoch 3/10", "Epoch [2/10]", "Epoch: [0]" (pytorch/examples,
imagenet/main.py), "Epoch(train)  [1]" (mmengine, runner/log_processor.py), '"epoch": 1' (fairseq)."""

_LOSS = re.compile(
    r"(?i)(?:^|([\w./-]+)[ :|,]{1,3})?(?<![\w./-])[\"']?([\w./-]{0,20}?)loss[\"']?"
    rf"(?: {{0,3}}[:=] {{0,3}}|[ \t]{{1,3}})[\"']?({FLOAT}|nan|inf|-inf)(?![\w.%])"
)
"""A loss, its prefix and the word before it: "loss=0.412", "train_loss: 0.4", "Loss 6.9121e+00 (6.95)",
"{'loss': 2.3145," (transformers, trainer_callback.py), "| lm loss: 2.303251E+00 |" (Megatron-LM,
training.py), "loss:1.234" (torchtune)."""
_TRAINING_PREFIX = re.compile(r"(?i)(?:(?:train(?:ing)?|total|lm|avg|mean|running|step)[_/. -]?)*$")
_OTHER_WORD = re.compile(
    r"(?i)(?:val|valid|validation|eval|evaluation|test|dev|best|aux|kl|reg|min|lowest|prev|previous|packet|z)$"
)
"""The word before a loss that is not the training's: "val loss 2.6120" (nanoGPT), "packet loss: 5%"."""


class Position(NamedTuple):
    """How far a training is. A rate of 0 and a total of 0 are unknown ones."""

    certainty: int
    step: int
    total: int = 0
    rate: float = 0.0
    """Steps a second."""
    seconds_left: float | None = None
    whole: bool = True
    """The total is that of the whole job, not of one epoch."""


class Sample(NamedTuple):
    """What was read in one line."""

    loss: float | None = None
    """The training loss; may be nan or inf."""
    position: Position | None = None
    ended: bool = False
    """The training whose position was read before has ended; something else runs."""


NOTHING = Sample()
"""Of a line whose format is known, and which says nothing about a training."""


def position_over_epochs(
    certainty: int, epoch: re.Match[str], step: int, total: int, rate: float
) -> Position | None:
    """Return the position over all epochs of a step within one; None where the figures do not fit."""
    number, epochs = int(epoch[1]), int(epoch[2])
    if not 1 <= number <= epochs or step > total:
        return None
    return Position(certainty, (number - 1) * total + step, epochs * total, rate)


def training_loss(text: str) -> float | None:
    """Return the first training loss in a text."""
    for match in _LOSS.finditer(text):
        before, prefix, figure = match.groups()
        if _TRAINING_PREFIX.match(prefix) and not (before and _OTHER_WORD.search(before)):
            return float(figure)
    return None
