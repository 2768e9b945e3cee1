"""Which cells of a row of the job list are to be painted anew. Pure."""

from itertools import zip_longest

from rich.cells import cell_len

from tui.jobs.columns import Row

_FAR = 10_000
_OF_ONE_CELL = str.maketrans("", "", "\u2026\u2191\u2193")
"""Signs of ours that are no wider than a letter: ellipsis, arrows."""


def changed_cells(old: tuple[str, Row] | None, new: tuple[str, Row], util: range) -> range:
    """Return cells that hold all that differs between two rows.

    Of the column `util`, whose colour goes by its figure, either all cells or none.
    """
    if old is None:
        return range(_FAR)
    before, after = ("".join(parts) for _, parts in (old, new))
    if old[0] != new[0] or old[1][:2] != new[1][:2]:
        return range(max(cell_len(before), cell_len(after)))
    left = cell_len(new[1].before)
    parts = [row.state + row.after for _, row in (old, new)]
    if not "".join(parts).translate(_OF_ONE_CELL).isascii():
        return range(left, max(cell_len(before), cell_len(after)))
    changed = [i for i, (a, b) in enumerate(zip_longest(*parts), left) if a != b] or [left]
    cells = range(changed[0], changed[-1] + 1)
    if cells.start < util.stop and util.start < cells.stop:
        return range(min(cells.start, util.start), max(cells.stop, util.stop))
    return cells
