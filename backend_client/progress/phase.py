"""Which lines tell of a validation, an evaluation or a test: their losses and steps are not the training's.

Such a phase is named by the first word of a line ("val step 900 ..."), in brackets ("[valid]"), by a key
("phase=val", {"split": "val"}), before a figure ("train loss 0.5 | val loss 0.6"), or by a heading of its own
("Validation:") that counts for the lines below it.
"""

import re

from backend_client.progress.sample import Position, Sample

OTHER = (
    r"(?:val(?:id(?:ation|ate|ating)?|s)?|eval(?:s|uat(?:e|ion|ing|or))?|test(?:s|ing)?|dev(?:set)?"
    r"|hold[ _-]?out|held[ _-]?out"
    r"|predict(?:ion|ing)?|inference|sanity|benchmark(?:s|ing)?)"
)
"""Pattern of the words for what is no training."""
_PART = (
    r"(?:[ _/-]?(?:step|epoch|iter(?:ation)?|batch|loop|phase|stage|set|split|loader|dataloader|results?"
    r"|metrics?|\d+))?"
)
_FIRST_WORD = re.compile(
    rf"(?i)[^\w\"'{{]{{0,12}}(?:(?:running|start\w*|in|on|during) )?{OTHER}{_PART}(?![\w/-]|_|\.\w)(?! ?loss)"
)
_KEY = re.compile(
    r"(?i)(?<![\w./-])(?:phase|split|mode|stage|subset|event|evt|msg|message|set|dataset|partition|kind"
    r"|type|prefix"
    rf"|tag|run|task|loop|data|fold|name|job_type)[\"']?\s?[=:]\s?[\"']?(?:on_|in_|run_)?{OTHER}(?![a-z])"
)
"""phase=val, split: test, "event": "validation_end"."""
_NOT_TRAINING = re.compile(r"(?i)(?<![\w./-])(?:is_?)?train(?:ing)?[\"']?\s?[=:]\s?[\"']?false\b")
"""is_training=False, "train": false."""
_WORD = re.compile(rf"(?i)(?<![\w./-])(?:(train(?:ing)?)|{OTHER})(?![\w./-])")
_HEADING = re.compile(
    rf"(?i)\W*(?:(?:running|starting|start|begin\w*|doing|now|the|final|end[- ]of[- ]epoch"
    rf"|epoch \d+) ){{0,3}}(?P<what>train(?:ing)?"
    rf"|{OTHER})(?: (?:set|split|data|results?|metrics?|stats?|errors?|phase|stage|loop|step|epoch"
    rf"|loss(?:es)?|model"
    r"|started|begins?|running|for|at|on|of|in|after|the|\d+(?:/\d+)?|[\w./-]*data\w*|[\w-]*val\w*)){0,6}\W*$"
)
"""A line that only says what follows: "Validation:", "--- Evaluating ---", "***** Running Evaluation *****",
"Test Error: " (PyTorch's quickstart)."""
_LONGEST_HEADING = 60
_MOST_BELOW = 50
"""Lines that stand below one heading."""


def _may_tell(text: str) -> bool:
    """Return False where no phase can be named; quick, as most lines name none."""
    low = text.lower()
    return (
        "val" in low
        or "test" in low
        or "dev" in low
        or "hold" in low
        or "held" in low
        or "predict" in low
        or "infer" in low
        or "sanity" in low
        or "benchmark" in low
        or "false" in low
    )  # fmt: skip  one after the other: a loop takes four times as long


def is_other(line: str) -> bool:
    """Return True where a line as a whole tells of something else than training."""
    return _may_tell(line) and bool(
        _FIRST_WORD.match(line) or _KEY.search(line) or _NOT_TRAINING.search(line)
    )


def is_other_before(text: str, at: int) -> bool:
    """Return True where the last phase that is named before a place is not the training."""
    named = list(_WORD.finditer(text, 0, at)) if _may_tell(text) else []
    return bool(named) and named[-1][1] is None


_WHAT = r"check ?points?|ckpts?|models?|weights|states?|snapshots?|optimi[sz]ers?|shards?|adapters?"
_SAVING = re.compile(
    rf"(?i)(?:^|[^\w./-])(?:saving|writing|uploading|storing)\b[^|]{{0,60}}?\b(?:{_WHAT})\b"
    r"|^\W*check ?pointing\b"
)
_LOADING = re.compile(
    r"(?i)(?:^|[^\w./-])(?:loading|resuming|restoring|downloading|fetching|tokeni[sz]ing|preprocessing"
    rf"|compiling)\b[^|]{{0,60}}?\b(?:{_WHAT}|data ?sets?|data|examples?|files?|vocab\w*|tokeni[sz]ers?|index"
    r"|cache)\b"
)
"""Lines that say what goes on while no step is made: "Saving model checkpoint to /out/checkpoint-500"
(transformers, trainer.py), "Loading checkpoint shards:  33%", "Resuming from checkpoint"."""
_DONE = re.compile(r"(?i)\b(?:saved|loaded|restored|wrote|finished|done|completed?)\b")


def named_phase(line: str) -> str:
    """Return what a line says that a job does instead of training; "" where it says nothing of that."""
    low = line.lower()
    if ("sav" in low or "ing" in low) and not _DONE.search(line):
        if _SAVING.search(line):
            return "saving"
        if _LOADING.search(line):
            return "loading"
    heading = _HEADING.match(line) if len(line) <= _LONGEST_HEADING and _may_tell(line) else None
    if is_other(line) or (heading and not heading["what"].lower().startswith("train")):
        return "evaluating"
    return ""


class Headings:
    """Remembers below which heading the lines of one output stand."""

    def __init__(self) -> None:
        self._left = 0
        """How many lines may still stand below a heading of something else."""

    def read(self, line: str) -> bool:
        """Take a line; return True where it is a heading."""
        if len(line) > _LONGEST_HEADING or line.endswith("|") or not (_may_tell(line) or "rain" in line):
            return False
        found = _HEADING.match(line)
        if found:
            self._left = 0 if found["what"].lower().startswith("train") else _MOST_BELOW
        return bool(found)

    def hides(self, line: str, sample: Sample, last: Position) -> bool:
        """Return True where a sample belongs to what a heading has named; the training's own ends that."""
        if not self._left:
            return False
        self._left -= 1
        if _goes_on(line, sample, last):
            self._left = 0
        return self._left > 0


_TRAINING_LINE = re.compile(r"(?i)\W*(?:train(?:ing)?\b|epoch\W{0,3}\d|\{[\"']loss[\"'])")


def _goes_on(line: str, sample: Sample, last: Position) -> bool:
    """Return True for a line that only the training writes: its word, its epoch, a step behind the last."""
    if _TRAINING_LINE.match(line):
        return True
    now = sample.position
    return now is not None and 0 < last.step < now.step and now.total in (0, last.total)
