"""Lines of plain words: "step 100/5000 loss 2.3", as training loops and most libraries print them.

A line counts only where a training loss (or a learning rate) stands beside its step or epoch. Each pattern
names the libraries whose very line it reads; tests/backend_client/progress/test_parser.py has those lines.
"""

import re

from backend_client.progress.numbers import seconds, whole_number
from backend_client.progress.sample import (
    EPOCH,
    EPOCH_WORD,
    NOTHING,
    STEP,
    Position,
    Sample,
    position_over_epochs,
    training_loss,
)

_STEP = re.compile(
    r"(?i)(?<![\w./-])(global[_ ]?step|step|iter|iteration|num_updates|batch)s?[\"']?[ :=#]{0,12}"
    r"[\"'\[]? {0,12}(\d[\d,]{0,17})(?![\d.]*\.\d|\d)(?: {0,3}(?:/|of) {0,12}(\d[\d,]{0,17}))?"
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
loops of one's own:                       Step 1,200 of 10,000 | loss: 3.5e-01 | 2.00 s/it"""
_STEP_IN_EPOCH = re.compile(
    r"(?i)(?:^|[ \t])(?:train )?epoch(?:\(train\))?:? {1,2}\[? ?\d{1,9}\]? ?\[ ?(\d{1,15})/ ?(\d{1,15})[\] ]"
)
"""A step that counts within its epoch:
pytorch/examples, mnist/main.py:          Train Epoch: 1 [640/60000 (1%)]\\tLoss: 2.137585
pytorch/examples, imagenet/main.py:       Epoch: [0][ 10/5005]\\tTime  0.512 ( 0.913)
mmengine, runner/log_processor.py:        Epoch(train)  [1][100/600]  lr: 1.0e-02  eta: 0:12:32"""
_DICT_OF_LOSS = ("{'loss'", '{"loss"')
"""transformers, trainer_callback.py, ProgressCallback.on_log prints a dict: {'loss': 2.3145, 'grad_norm':
1.25, 'learning_rate': 3.441e-05, 'epoch': 0.93}. Its epoch is no position; the bar beside it has that."""
_LEARNING_RATE = re.compile(r"(?i)\b(?:lr|learning[_ ]rate)\b")
_EVALUATION = re.compile(r"(?i)\b(?:valid(?:ation)?|eval(?:uat\w+)?|test(?:ing)?)\b(?! ?loss)|train_runtime")
"""Lines about something else: " validation loss at iteration 100 | lm loss value: ..." (Megatron-LM),
"Test set: Average loss: 0.0512" (pytorch/examples), the summary {'train_runtime': ...} (transformers)."""

_RATES = (
    # (pattern, 0 for steps a second, else in how many parts of a second it says how long a step takes)
    (re.compile(r"(?<![\w.])(\d+\.?\d*) ?(?:it|iter|iters|step|steps)/s(?:ec)?\b"), 0),
    (re.compile(r"(?<![\w.])(\d+\.?\d*) ?(?:s|sec)/(?:it|iter|step)\b"), 1),
    (re.compile(r"elapsed time per iteration \(ms\): (\d+\.?\d*)"), 1000),  # Megatron-LM
    (re.compile(r"iter time \(s\): (\d+\.?\d*)"), 1),  # DeepSpeed, runtime/pipe/engine.py
    (re.compile(r"loss \S+, time (\d+\.?\d*)ms, mfu "), 1000),  # nanoGPT
)
_ETA = re.compile(r"(?i)\beta: ((?:\d{1,4} days?, )?\d{1,4}:\d\d:\d\d)")
"""detectron2 and mmengine: eta: 0:12:32; str(timedelta) of more than a day: 2 days, 1:02:03."""


class PlainParser:
    """Reads the plain lines of one output."""

    def __init__(self) -> None:
        self._per_epoch = False
        """A line has shown that its steps start again with each epoch."""

    def parse(self, line: str) -> Sample:
        """Return what a line says, which may be nothing."""
        loss = training_loss(line)
        if _EVALUATION.search(line):
            return NOTHING
        if loss is None and (not _LEARNING_RATE.search(line) or "loss" in line.lower()):
            return NOTHING
        step, epoch, inside = _STEP.search(line), EPOCH_WORD.search(line), _STEP_IN_EPOCH.search(line)
        if not step and not epoch and not line.startswith(_DICT_OF_LOSS):
            return NOTHING
        rate = _rate(line)
        if inside:
            return Sample(loss, Position(STEP, int(inside[1]), int(inside[2]), rate, whole=False))
        if step:
            return Sample(loss, self._position(line, step, epoch, rate))
        if epoch and epoch[2] and loss is not None and not line.startswith("{"):
            return Sample(loss, Position(EPOCH, int(epoch[1]), int(epoch[2]), rate))
        return Sample(loss)

    def _position(
        self, line: str, match: re.Match[str], epoch: re.Match[str] | None, rate: float
    ) -> Position | None:
        step, total = whole_number(match[2]), whole_number(match[3] or "0")
        if total and step > total:
            return None
        is_batch = match[1].lower() == "batch"
        if epoch and epoch[2] and total:
            self._per_epoch |= _is_per_epoch(int(epoch[1]), int(epoch[2]), step, total)
            if self._per_epoch or is_batch or ("[" in epoch[0] and "[" in match[0]):
                return position_over_epochs(STEP, epoch, step, total, rate)
        eta = _ETA.search(line)
        whole = not epoch or not (is_batch or epoch[2])
        return Position(STEP, step, total, rate, seconds(eta[1]) if eta else None, whole)


def _rate(line: str) -> float:
    """Return steps a second, 0 where the line does not say."""
    for pattern, parts in _RATES:
        if (match := pattern.search(line)) and (figure := float(match[1])):
            return parts / figure if parts else figure
    return 0.0


def _is_per_epoch(epoch: int, epochs: int, step: int, total: int) -> bool:
    """Return True where step/total cannot be a count over all epochs."""
    return step * epochs > (epoch + 1) * total or step * epochs < (epoch - 1) * total
