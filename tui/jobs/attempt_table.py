"""The last attempts of one job side by side, in the cells of a screen. Pure; texts are clean."""

from backend_client.models import Job
from backend_client.text.attempts import ATTEMPT_ROWS, attempt_cells, group_attempts
from tui.ui.format import fit

_LABEL, _NARROWEST, _WIDEST, _GAP = 9, 22, 48, 2


def side_by_side(job: Job, width: int) -> list[str]:
    """Format the last attempts as columns, as many as fit in `width` cells; a line for each property."""
    groups = group_attempts(job)
    room = width - _LABEL
    shown = groups[-max(1, room // _NARROWEST) :]
    each = min(_WIDEST, room // max(1, len(shown))) - _GAP
    rows = [
        ("#", [str(group.number) for group in shown]),
        *zip(ATTEMPT_ROWS, zip(*map(attempt_cells, shown), strict=True), strict=True),
    ]
    return [
        (fit(label, _LABEL) + "".join(fit(text, each) + " " * _GAP for text in texts)).rstrip()
        for label, texts in rows
        if any(texts)
    ]
