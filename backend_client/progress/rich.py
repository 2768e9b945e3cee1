"""Lightning's RichProgressBar: counts epochs from 0, names the last one, and steps within the epoch.

lightning/pytorch/callbacks/progress/rich_progress.py (Lightning 2): `_get_train_description` gives
f"Epoch {current_epoch}/{max_epochs - 1}"; `configure_columns` puts the bar, the batches, the times elapsed
and left, the speed and the metrics behind it.
"""

import re

from backend_client.progress.loss import training_loss
from backend_client.progress.sample import NAMED_BAR, Position, Sample

_BAR = re.compile(
    r"Epoch (\d{1,9})(?:/(\d{1,9}))?[ \u2501\u2578\u257a-]{2,400}(\d{1,15})/(\d{1,15}) \S{1,20} [\u2022*-]"
    r" \S{1,20} "
    r"([\d.]{1,15})it/s(?P<tail>.*)$"
)
"""Epoch 3/9  ━━━━━━━━╸━━━━━━━━━━━ 450/1000 0:00:12 • 0:00:15 36.10it/s train_loss: 0.412; with "-"
where the terminal has ASCII alone, and without "/9" where the epochs have no end."""


def parse(line: str) -> Sample | None:
    """Return what a bar says; None for a line that is none."""
    bar = _BAR.match(line)
    if not bar:
        return None
    epoch, step, total, rate = int(bar[1]), int(bar[3]), int(bar[4]), float(bar[5])
    loss = training_loss(bar["tail"])
    if bar[2] is None:
        return Sample(loss, Position(NAMED_BAR, step, total, rate, whole=False))
    return Sample(loss, Position(NAMED_BAR, epoch * total + step, (int(bar[2]) + 1) * total, rate))
