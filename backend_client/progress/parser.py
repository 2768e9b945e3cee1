"""Log lines -> how far a training is: step, total, rate, time left, loss. Pure; the standard library alone.

A wrong guess is worse than none: what is not known to be training (validation, downloads, dataset maps,
checkpoint shards) is left out, and a time left is given only where it is that of the whole job.
"""

import re
import time
from collections.abc import Callable
from math import isfinite

_LONGEST = 1000
"""Characters of a line that are read; a longer one is no progress."""
_READ = 64 * 1024
_LINES = 200

_CSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x08+")
_FLOAT = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_BAR = re.compile(
    r"(?P<desc>.*?)\d{1,3}%(?:\|[^|]*\|)? *(?P<n>[\d.]{1,15})(?P<nk>[kMGT]?)/"
    r"(?P<total>[\d.]{1,15})(?P<tk>[kMGT]?) *\[[\d:]+<(?P<left>[\d:]+|\?), *"
    r"(?P<rate>[\d.]{1,15}|\?) *(?P<unit>[A-Za-z]+/[A-Za-z]+)(?P<postfix>[^\]]*)\]"
)
_COUNT = re.compile(
    r"(?P<desc>[^\d:]*):? ?(?P<n>\d{1,15})it \[[\d:]+, *(?P<rate>[\d.]{1,15}) *(?P<unit>it/s|s/it)"
    r"(?P<postfix>[^\]]*)\]"
)
_KERAS_EPOCH = re.compile(r"Epoch (\d{1,9})/(\d{1,9})$")
_KERAS = re.compile(r"(\d{1,15})/(\d{1,15}) (?:\[[=>.]+\]|\u2501+|-(?= \d+m?s - ))(?P<tail> .*)$")
_KERAS_RATE = re.compile(r" (\d{1,9})(us|ms|s)/(?:step|epoch)\b")
_RICH = re.compile(
    r"Epoch (\d{1,9})/(\d{1,9}) +[\u2501\u2578\u257a ]+(\d{1,15})/(\d{1,15}) \S+ \u2022 \S+ ([\d.]{1,15})it/s"
    r"(?P<tail>.*)$"
)
_EPOCH = re.compile(
    r"(?i)(?<![\w./-])epoch(?:\(train\))?[\"']?[ :=]{0,4}"
    r"\[? ?(\d{1,9})(?![\d.]*\.\d|\d)(?: ?/ ?(\d{1,9}))?\]?"
)
_STEP = re.compile(
    r"(?i)(?<![\w./-])(global[_ ]?step|step|iter|iteration|num_updates|batch)s?[\"']?[ :=#]{0,12}"
    r"[\"'\[]? {0,12}(\d[\d,]{0,17})(?![\d.]*\.\d|\d)(?: {0,3}(?:/|of) {0,12}(\d[\d,]{0,17}))?"
)
_IN_EPOCH = re.compile(
    r"(?i)(?:^|[ \t])(?:train )?epoch(?:\(train\))?:? {1,2}\[? ?\d{1,9}\]? ?\[ ?(\d{1,15})/ ?(\d{1,15})[\] ]"
)
_LOSS = re.compile(
    r"(?i)(?:^|([\w./-]+)[ :|,]{1,3})?(?<![\w./-])[\"']?([\w./-]{0,20}?)loss[\"']?"
    rf"(?: {{0,3}}[:=] {{0,3}}|[ \t]{{1,3}})[\"']?({_FLOAT}|nan|inf|-inf)(?![\w.%])"
)
_LR = re.compile(r"(?i)\b(?:lr|learning[_ ]rate)\b")
_RATES = (
    # What a figure is: steps a second (0), or how long a step takes, in so many parts of a second.
    (re.compile(r"(?<![\w.])(\d+\.?\d*) ?(?:it|iter|iters|step|steps)/s(?:ec)?\b"), 0),
    (re.compile(r"(?<![\w.])(\d+\.?\d*) ?(?:s|sec)/(?:it|iter|step)\b"), 1),
    (re.compile(r"elapsed time per iteration \(ms\): (\d+\.?\d*)"), 1000),
    (re.compile(r"iter time \(s\): (\d+\.?\d*)"), 1),
    (re.compile(r"loss \S+, time (\d+\.?\d*)ms, mfu "), 1000),
)
_ETA = re.compile(r"(?i)\beta: ((?:\d{1,4} days?, )?\d{1,4}:\d\d:\d\d)")

_TRAINS = re.compile(r"(?i)(?:train|epoch|step|iter|fine-?tun)")
_ELSE = re.compile(
    r"(?i)\b(?:val|valid|eval|test|dev|predict|sanity|download|fetch|load|map|filter|token|generat|process|preproc"
    r"|sampl|cach|extract|infer|build|compil|captur|warm|sav|pack|resol|copy|upload|convert|split)"
)
_NOT_TRAINING = re.compile(
    r"(?i)\b(?:valid(?:ation)?|eval(?:uat\w+)?|test(?:ing)?)\b(?! ?loss)|train_runtime"
)
_UNITS = ("it", "iter", "step", "steps", "batch", "batches", "epoch", "epochs")
_OTHER_LOSS = re.compile(
    r"(?i)(?:val|valid|validation|eval|evaluation|test|dev|best|aux|kl|reg|min|lowest|prev|previous|packet|z)$"
)
_TRAIN_LOSS = re.compile(r"(?i)(?:(?:train(?:ing)?|total|lm|avg|mean|running|step)[_/. -]?)*$")
_SCALE = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


class Tracker:
    """Reads the output of a job as it comes.

    `feed` any bytes, `read` what is known. Feed b"\\n" at the end, so that an unfinished last line counts.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._rest = b""
        self._cut = False
        self._rank = 0
        self._step = self._total = 0
        self._rate = self._left = self._loss = None  # type: float | None
        self._known = self._whole = False
        self._repeats = self._inner = False
        self._bar_total = 0
        self._keras = (0, 0, 0)
        self._pace = _Pace(clock)

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

    def read(self) -> dict[str, float] | None:
        """What is known now: step, total (int), rate (steps a second), seconds_left, loss; None for nothing.

        All are finite numbers. After a loss of nan or inf the loss is not known: it goes into JSON, which has
        no such numbers, and the one before would be a lie.
        """
        if self._rest.rstrip().endswith((b"]", b"\x1b[A")):
            self._line(self._rest)
        found: dict[str, float] = {}
        if self._known:
            found["step"] = self._step
            if self._total:
                found["total"] = self._total
            rate = self._rate or self._pace.rate
            if rate:
                found["rate"] = rate
            left = self._left_now(rate)
            if left is not None:
                found["seconds_left"] = left
        if self._loss is not None and isfinite(self._loss):
            found["loss"] = self._loss
        return found or None

    def _left_now(self, rate: float | None) -> float | None:
        if not self._whole or self._repeats:
            return None
        if self._left is None and self._total and rate:
            return max(0, self._total - self._step) / rate
        return self._left

    def _line(self, raw: bytes) -> None:
        if not 6 <= len(raw) <= 4 * _LONGEST or (
            b"/" not in raw and b"oss" not in raw and b"step" not in raw
        ):
            return
        line = _CSI.sub("", raw.decode("utf-8", "replace")).strip()
        if len(line) > _LONGEST:
            return
        if bar := _BAR.match(line):
            self._bar(bar, nested=b"\x1b[A" in raw)
        elif count := _COUNT.match(line):
            self._count(count)
        elif epoch := _KERAS_EPOCH.match(line):
            self._keras = (int(epoch[1]), int(epoch[2]), 0)
        elif keras := _KERAS.match(line):
            self._keras_bar(keras)
        elif rich := _RICH.match(line):
            self._rich_bar(rich)
        else:
            self._words(line)

    def _bar(self, bar: re.Match[str], *, nested: bool) -> None:
        """tqdm, and what is built on it: Hugging Face Trainer, Lightning, torchtune."""
        desc, postfix, rate = bar["desc"].strip(" :"), bar["postfix"], _bar_rate(bar["rate"], bar["unit"])
        if rate is None or _ELSE.search(desc):
            return
        loss = _loss(postfix) if _loss(postfix) is not None else _loss(desc)
        if desc and loss is None and not _TRAINS.search(desc):
            return
        self._keep_loss(loss)
        step, total = _scaled(bar["n"], bar["nk"]), _scaled(bar["total"], bar["tk"])
        if nested or not total or (not desc and loss is None and not self._main_bar(step, total)):
            return
        self._repeats |= self._bar_total == total and step < self._step == self._total == total
        self._bar_total = total
        epoch = _EPOCH.search(desc)
        if epoch and epoch[2]:
            self._take_in_epoch(4, epoch, step, total, rate)
        else:
            whole = not (epoch or re.match(r"\d+\|\d+\|", desc))
            self._take(
                4 if desc or loss is not None else 2,
                step,
                total,
                rate,
                left=_seconds(bar["left"]),
                whole=whole,
            )

    def _main_bar(self, step: int, total: int) -> bool:
        """True where a bar without a name is the training's: not the shorter one that comes beside it."""
        if not self._bar_total or total == self._bar_total:
            return True
        if self._step < self._total == self._bar_total:
            return False
        if total < self._bar_total and step < total:
            self._known = False
        return total > self._bar_total

    def _count(self, bar: re.Match[str]) -> None:
        """tqdm that does not know its total."""
        loss = _loss(bar["postfix"])
        if _ELSE.search(bar["desc"]) or (loss is None and not _TRAINS.search(bar["desc"])):
            return
        self._keep_loss(loss)
        self._take(3, int(bar["n"]), 0, _bar_rate(bar["rate"], bar["unit"]) or 0.0)

    def _keras_bar(self, bar: re.Match[str]) -> None:
        epoch, epochs, known = self._keras
        step, total = int(bar[1]), int(bar[2])
        if not 1 <= epoch <= epochs or (known and known != total) or step > total:
            return
        self._keep_loss(_loss(bar["tail"]))
        pace = _KERAS_RATE.search(bar["tail"])
        each = int(pace[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1.0}[pace[2]] if pace else 0.0
        self._take(4, (epoch - 1) * total + step, epochs * total, 1 / each if each else 0.0)
        self._keras = (0, 0, 0) if step == total else (epoch, epochs, total)

    def _rich_bar(self, bar: re.Match[str]) -> None:
        """Lightning's RichProgressBar: counts epochs from 0, and names the last one."""
        epoch, last, step, total = (int(bar[i]) for i in range(1, 5))
        self._keep_loss(_loss(bar["tail"]))
        self._take(4, epoch * total + step, (last + 1) * total, float(bar[5]))

    def _words(self, line: str) -> None:
        """A line of plain words: it needs a training loss (or a learning rate) beside its step."""
        loss = _loss(line)
        if _NOT_TRAINING.search(line) or (loss is None and (not _LR.search(line) or "loss" in line.lower())):
            return
        step, epoch, inside = _STEP.search(line), _EPOCH.search(line), _IN_EPOCH.search(line)
        if not step and not epoch and not line.startswith(("{'loss'", '{"loss"')):
            return
        self._keep_loss(loss)
        rate = _line_rate(line)
        if inside:
            self._take(3, int(inside[1]), int(inside[2]), rate, whole=False)
        elif step:
            self._step_line(line, step, epoch, rate)
        elif epoch and epoch[2] and loss is not None and not line.startswith("{"):
            self._take(1, int(epoch[1]), int(epoch[2]), rate)

    def _step_line(self, line: str, found: re.Match[str], epoch: re.Match[str] | None, rate: float) -> None:
        step, total = _whole_number(found[2]), _whole_number(found[3] or "0")
        if total and step > total:
            return
        eta = _ETA.search(line)
        if epoch and epoch[2] and total:
            self._inner |= _is_per_epoch(int(epoch[1]), int(epoch[2]), step, total)
            if self._inner or found[1].lower() == "batch" or ("[" in epoch[0] and "[" in found[0]):
                self._take_in_epoch(3, epoch, step, total, rate)
                return
        whole = not (epoch and found[1].lower() == "batch") and not (epoch and epoch[2])
        self._take(3, step, total, rate, left=_seconds(eta[1]) if eta else None, whole=whole)

    def _take_in_epoch(self, rank: int, epoch: re.Match[str], step: int, total: int, rate: float) -> None:
        number, epochs = int(epoch[1]), int(epoch[2])
        if 1 <= number <= epochs and step <= total:
            self._take(rank, (number - 1) * total + step, epochs * total, rate)

    def _take(
        self, rank: int, step: int, total: int, rate: float, *, left: float | None = None, whole: bool = True
    ) -> None:
        """Believe a position, unless a surer kind of line speaks too. A rate of 0 is an unknown one."""
        if rank < self._rank and self._known and not (self._total and self._step >= self._total):
            return
        if (rank, total) != (self._rank, self._total) or step < self._step:
            self._pace.start()
        self._pace.at(step)
        self._rank, self._step, self._total, self._known = rank, step, total, True
        self._rate, self._left, self._whole = rate or None, left, whole

    def _keep_loss(self, loss: float | None) -> None:
        self._loss = self._loss if loss is None else loss


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


def _bar_rate(rate: str, unit: str) -> float | None:
    """Steps a second; 0 where the bar does not know it, None where it counts something else than steps."""
    above, below = unit.split("/")
    scale = 1
    if above[0] in "kMG" and above[1:] in _UNITS:
        scale, above = _SCALE[above[0]], above[1:]
    if not (above in _UNITS and below == "s") and not (above == "s" and below in _UNITS):
        return None
    figure = _number(rate)
    return figure * scale if below == "s" or not figure else 1 / figure


def _line_rate(line: str) -> float:
    """Steps a second, 0 where the line does not say."""
    for form, parts in _RATES:
        if (found := form.search(line)) and (figure := float(found[1])):
            return parts / figure if parts else figure
    return 0.0


def _loss(text: str) -> float | None:
    """The first training loss in a text."""
    for found in _LOSS.finditer(text):
        before, prefix, figure = found.groups()
        if _TRAIN_LOSS.match(prefix) and not (before and _OTHER_LOSS.search(before)):
            return float(figure)
    return None


def _is_per_epoch(epoch: int, epochs: int, step: int, total: int) -> bool:
    """True where step/total cannot be a count over all epochs."""
    return step * epochs > (epoch + 1) * total or step * epochs < (epoch - 1) * total


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _scaled(text: str, scale: str) -> int:
    return round(_number(text) * _SCALE[scale])


def _whole_number(text: str) -> int:
    return int(text.replace(",", ""))


def _seconds(text: str) -> float | None:
    """ "1:02:03", "02:03", "2 days, 1:02:03" -> seconds; None for anything else."""
    days, _, clock = text.rpartition(", ")
    parts = clock.split(":")
    if not all(part.isdigit() for part in parts) or len(parts) > 3:
        return None
    seconds = 0
    for part in parts:
        seconds = seconds * 60 + int(part)
    return float(seconds + 86400 * int(days.split()[0] if days else 0))
