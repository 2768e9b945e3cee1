"""Lightning's RichProgressBar: counts epochs from 0, names the last one, and steps within the epoch.

lightning/pytorch/callbacks/progress/rich_progress.py (Lightning 2): `_get_train_description` gives
f"Epoch {current_epoch}/{max_epochs - 1}"; `configure_columns` puts the bar, the batches, the times elapsed
and left, the speed and the metrics behind it.
"""

import re

from backend_client.progress.sample import NAMED_BAR, Position, Sample, training_loss

_BAR = re.compile(
    r"Epoch (\d{1,9})/(\d{1,9}) +[\u2501\u2578\u257a ]+(\d{1,15})/(\d{1,15}) \S+ \u2022 \S+ ([\d.]{1,15})it/s"
    r"(?P<tail>.*)$"
)
"""Epoch 3/9  ━━━━━━━━╸━━━━━━━━━━━ 450/1000 0:00:12 • 0:00:15 36.10it/s v_num: 0.000 train_loss: 0.412"""


def parse(line: str) -> Sample | None:
    """Return what a bar says; None for a line that is none."""
    bar = _BAR.match(line)
    if not bar:
        return None
    epoch, last, step, total = (int(bar[i]) for i in range(1, 5))
    position = Position(NAMED_BAR, epoch * total + step, (last + 1) * total, float(bar[5]))
    return Sample(training_loss(bar["tail"]), position)
