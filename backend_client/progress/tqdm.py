"""tqdm's bars, and those of what is built on it: Hugging Face Trainer, Lightning, torchtune.

The line is that of `tqdm.format_meter` (tqdm/std.py, tqdm 4):

    {desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}{postfix}]
"""

import re

from backend_client.progress.numbers import SCALE, number, scaled, seconds
from backend_client.progress.sample import (
    EPOCH_WORD,
    NAMED_BAR,
    NAMELESS_BAR,
    NOTHING,
    STEP,
    Position,
    Sample,
    position_over_epochs,
    training_loss,
)

_BAR = re.compile(
    r"(?P<desc>.*?)\d{1,3}%(?:\|[^|]*\|)? *(?P<n>[\d.]{1,15})(?P<nk>[kMGT]?)/"
    r"(?P<total>[\d.]{1,15})(?P<tk>[kMGT]?) *\[[\d:]+<(?P<left>[\d:]+|\?), *"
    r"(?P<rate>[\d.]{1,15}|\?) *(?P<unit>[A-Za-z]+/[A-Za-z]+)(?P<postfix>[^\]]*)\]"
)
"""train:  31%|███▏      | 3118/10000 [26:51<59:12,  1.94it/s, loss=0.412]; with ncols=0 there is no |bar|."""
_COUNT = re.compile(
    r"(?P<desc>[^\d:]*):? ?(?P<n>\d{1,15})it \[[\d:]+, *(?P<rate>[\d.]{1,15}) *(?P<unit>it/s|s/it)"
    r"(?P<postfix>[^\]]*)\]"
)
"""Where the total is unknown: 1234it [02:03, 10.02it/s, loss=0.3]."""
_STEP_UNITS = ("it", "iter", "step", "steps", "batch", "batches", "epoch", "epochs")
"""Units that are steps of a training; others count examples, bytes, tokens."""
_TORCHTUNE = re.compile(r"\d+\|\d+\|")
"""torchtune's description counts one epoch (recipes/full_finetune_single_device.py):
f"{curr_epoch + 1}|{self.global_step}|Loss: {loss_to_log}"."""

_TRAINING = re.compile(r"(?i)(?:train|epoch|step|iter|fine-?tun)")
_NOT_TRAINING = re.compile(
    r"(?i)\b(?:val|valid|eval|test|dev|predict|sanity|download|fetch|load|map|filter|token|generat|process|preproc"
    r"|sampl|cach|extract|infer|build|compil|captur|warm|sav|pack|resol|copy|upload|convert|split)"
)
"""Descriptions of other work: "Sanity Checking DataLoader 0" (Lightning), "Loading checkpoint shards"
(transformers), "Map", "Generating train split" (datasets), "Fetching 12 files" (huggingface_hub),
"Capturing CUDA graph shapes" (vLLM)."""


class TqdmParser:
    """Reads the bars of one output, and remembers which of them is the training's."""

    def __init__(self) -> None:
        self.repeats = False
        """A bar has started again after its end: the time that one names is not that of the job."""
        self._total = 0

    def parse(self, line: str, last: Position, *, nested: bool) -> Sample | None:
        """Return what a bar says; None for a line that is none.

        `last`: the position before, of any format. `nested`: the bar stands below another one, to which tqdm
        goes back with a cursor up (ESC [A).
        """
        if "[" not in line:  # spares most lines the search of the whole line
            return None
        if bar := _BAR.match(line):
            return self._bar(bar, last, nested=nested)
        if count := _COUNT.match(line):
            return _count(count)
        return None

    def _bar(self, bar: re.Match[str], last: Position, *, nested: bool) -> Sample:
        description, rate = bar["desc"].strip(" :"), _rate(bar["rate"], bar["unit"])
        if rate is None or _NOT_TRAINING.search(description):
            return NOTHING
        loss = training_loss(bar["postfix"])
        if loss is None:
            loss = training_loss(description)
        if description and loss is None and not _TRAINING.search(description):
            return NOTHING
        step, total = scaled(bar["n"], bar["nk"]), scaled(bar["total"], bar["tk"])
        if nested or not total:
            return Sample(loss)
        if not description and loss is None and (other := self._other_bar(step, total, last)):
            return other
        self.repeats |= self._total == total and step < last.step == last.total == total
        self._total = total
        return Sample(loss, _position(bar, description, loss, rate))

    def _other_bar(self, step: int, total: int, last: Position) -> Sample | None:
        """Return what a bar without a name says that is not the training's; None for the training's own.

        transformers shows such a one, shorter, for each evaluation.
        """
        if not self._total or total == self._total:
            return None
        if last.step < last.total == self._total:
            return NOTHING
        if total > self._total:
            return None
        return Sample(ended=step < total)


def _position(bar: re.Match[str], description: str, loss: float | None, rate: float) -> Position | None:
    step, total = scaled(bar["n"], bar["nk"]), scaled(bar["total"], bar["tk"])
    epoch = EPOCH_WORD.search(description)
    if epoch and epoch[2]:
        return position_over_epochs(NAMED_BAR, epoch, step, total, rate)
    certainty = NAMED_BAR if description or loss is not None else NAMELESS_BAR
    whole = not (epoch or _TORCHTUNE.match(description))
    return Position(certainty, step, total, rate, seconds(bar["left"]), whole)


def _count(bar: re.Match[str]) -> Sample:
    loss = training_loss(bar["postfix"])
    if _NOT_TRAINING.search(bar["desc"]) or (loss is None and not _TRAINING.search(bar["desc"])):
        return NOTHING
    return Sample(loss, Position(STEP, int(bar["n"]), rate=_rate(bar["rate"], bar["unit"]) or 0.0))


def _rate(rate: str, unit: str) -> float | None:
    """Return steps a second, 0 where the bar does not know; None where it counts something else."""
    above, below = unit.split("/")
    scale = 1
    if above[0] in "kMG" and above[1:] in _STEP_UNITS:
        scale, above = SCALE[above[0]], above[1:]
    if not (above in _STEP_UNITS and below == "s") and not (above == "s" and below in _STEP_UNITS):
        return None
    figure = number(rate)
    return figure * scale if below == "s" or not figure else 1 / figure
