"""Sample: what one line of output says about a training; and what all formats share."""

import re
from typing import NamedTuple

NAMED_BAR, STEP, NAMELESS_BAR, EPOCH = 4, 3, 2, 1
"""How sure a position is: a bar that names itself or its loss, a line with a step, a bar without a name, a
line with an epoch. A surer kind of line is not overruled by another."""

EPOCH_WORD = re.compile(
    r"(?i)(?<![\w./-])(?:current[_ ])?epoch(?:\(train\))?[\"']?[ :=]{0,4}"
    r"\[? {0,4}(\d{1,9})(?![\d.]*\.\d|\d)(?: ?(?:/|of) ?(\d{1,9}))?\]?"
)
"""An epoch, and how many there are: "Epoch 3/10", "Epoch [2/10]", "Epoch: [0]" (pytorch/examples,
imagenet/main.py), "Epoch(train)  [1]" (mmengine, runner/log_processor.py), '"epoch": 1' (fairseq)."""


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
    certainty: int, epoch: tuple[int, int], step: int, total: int, rate: float
) -> Position | None:
    """Return the position over all epochs of a step within one; None where the figures do not fit."""
    number, epochs = epoch
    if not 1 <= number <= epochs or step > total:
        return None
    return Position(certainty, (number - 1) * total + step, epochs * total, rate)
