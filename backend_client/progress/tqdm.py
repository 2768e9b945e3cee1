"""tqdm's bars, and those of what is built on it: Hugging Face Trainer, Lightning, torchtune, Composer.

The line is that of `tqdm.format_meter` (tqdm/std.py, tqdm 4):

    {desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}{postfix}]
"""

import re

from backend_client.progress.loss import training_loss
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
_IGNITE = re.compile(
    r"(?P<desc>[^\[\]]{0,60}(?:\[\d{1,9}/\d{1,9}\]:? ?)?)\[(?P<n>\d{1,15})/(?P<total>\d{1,15})\] +\d{1,3}%"
    r"\|[^|,\[]*\|?"
    r"(?P<postfix>[^\[\]]*)\[[\d:]+<(?P<left>[\d:]+|\?)\]"
)
"""pytorch-ignite, handlers/tqdm_logger.py: Epoch [2/10]: [12/100]  12%|█▏        , loss=0.5 [00:01<00:10]."""
_LOGGABLE = re.compile(
    r"Progress on: ?(?P<desc>.*?) (?P<n>[\d.]{1,15})(?P<nk>[kMGT]?)[a-z]{0,8}/(?P<total>[\d.]{1,15})(?P<tk"
    r">[kMGT]?)[a-z]{0,8} "
    r"rate:(?P<rate>[\d.]{1,15}|\?) *(?P<unit>[A-Za-z]+/[A-Za-z]+) remaining:(?P<left>[\d:]+|\?) elapsed:\S+ "
    r"postfix:(?P<postfix>.*)$"
)
"""tqdm-loggable, which prints a line where there is no terminal (Levanter)."""
_STEP_UNITS = ("it", "iter", "step", "steps", "batch", "batches", "epoch", "epochs")
"""Units that are steps of a training; others count examples, bytes, tokens."""
_TRAINING_UNITS = (
    *_STEP_UNITS,
    "ba",
    "ex",
    "ep",
    "sample",
    "samples",
    "example",
    "examples",
    "img",
    "image",
    "images",
)
"""Units of a bar that names itself a training or has a loss: Composer's "ba/s" and "ex/s", and examples."""
_TRIFLE = 20
"""A bar that is so many times shorter than the training's is not the next part of it."""
_TORCHTUNE = re.compile(r"\d+\|\d+\|")
"""torchtune's description counts one epoch (recipes/full_finetune_single_device.py):
f"{curr_epoch + 1}|{self.global_step}|Loss: {loss_to_log}"."""

_TRAINING = re.compile(r"(?i)(?:train|epoch|step|iter|fine-?tun|\bfit|\blearn|\boptimi[sz])")
_OTHER_PHASE = re.compile(r"(?i)\b(?:val|eval|test|dev|predict|sanity|infer|hold-?out)")
_NOT_TRAINING = re.compile(
    r"(?i)\b(?:download|fetch|load|map|filter|token|generat|process|preproc|sampl|cach|extract|build"
    r"|compil|captur"
    r"|warm|sav|pack|resol|copy|upload|convert|split|scan|index|read|verif|check|collect|collat|hash|encod"
    r"|decod|export"
    r"|import|prepar|merg|quantiz|calibrat|resiz|render|plot|writ|unpack|unzip|decompress|pars|count"
    r"|shuffl|embed|format"
    r"|dataset\b|find)"
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
        self._speed = 0.0
        """Of the training's bar, in steps a second."""
        self._other = 0
        """The total of a bar that was left out, and has not come to its end."""

    def parse(self, line: str, last: Position, *, nested: bool) -> Sample | None:
        """Return what a bar says; None for a line that is none.

        `last`: the position before, of any format. `nested`: the bar stands below another one, to which tqdm
        goes back with a cursor up (ESC [A).
        """
        if line.startswith("Progress on:") and (bar := _LOGGABLE.match(line)):
            return self._bar(bar, last, nested=False)
        if "[" not in line:  # spares most lines the search of the whole line
            return None
        if bar := _BAR.match(line):
            return self._bar(bar, last, nested=nested)
        if count := _COUNT.match(line):
            return _count(count)
        if "%|" in line and (ignite := _IGNITE.match(line)):
            return _ignite(ignite)
        return None

    def claim(self) -> None:
        """Take the bar that is being left out for the training's: a training loss was printed beside it."""
        if self._other:
            self._total, self._other = self._other, 0

    def _bar(self, bar: re.Match[str], last: Position, *, nested: bool) -> Sample:
        description = bar["desc"].strip(" :")
        loss = training_loss(bar["postfix"])
        if loss is None and description:
            loss = training_loss(description)
        named = loss is not None or bool(_TRAINING.search(description))
        rate = _rate(bar["rate"], bar["unit"], _TRAINING_UNITS if named else _STEP_UNITS)
        if rate is None or _is_other(description, loss) or (description and not named):
            return NOTHING
        step, total = scaled(bar["n"], bar["nk"]), scaled(bar["total"], bar["tk"])
        if nested or not total:
            return Sample(loss)
        if not description and loss is None and (other := self._other_bar(step, total, rate, last)):
            return other
        self.repeats |= self._total == total and step < last.step == last.total == total
        self._total, self._speed, self._other = total, rate or self._speed, 0
        left = seconds(bar["left"])
        if not description:
            certainty = NAMELESS_BAR if loss is None else NAMED_BAR
            return Sample(loss, Position(certainty, step, total, rate, left))
        epoch = EPOCH_WORD.search(description)
        if epoch and epoch[2]:
            part_of = (int(epoch[1]), int(epoch[2]))
            return Sample(loss, position_over_epochs(NAMED_BAR, part_of, step, total, rate))
        whole = not (epoch or _TORCHTUNE.match(description))
        return Sample(loss, Position(NAMED_BAR, step, total, rate, left, whole))

    def _other_bar(self, step: int, total: int, rate: float, last: Position) -> Sample | None:
        """Return what a bar without a name says that is not the training's; None for the training's own.

        transformers shows such a one, shorter and faster, for each evaluation. One as slow as the first, and
        no mere trifle beside it, is the next part of the work.
        """
        if not self._total or total == self._total:
            return None
        if last.step < last.total == self._total:
            self._other = 0
            return NOTHING
        if total > self._total or (0 < rate <= 1.6 * self._speed and total * _TRIFLE >= self._total):
            return None
        self._other = total if step < total else 0
        return Sample(ended=step < total)


def _is_other(description: str, loss: float | None) -> bool:
    """Return True for the bar of an evaluation, and for one of other work that shows no loss."""
    if not description:
        return False
    other = _OTHER_PHASE.search(description)
    return bool(other or (loss is None and _NOT_TRAINING.search(description)))


def _ignite(bar: re.Match[str]) -> Sample:
    description, step, total = bar["desc"], int(bar["n"]), int(bar["total"])
    loss = training_loss(bar["postfix"])
    if _is_other(description, loss) or not (loss is not None or _TRAINING.search(description)):
        return NOTHING
    epoch = EPOCH_WORD.search(description)
    if epoch and epoch[2]:
        return Sample(loss, position_over_epochs(NAMED_BAR, (int(epoch[1]), int(epoch[2])), step, total, 0.0))
    return Sample(loss, Position(NAMED_BAR, step, total, 0.0, seconds(bar["left"]), whole=not epoch))


def _count(bar: re.Match[str]) -> Sample:
    loss = training_loss(bar["postfix"])
    if _is_other(bar["desc"], loss) or (loss is None and not _TRAINING.search(bar["desc"])):
        return NOTHING
    return Sample(loss, Position(STEP, int(bar["n"]), rate=_rate(bar["rate"], bar["unit"]) or 0.0))


def _rate(rate: str, unit: str, units: tuple[str, ...] = _STEP_UNITS) -> float | None:
    """Return steps a second, 0 where the bar does not know; None where it counts something else."""
    above, below = unit.split("/")
    scale = 1
    if above[0] in "kMG" and above[1:] in units:
        scale, above = SCALE[above[0]], above[1:]
    if not (above in units and below == "s") and not (above == "s" and below in units):
        return None
    figure = number(rate)
    return figure * scale if below == "s" or not figure else 1 / figure
