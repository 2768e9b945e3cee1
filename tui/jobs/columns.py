"""The columns of a list of jobs: how wide on a screen, and which the verb `jobs` has. Pure.

What stands in them: `JOB_CELLS` of `backend_client/text/job_cells.py`. A new column is an entry there and
one of `COLUMN_TABLE`; where the screen has it, `settings.model.ColumnName` names it too.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from backend_client.models import Job
from backend_client.text.job_cells import JOB_CELLS, JobCell, cell_text
from backend_client.text.usage_cells import short_mem_text
from tui.settings.model import COLUMNS
from tui.ui.format import fit

MARGIN = 3
"""Cells before the first column: what is marked or watched, and the cursor."""
_WIDE, _MEDIUM = 160, 110
"""Cells of a screen from which on a column may take more than its `width`."""
_USAGE = ("util", "mem")
_SHORT_MEM = 5
_BESIDE_USE = {"name": 24, "progress": 52}
"""What columns that are wide on a wide screen have at first beside those of use."""


class Column(NamedTuple):
    """One column. On the screen it is `gap` cells, then `width` cells of the text."""

    cell: JobCell
    width: int = 0
    """Cells on the screen; 0: the screen does not have it."""
    wider: tuple[int, int] | None = None
    """`width` on a medium and on a wide screen, where it is another."""
    verb: Literal["", "always", "wide"] = "wide"
    """Whether the verb `jobs` has it: never, always, or with `-o wide`."""
    gap: int = 2

    @property
    def name(self) -> str:
        """The word for it in the setting `list.columns`."""
        return self.cell.name


class Row(NamedTuple):
    """One row as text: before the state's word, the word, and what follows."""

    before: str
    state: str
    after: str


_CELLS = {cell.name: cell for cell in JOB_CELLS}
COLUMN_TABLE: tuple[Column, ...] = (
    Column(_CELLS["name"], 16, (24, 32), verb="always"),
    Column(_CELLS["state"], 10, verb="always", gap=1),
    Column(_CELLS["gpus"], 4, verb="always", gap=1),
    Column(_CELLS["age"], 5, verb="always"),
    Column(_CELLS["loss"], 6, verb="always", gap=1),
    Column(_CELLS["util"], 6),
    Column(_CELLS["mem"], 7, gap=1),
    Column(_CELLS["owner"], 10),
    Column(_CELLS["namespace"], 12),
    Column(_CELLS["node"], 14),
    Column(_CELLS["kind"], 10),
    Column(_CELLS["uid"]),
    Column(_CELLS["command"], 32, verb=""),
    Column(_CELLS["progress"], 20, (38, 60), verb="always"),
)
"""Every column, in the order in which the verb `jobs` prints them; the screen's order is a setting."""
_ON_SCREEN = {column.name: column for column in COLUMN_TABLE if column.width}


def verb_columns(*, wide: bool, namespace: bool) -> tuple[Column, ...]:
    """Return the columns of the verb `jobs`: all (`wide`), or the usual ones, with or without NAMESPACE."""
    return tuple(
        column
        for column in COLUMN_TABLE
        if column.verb == "always"
        or (wide and column.verb == "wide")
        or (namespace and column.name == "namespace")
    )


def _columns(width: int, *, all_namespaces: bool) -> dict[str, Column]:
    """Return the screen's columns by name, as wide as they may be on a screen of `width` cells."""
    columns = dict(_ON_SCREEN)
    if width < _MEDIUM:
        short = _CELLS["mem"]._replace(text=lambda job, _: short_mem_text(job.usage))
        columns["mem"] = columns["mem"]._replace(cell=short, width=_SHORT_MEM)
    else:
        for name, column in _ON_SCREEN.items():
            if column.wider:
                columns[name] = column._replace(width=column.wider[width >= _WIDE])
    if all_namespaces:
        full = _CELLS["name"]._replace(text=lambda job, _: f"{job.ref.namespace}/{job.name}", limit=160)
        columns["name"] = columns["name"]._replace(cell=full)
    return columns


def layout(
    width: int, names: Sequence[str] = COLUMNS, *, all_namespaces: bool = False, usage: bool | None = None
) -> tuple[Column, ...]:
    """Return those of the named columns that fit, in their order: 80 cells hold the six that matter.

    With `all_namespaces` the name has its namespace before it, so that a column of namespaces is left out.
    `usage`: with the columns of use behind STATE, whatever gives way to them, or without them; None: as
    they are named, and without them where none are chosen.
    """
    if usage is None and tuple(names or COLUMNS) == COLUMNS:
        usage = False
    by_name = _columns(width, all_namespaces=all_namespaces)
    redundant = "namespace" if all_namespaces and "name" in names else ""
    wanted = [name for name in names or COLUMNS if name != redundant]
    if usage is not None:
        wanted = [name for name in wanted if name not in _USAGE]
    kept = _USAGE if usage else ()
    if usage:
        place = wanted.index("state") + 1 if "state" in wanted else 1
        wanted[place:place] = _USAGE  # beside the colour of the state: fewer changes of colour, fewer bytes
        by_name["util"] = by_name["util"]._replace(gap=1)
        for name, most in _BESIDE_USE.items():
            by_name[name] = by_name[name]._replace(width=min(most, by_name[name].width))
    columns: list[Column] = []
    left = width - MARGIN
    reserved = sum(by_name[name].gap + by_name[name].width for name in kept)
    for name in wanted:
        if name in kept:
            reserved -= by_name[name].gap + by_name[name].width
        room = left - reserved if columns else left
        column = _shrink(by_name[name] if columns else by_name[name]._replace(gap=0), room)
        if column.gap + column.width <= room:
            columns.append(column)
            left -= column.gap + column.width
    place = next((n for n, column in enumerate(columns) if column.name == "progress"), -1)
    if place >= 0 and width >= _MEDIUM:  # a reason is a sentence: it takes what no other column does
        columns[place] = columns[place]._replace(width=columns[place].width + left)
    return tuple(columns)


def column_cells(columns: Sequence[Column], name: str) -> range:
    """Return the cells of a row that a column takes, with its gap; none where it is not there."""
    start = MARGIN
    for column in columns:
        end = start + column.gap + column.width
        if column.name == name:
            return range(start, end)
        start = end
    return range(0)


def _shrink(column: Column, room: int) -> Column:
    """Let a command take what room there is, where that is enough to tell one from another."""
    if column.name != "command" or room <= 18:
        return column
    return column._replace(width=min(column.width, room - 3))


def heading(columns: tuple[Column, ...]) -> str:
    """Return the line of titles."""
    titles = (" " * c.gap + fit(c.cell.title, c.width, right=c.cell.right) for c in columns)
    return " " * MARGIN + "".join(titles)


def row(job: Job, columns: tuple[Column, ...], width: int, mark: str = "") -> Row:
    """Return one job as text, at most `width` cells. A reason may run on over an empty LOSS."""
    now = datetime.now(UTC)
    cells = _run_on([(column, cell_text(column.cell, job, now)) for column in columns], width)
    parts = [" " * c.gap + fit(text, c.width, right=c.cell.right) for c, text in cells]
    index = _index(cells, "state")
    index = len(cells) if index is None else index
    before, state, after = parts[:index], parts[index : index + 1], parts[index + 1 :]
    return Row(f"{mark:<{MARGIN}}{''.join(before)}", "".join(state), "".join(after))


def _index(cells: list[tuple[Column, str]], name: str) -> int | None:
    return next((index for index, (column, _) in enumerate(cells) if column.name == name), None)


def _run_on(cells: list[tuple[Column, str]], width: int) -> list[tuple[Column, str]]:
    """Give PROGRESS the room of an empty LOSS behind it, and in the last place all that is left."""
    index = _index(cells, "progress")
    if index is None:
        return cells
    column, text = cells[index]
    rest = cells[index + 1 :]
    if rest and rest[0][0].name == "loss" and not rest[0][1]:
        column = column._replace(width=column.width + rest[0][0].gap + rest[0][0].width)
        rest = rest[1:]
    if not rest:
        used = MARGIN + sum(c.gap + c.width for c, _ in cells[:index])
        column = column._replace(width=width - used - column.gap)
    return [*cells[:index], (column, text), *rest]
