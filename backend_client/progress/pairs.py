"""The named figures of a log line beside its loss: "lr=3e-4", "'grad_norm': 1.2", "acc 0.9".

What counts or identifies something (steps, ranks, ports, seeds) is left out; so is the training's own loss,
which `loss.py` reads. Pure.
"""

import re
from collections.abc import Iterator

from backend_client.progress.loss import training_loss
from backend_client.progress.numbers import FLOAT, NOT_FINITE, any_number
from backend_client.progress.phase import is_other

_FIGURE = (
    r"[\"']?(?:(?:tensor|array|[a-z.]{0,12}float\d\d)\(\[?)?"
    rf"(?P<figure>{NOT_FINITE}|{FLOAT})(?![\w/:]|[.,]\d)"
)
_PAIR = re.compile(
    r"(?i)(?:(?<=[|,] )|(?<![\w./@%-]))(?P<quote>[\"']?)"
    r"(?P<name>(?:(?<=[|,] )[a-z][\w./-]{0,19} (?:[a-z][\w./-]{0,19} )?(?=[\w./-]{1,20} ?:))?"
    r"[a-z][\w./@-]{0,39})[\"']?\s{0,3}(?P<by>[=:])\s{0,3}" + _FIGURE
)
"""A name and a figure behind "=" or ":". A name of several words stands behind "|" or ",": Megatron-LM's."""
_WORDS = re.compile(
    r"(?i)(?<![\w./@%-])(?P<name>(?:(?:val(?:id(?:ation)?)?|eval|test|train)[ _])?"
    r"(?:loss|acc(?:uracy)?|lr|learning[ _]rate|grad(?:ient)?[ _]norm|gnorm|ppl|perplexity|reward"
    r"|return|mfu))"
    r"\s{1,3}" + _FIGURE
)
"""A name that is known, and a figure behind a blank: nanoGPT's "val loss 2.61", "lr 20.00"."""
_NO_SERIES = re.compile(
    r"(?i)(?:(?:global_|max_|num_|total_|train_|n_)?(?:steps?|iter(?:ation)?s?|epochs?|batch(?:es)?(?:_size)?"
    r"|updates)|(?:local_|node_|global_)?rank|world_size|n?nodes?|n?gpus?|device|pid|port|seed|eta|time"
    r"|elapsed|total|line|version|level|ts|timestamp|date|workers?|id|size|exit_code|code|status)$"
)
_OTHER = re.compile(r"(?i)(?:val|eval|test|dev|valid|hold)")
_TELLING = re.compile(rb"(?i)[=:]|loss|acc|lr|rate|norm|ppl|perplexity|reward|return|mfu")


def may_tell(line: bytes) -> bool:
    """Return False for a line without any named figure; quick, as most have none."""
    return _TELLING.search(line) is not None


def pairs(line: str, *, in_training: bool) -> Iterator[tuple[str, float]]:
    """Yield the (name, figure) of a line, each name once; figures may be nan or inf.

    Where no step has been told, not `in_training`, only what is no prose counts: "moons: 8000 points" is.
    """
    told: set[str] = set()
    other = is_other(line)
    found = [match for match in _PAIR.finditer(line) if in_training or match["by"] == "=" or match["quote"]]
    for match in (*found, *(_WORDS.finditer(line) if in_training else ())):
        name = match["name"].lower().replace(" ", "_").strip("./-_@")
        if not name or name in told or _NO_SERIES.match(name):
            continue
        told.add(name)
        if other and not _OTHER.match(name):
            name = f"val_{name}"
        if training_loss(f"{name}=1") is None:
            yield name, any_number(match["figure"])
