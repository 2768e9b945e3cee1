"""The ranks of a job side by side, laid out in lines. Pure."""

from backend_client.text.ranks import TITLES, RankRow
from tui.ui.format import fit

HEAD = RankRow(-1, *TITLES[1:])


def rank_line(row: RankRow, width: int, *, slow: bool = False) -> str:
    """Lay out one row, or `HEAD`, in `width` cells."""
    number = TITLES[0] if row is HEAD else str(row.rank)
    mark = "▸" if slow else " "
    parts = (
        fit(number, 5, right=True),
        fit(row.step, 8, right=True),
        fit(row.pace, 8, right=True),
        fit(row.util, 5, right=True),
        fit(row.memory, 5, right=True),
        fit(row.silent, 6, right=True),
        row.node,
    )
    return fit(f"{mark}{'  '.join(parts)}", width).rstrip()
