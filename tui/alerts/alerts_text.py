"""Alerts and the targets of their messages in the cells of a screen. Pure."""

from collections.abc import Sequence

from backend_client.alerts.alert import Channel, Delivery
from backend_client.text.alerts import Standing
from backend_client.text.wishes import channel_cells
from tui.ui.format import fit

_WIDTHS = (5, 9, 16)
"""Cells of the first columns; the sentence has the rest."""
_JOB_CELLS_AT_MOST = 40

STYLES = {Standing.FIRING: "$error", Standing.SNOOZED: "$warning"}
"""Of the word; the others are muted."""


def format_cells(cells: Sequence[str], width: int) -> list[str]:
    """Lay the cells of a row out in `width` cells; a wide screen gives a job's name more room."""
    wide = max(0, min(_JOB_CELLS_AT_MOST - _WIDTHS[2], width - 100))
    widths = (*_WIDTHS[:2], _WIDTHS[2] + wide)
    rest = max(1, width - sum(widths) - len(widths) - 2)
    parts = [
        fit(text, cell, right=at == 0) for at, (text, cell) in enumerate(zip(cells, widths, strict=False))
    ]
    return [*parts, fit(cells[-1], rest).rstrip()]


def channel_row(channel: Channel, last: Delivery | None) -> str:
    """Return the row of a channel, with what came of the last try."""
    name, kind, shown, tried = channel_cells(channel, last)
    return f" {fit(name, 16)} {fit(kind, 8)} {shown}" + (f"  {tried}" if tried else "")
