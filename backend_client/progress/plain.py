"""Lines of plain words: "step 100/5000 loss 2.3", as training loops and most libraries print them.

A line counts only where a training loss (or a learning rate and its like) stands beside its step or epoch.
Each pattern names the libraries whose very line it reads; tests/backend_client/progress has those lines.
"""

import re
from typing import NamedTuple

from backend_client.progress.loss import tells_loss, training_loss
from backend_client.progress.numbers import seconds, whole_number
from backend_client.progress.phase import is_other, is_other_before
from backend_client.progress.sample import (
    EPOCH,
    EPOCH_WORD,
    NOTHING,
    STEP,
    Position,
    Sample,
    position_over_epochs,
)

# A dict is read for its loss: transformers, trainer_callback.py, ProgressCallback.on_log prints
# {'loss': 2.31, 'grad_norm': 1.25, 'epoch': 0.93}. Its epoch is no position; the bar beside it has that.

_STEP = re.compile(
    r"(?i)(?<![\w./-])(?:(?:trainer|train(?:ing)?|current|cur|optim(?:izer)?)[_/ .])?(global[_ ]?step|step"
    r"|iter"
    r"|iteration|num_updates"
    r"|batch)s?(?:\(train\))?[\"']?[ :=#]{0,12}[\"'\[]? {0,12}(\d[\d,]{0,17})(?![\d.]*\.\d|\d|[\d,]* ?%)"
    r"(?: {0,3}(?:/|(?:out )?of) {0,12}(\d[\d,]{0,17}))?"
)
"""A step, and how many there are:
nanoGPT, train.py:                        iter 100: loss 2.1033, time 12.50ms, mfu 1.20%
nanoGPT, train.py, estimate_loss:         step 250: train loss 2.5012, val loss 2.6120
Megatron-LM, training.py, training_log:   iteration      100/    5000 | consumed samples: ...
DeepSpeed, runtime/engine.py:             step=100, skipped=0, lr=[1e-05], mom=[(0.9, 0.95)]
DeepSpeed, runtime/pipe/engine.py:        steps: 100 loss: 2.3012 iter time (s): 0.500 samples/sec: 12.000
pytorch-tutorial:                         Epoch [2/10], Step [100/600], Loss: 0.2512
torchtune, training/metric_logging.py:    Step 450 | loss:1.234 lr:2e-05
fairseq, logging/progress_bar.py (json):  "num_updates": "100"
detectron2, utils/events.py:              eta: 0:12:32  iter: 99  total_loss: 1.234
mmengine, runner/log_processor.py:        Iter(train) [  100/40000]  lr: 1.0e-02  eta: 1 day, 3:10:11
LLaMA-Factory, trainer_log.jsonl:         {"current_steps": 5, "total_steps": 42, "loss": 1.2}
loops of one's own:                       Step 1,200 of 10,000 | loss: 3.5e-01 | 2.00 s/it"""
_NO_STEP = re.compile(r"(?i)(?:total|max|num|warm-?up|all|every|per|eval|save|log|logging|val|test)[ _-]$")
"""What makes another figure of a step: "total steps: 90"."""
_TOTAL = re.compile(
    r"(?i)(?<![\w./-])(?:(?:total|max|num|n|target|all)[_ ](?:train(?:ing)?[_ ])?(?:global[_ ]"
    r"|optimi[sz]ation[_ ])?"
    r"(?:step|iter|iteration|batche)s?|(?:total|max)[_ ]updates?|total"
    r"|steps_total)[\"']?\s?[:=]\s?[\"']?(\d[\d,]{0,17})(?![\d.]*\.\d|\d)"
)
"""How many steps there are, with a key of its own: total_steps=100, "max_steps": 100, num_iterations: 100."""
_EPOCHS = re.compile(
    r"(?i)(?<![\w./-])(?:(?:total|max|num|n)[_ ])?epochs[\"']?\s?[:=]\s?[\"']?(\d{1,9})(?![\d.]*\.\d|\d)"
)
_STEP_IN_EPOCH = re.compile(
    r"(?i)(?:^|[ \t])(?:train(?:ing)?:? )?(?:epoch(?:\(train\))?|train):? {0,5}\[? {0,4}(\d{1,9})"
    r"(?: ?/ ?(\d{1,9})(?: \( {0,2}\d{1,3}%\))?)?\]?[:,]? {0,4}\[ {0,9}(\d{1,15})/ {0,9}(\d{1,15})[\] (]"
)
"""A step that counts within its epoch:
pytorch/examples, mnist/main.py:          Train Epoch: 1 [640/60000 (1%)]\\tLoss: 2.137585
pytorch/examples, imagenet/main.py:       Epoch: [0][ 10/5005]\\tTime  0.512 ( 0.913)
mmengine, runner/log_processor.py:        Epoch(train)  [1][100/600]  lr: 1.0e-02  eta: 0:12:32
torchvision references, DeiT, MAE, DINO:  Epoch: [147]  [ 100/1251]  eta: 0:10:13  loss: 3.5884 (3.6012)
timm, train.py:                           Train: 3 [ 100/1251 (  8%)]  Loss: 6.941 (6.95)"""
_TUTORIAL = re.compile(
    r"(?i)loss:? +\S{1,24} +\[ *(?P<n>\d{1,15})/ *(?P<total>\d{1,15})\]"
    r"|\[\d{1,9}, +(?P<batch>\d{1,15})\] +loss"
    r"|\[(?P<step>\d{1,15})\] (?=.{0,400}loss)"
    r"|\W{0,9}epoch +\d{1,9} \| +(?P<at>\d{1,15})/ *(?P<of>\d{1,15}) batches"
)
"""A step without a word for it:
PyTorch's quickstart:                     loss: 2.294637  [ 6464/60000]
PyTorch's CIFAR10 tutorial:               [1,  2000] loss: 2.173
clu (JAX, Flax), metric_writers:          [1200] accuracy=0.5, loss=2.345
pytorch/examples, word_language_model:    | epoch   1 |   200/ 2983 batches | lr 20.00 | loss  7.63"""
_HEADLINE = re.compile(
    r"(?i)\W*learning iteration (\d{1,15})/(\d{1,15})\W*$|\[batch=(\d{1,15})/(\d{1,15})\]:$"
)
_BELOW_HEADLINE = "Train loss/train/total: "
"""The heads of blocks: rsl_rl (Isaac Lab), runners/on_policy_runner.py; Composer's ConsoleLogger, with its
loss below."""
_BELOW_HEADER = re.compile(r"(?i)\W*(?:train(?:ing)?\b|(?:running[ _])?loss\b)")
"""PyTorch's transfer learning tutorial: "train Loss: 0.5821 Acc: 0.7008" below "Epoch 3/24"."""
_EVIDENCE = re.compile(
    r"(?i)\b(?:(?:base_)?lr|learning[_ ]rate|grad(?:ient)?[_ ]norm|(?:mean|avg|episode?"
    r"|episodic)[_ ](?:reward|return)"
    r"|consumed samples)s?[\"']?[ :=\[(]{1,10}[\"']?(?:-?[\d.]|nan|inf)|^\W*train(?:ing)?\W{1,4}(?:step"
    r"|iter\w*)\W{1,12}\d"
)
"""What shows a training where no loss stands beside the step."""
_SUMMARY = re.compile(
    r"(?i)\W*(?:new )?(?:best|load\w*|restor\w*|download\w*|sav(?:ed|ing)|wrote|found|resum\w*|wandb)\b"
    r"|\w+\(.{0,999}\)$"
)
"""Lines about something else: the best model, a checkpoint, a print of the arguments; and, by its own word,
the summary {'train_runtime': ...} (transformers)."""

_RATES = (
    # (pattern, 0 for steps a second, else in how many parts of a second it says how long a step takes)
    (re.compile(r"(?<![\w.])(\d+\.?\d*) ?(?:it|iter|iters|step|steps|batch|batches)/s(?:ec)?\b"), 0),
    (re.compile(r"(?<![\w.])(\d+\.?\d*) ?(?:s|sec)/(?:it|iter|step|batch)\b"), 1),
    (re.compile(r"(?<![\w.])(\d+\.?\d*) ?ms/(?:it|iter|step|batch)\b"), 1000),
    (re.compile(r"steps(?:/|_per_)sec(?:ond)?[\"']?[:=] *(\d+\.?\d*)"), 0),
    (re.compile(r"elapsed time per iteration \(ms\): (\d+\.?\d*)"), 1000),  # Megatron-LM
    (re.compile(r"iter time \(s\): (\d+\.?\d*)"), 1),  # DeepSpeed, runtime/pipe/engine.py
    (re.compile(r"iter time: (\d+\.?\d*) ?ms"), 1000),  # litgpt
    (re.compile(r"loss \S+, time (\d+\.?\d*)ms, mfu "), 1000),  # nanoGPT
    (re.compile(r"completed step: \d+, seconds: (\d+\.?\d*)"), 1),  # MaxText
    (re.compile(r"ms/batch +(\d+\.?\d*)"), 1000),  # pytorch/examples, word_language_model
)
_ETA = re.compile(
    r"(?i)\b(?:eta|remaining(?:[_ ]time)?|time[_ ](?:left|remaining))[\"']?[ :=]{1,3}[\"']?"
    r"((?:\d{1,4} days?, )?\d{1,4}:\d\d:\d\d)"
)
"""detectron2 and mmengine: eta: 0:12:32; str(timedelta) of more than a day: 2 days, 1:02:03."""


class PlainParser:
    """Reads the plain lines of one output."""

    def __init__(self) -> None:
        self._per_epoch = False
        """A line has shown that its steps start again with each epoch."""
        self._first = 1
        """The number of the first epoch; DINO's is 0."""

    def parse(self, line: str, header: tuple[int, int] | None = None) -> Sample:
        """Return what a line says, which may be nothing. `header`: the "Epoch 3/10" that stands above it."""
        if headline := _HEADLINE.match(line):
            done, whole = (int(group) for group in headline.groups() if group)
            return Sample(None, Position(STEP, done, whole))
        loss = training_loss(line)
        if loss is None and (not _EVIDENCE.search(line) or tells_loss(line)):
            return NOTHING
        if is_other(line) or "train_runtime" in line or _SUMMARY.match(line):
            return NOTHING
        if inside := _STEP_IN_EPOCH.search(line):
            return Sample(loss, self._in_epoch(inside, _rate(line)))
        if tutorial := _TUTORIAL.match(line):
            return Sample(loss, _tutorial(tutorial, _rate(line)))
        epoch, step = _epoch(line), find_step(line)
        if step:
            return Sample(loss, self._position(line, step, epoch))
        if loss is not None and epoch and not line.startswith("{"):
            return Sample(loss, Position(EPOCH, epoch.number, epoch.total, _rate(line)))
        if loss is not None and header and _BELOW_HEADER.match(line):
            return Sample(loss, Position(EPOCH, *header, _rate(line)))
        alone = line.startswith(_BELOW_HEADLINE) or (line.startswith("{") and line.endswith("}"))
        return Sample(loss) if epoch or alone else NOTHING

    def _position(self, line: str, match: re.Match[str], epoch: "_Epoch | None") -> Position | None:
        step, total, rate = whole_number(match[2]), whole_number(match[3] or "0"), _rate(line)
        if is_other_before(line, match.start()):
            return None
        if not total and (key := _TOTAL.search(line)):
            total = whole_number(key[1])
        if total and step > total:
            return None
        is_batch = match[1].lower() == "batch"
        if epoch and epoch.total and total:
            self._per_epoch |= _is_per_epoch(epoch.number, epoch.total, step, total)
            if self._per_epoch or is_batch or (epoch.in_brackets and "[" in match[0]):
                return position_over_epochs(STEP, (epoch.number, epoch.total), step, total, rate)
        eta = _ETA.search(line)
        whole = not epoch or not (is_batch or epoch.total)
        return Position(STEP, step, total, rate, seconds(eta[1]) if eta else None, whole)

    def _in_epoch(self, match: re.Match[str], rate: float) -> Position:
        number, epochs, step, total = (int(group or 0) for group in match.groups())
        self._first = 0 if epochs and not number else self._first
        number += 1 - self._first
        over = position_over_epochs(STEP, (number, epochs), step, total, rate) if epochs else None
        return over or Position(STEP, step, total, rate, whole=False)


class _Epoch(NamedTuple):
    number: int
    total: int
    in_brackets: bool


def _epoch(line: str) -> _Epoch | None:
    found = EPOCH_WORD.search(line)
    if not found:
        return None
    total = found[2] or ((key := _EPOCHS.search(line)) and key[1]) or "0"
    return _Epoch(int(found[1]), int(total), "[" in found[0])


def find_step(line: str) -> re.Match[str] | None:
    """Return the step of a line; a global one before others."""
    first = None
    for match in _STEP.finditer(line):
        if _NO_STEP.search(line, max(0, match.start() - 12), match.start()):
            continue
        if match[1].lower().startswith("global"):
            return match
        first = first or match
    return first


def _tutorial(match: re.Match[str], rate: float) -> Position:
    if match["step"]:
        return Position(STEP, int(match["step"]), rate=rate)
    step, total = match["n"] or match["at"] or match["batch"], match["total"] or match["of"] or "0"
    return Position(STEP, int(step), int(total), rate, whole=False)


def _rate(line: str) -> float:
    """Return steps a second, 0 where the line does not say."""
    if "/s" not in line and "s/" not in line and "time" not in line and "sec" not in line:
        return 0.0
    for pattern, parts in _RATES:
        if (match := pattern.search(line)) and (figure := float(match[1])):
            return parts / figure if parts else figure
    return 0.0


def _is_per_epoch(epoch: int, epochs: int, step: int, total: int) -> bool:
    """Return True where step/total cannot be a count over all epochs."""
    return step * epochs > (epoch + 1) * total or step * epochs < (epoch - 1) * total
