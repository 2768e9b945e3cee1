"""The training's loss in a text: not that of a validation, of one part, the best one so far or of packets."""

import re

from backend_client.progress.numbers import FLOAT, NOT_FINITE, any_number
from backend_client.progress.phase import is_other_before

_LOSS = re.compile(
    r"(?i)(?:^|([\w./-]{1,24})[ :|,]{1,3})?(?<![\w./-])[\"']?([\w./-]{0,20}?)loss"
    r"(?:/train(?:/total)?|[._]train(?:ing)?|[ :]{1,2}train(?:ing)?)?[\"']?"
    r"(?: {0,3}[:=] {0,3}|[ \t]{1,3})[\"']?"
    rf"(?:(?:tensor|array|[a-z.]{{0,12}}float\d\d)\(\[?)?({NOT_FINITE}|{FLOAT})(?![\w.%]|[/,]\d)"
)
"""A loss, its prefix and the word before it: "loss=0.412", "train_loss: 0.4", "Loss 6.9121e+00 (6.95)",
"{'loss': 2.3145," (transformers, trainer_callback.py), "| lm loss: 2.303251E+00 |" (Megatron-LM,
training.py), "loss:1.234" (torchtune), "loss/train/total=2.3" (Composer), "loss train: 1.2" (litgpt),
"loss: tensor(0.41, device='cuda:0')" (a tensor that was printed), "reduced_train_loss=2.34" (NeMo),
"avr_loss=0.123" (kohya's sd-scripts). What has a comma and a digit behind it is no whole figure: "0,41"."""
_TRAINING_PREFIX = re.compile(
    r"(?i)(?:(?:train(?:ing)?|tr|total|lm|avg|avr|average|mean|reduced|running|step|batch|epoch|current"
    r"|smooth(?:ed)?)[_/. -]?)*$"
)
_OTHER_WORD = re.compile(
    r"(?i)(?:val|valid|validation|eval|evaluation|test|dev|hold-?out|best|aux|kl|reg|min|lowest|prev|previous"
    r"|packet|z|from|balancing)$"
)
"""The word before a loss that is not the training's: "val loss 2.6120" (nanoGPT), "packet loss: 5%"."""
_ANY = re.compile(r"(?i)loss(?![ _-]?scal)")


def training_loss(text: str) -> float | None:
    """Return the first training loss in a text; it may be nan or inf."""
    if "loss" not in text.lower():  # spares most texts the search
        return None
    for match in _LOSS.finditer(text):
        before, prefix, figure = match.groups()
        if not _TRAINING_PREFIX.match(prefix) or (before and _OTHER_WORD.search(before)):
            continue
        if "train" in prefix.lower() or not is_other_before(text, match.start(2)):
            return any_number(figure)
    return None


def tells_loss(text: str) -> bool:
    """Return True where a text speaks of any loss; a loss scale is none."""
    return _ANY.search(text) is not None
