"""The columns of the job list: what stands in them and where. Pure: Job and width in, text out."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from backend_client.models import Job, JobState
from tui.settings.model import COLUMNS
from tui.ui.format import fit, loss_text, progress_text, span
from tui.ui.sanitize import clean

MARGIN = 3
"""Cells before the first column: what is marked or watched, and the cursor."""


class Column(NamedTuple):
    """`gap` cells, then `width` cells of what `text` says about a job at a moment."""

    title: str
    width: int
    text: Callable[[Job, datetime], str]
    right: bool = False
    gap: int = 2


class Row(NamedTuple):
    """One row as text: before the state's word, the word, and what follows."""

    before: str
    state: str
    after: str


def how_far(job: Job, _now: datetime | None = None) -> str:
    """The reason where the state alone does not say enough, else the progress."""
    figures = progress_text(job.progress) if job.progress else ""
    if job.reason and (job.state is not JobState.RUNNING or not figures):
        return clean(job.reason, 300)
    return figures


def node_of(job: Job) -> str:
    """Where it runs or ran last."""
    return clean(job.attempts[-1].node, 60) if job.attempts else ""


def _gpus(job: Job) -> str:
    return str(job.spec.gpus * job.spec.nodes * job.spec.replicas)


def _loss(job: Job) -> str:
    return loss_text(job.progress.loss) if job.progress else ""


def _command(job: Job) -> str:
    program, *rest = job.spec.command or ("",)
    return clean(" ".join([program.rsplit("/", 1)[-1], *rest]), 200)


def _full_name(job: Job) -> str:
    return clean(f"{job.ref.namespace}/{job.name}", 160)


def _columns(name: int, progress: int, *, all_namespaces: bool) -> dict[str, Column]:
    """Every column by its name in the settings, in traindeck's own order."""
    return {
        "name": Column(
            "NAME", name, lambda job, _: _full_name(job) if all_namespaces else clean(job.name, 80)
        ),
        "state": Column("STATE", 10, lambda job, _: job.state.value, gap=1),
        "gpus": Column("GPUS", 4, lambda job, _: _gpus(job), right=True, gap=1),
        "age": Column("AGE", 5, lambda job, now: span((now - job.created).total_seconds()), right=True),
        "progress": Column("PROGRESS", progress, how_far),
        "loss": Column("LOSS", 6, lambda job, _: _loss(job), gap=1),
        "owner": Column("OWNER", 10, lambda job, _: clean(job.owner, 60)),
        "node": Column("NODE", 14, lambda job, _: node_of(job)),
        "kind": Column("KIND", 10, lambda job, _: job.ref.kind),
        "namespace": Column("NAMESPACE", 12, lambda job, _: clean(job.ref.namespace, 60)),
        "command": Column("COMMAND", 32, lambda job, _: _command(job)),
    }


def layout(
    width: int, wanted: Sequence[str] = COLUMNS, *, all_namespaces: bool = False
) -> tuple[Column, ...]:
    """Those of the wanted columns that fit, in their order: 80 cells hold the six that matter.

    Of `all_namespaces`, the name tells which one.
    """
    name, progress = (32, 36) if width >= 160 else (24, 30) if width >= 110 else (16, 20)
    known = _columns(name, progress, all_namespaces=all_namespaces)
    told = "namespace" if all_namespaces and "name" in wanted else ""
    columns: list[Column] = []
    left = width - MARGIN
    for one in (one for one in wanted or COLUMNS if one != told):
        column = _shrunk(known[one] if columns else known[one]._replace(gap=0), left)
        if column.gap + column.width <= left:
            columns.append(column)
            left -= column.gap + column.width
    return tuple(columns)


def _shrunk(column: Column, room: int) -> Column:
    """A command takes what there is, where that is enough to tell one from another."""
    if column.title != "COMMAND" or room <= 18:
        return column
    return column._replace(width=min(column.width, room - 3))


def heading(columns: tuple[Column, ...]) -> str:
    """The line of titles."""
    titles = (" " * c.gap + fit(c.title, c.width, right=c.right) for c in columns)
    return " " * MARGIN + "".join(titles)


def row(job: Job, columns: tuple[Column, ...], width: int, mark: str = "") -> Row:
    """One job as text, at most `width` cells. A reason may run on over an empty LOSS."""
    now = datetime.now(UTC)
    cells = _run_on([(column, column.text(job, now)) for column in columns], width)
    parts = [" " * c.gap + fit(text, c.width, right=c.right) for c, text in cells]
    at = next((place for place, (column, _) in enumerate(cells) if column.title == "STATE"), len(cells))
    before, state, after = parts[:at], parts[at : at + 1], parts[at + 1 :]
    return Row(f"{mark:<{MARGIN}}{''.join(before)}", "".join(state), "".join(after))


def _run_on(cells: list[tuple[Column, str]], width: int) -> list[tuple[Column, str]]:
    """PROGRESS takes the room of an empty LOSS behind it, and in the last place all that is left."""
    at = next((place for place, (column, _) in enumerate(cells) if column.title == "PROGRESS"), None)
    if at is None:
        return cells
    column, text = cells[at]
    rest = cells[at + 1 :]
    if rest and rest[0][0].title == "LOSS" and not rest[0][1]:
        column = column._replace(width=column.width + rest[0][0].gap + rest[0][0].width)
        rest = rest[1:]
    if not rest:
        used = MARGIN + sum(c.gap + c.width for c, _ in cells[:at])
        column = column._replace(width=width - used - column.gap)
    return [*cells[:at], (column, text), *rest]
