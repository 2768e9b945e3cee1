"""The tables below the plot of several jobs: their figures, and in what their specs differ. Pure."""

from collections.abc import Sequence

from rich.cells import cell_len
from textual.content import Content

from backend_client.models import Job
from backend_client.progress.series_reader import SeriesReader
from backend_client.text.compare import LETTERS, figure_cells, figure_titles, note
from backend_client.text.sanitize import clean
from backend_client.text.spec_differences import spec_differences, who_has
from tui.ui.format import fit

COLOURS = (
    "$primary",
    "$warning",
    "$success",
    "$error",
    "$accent",
    "$secondary",
    "$foreground",
    "$text-muted",
)
"""Of the lines, in the order of their letters."""
_FIGURE = 18
"""Cells of a figure and its step."""
_NAME = 24
"""Cells of a name at most."""
_FIELD = 16


def figure_lines(readers: Sequence[SeriesReader], name: str, width: int) -> list[Content]:
    """Return a title and a line for each job, each exactly `width` cells wide."""
    titles = figure_titles(name)
    figures = _FIGURE * len(titles)
    names = max(8, min(_NAME, width - figures - 12))
    lines = [Content.styled(_row(f"   {fit('JOB', names)}", titles, "", width), "$text-muted")]
    for letter, colour, reader in zip(LETTERS, COLOURS, readers, strict=False):
        cells = figure_cells(name, reader.series.by_name.get(name))
        job = clean(reader.job.name, 80)
        row = _row(f" {letter} {fit(job, names)}", cells, note(reader, name), width)
        lines.append(Content.assemble((row[:3], f"bold {colour}"), row[3:]))
    return lines


def _row(job: str, cells: Sequence[str], said: str, width: int) -> str:
    """Return one line; where there are no figures, what is said of the job has their room."""
    start = f"{job}  "
    if any(cells):
        start += "".join(fit(cell, _FIGURE - 1) + " " for cell in cells)
    return fit(start + said, width)


def difference_lines(jobs: Sequence[Job], width: int) -> list[Content]:
    """Return a title and lines for each field that differs."""
    rows = spec_differences([job.spec for job in jobs])
    if not rows:
        alone = (
            "There is one job alone." if len(jobs) == 1 else "Their specs differ in nothing but their names."
        )
        return [Content.styled(fit(f" {alone}", width), "$text-muted")]
    lines = [Content.styled(fit(" DIFFERS", width), "$text-muted")]
    for field, texts in rows.items():
        each = [f"{who} {text}" for who, text in who_has(texts, LETTERS)]
        together = "   ".join(each)
        shown = [together] if cell_len(together) <= width - _FIELD - 3 else each
        for number, text in enumerate(shown):
            left = field if number == 0 else ""
            lines.append(Content(fit(f" {fit(left, _FIELD)}  {text}", width)))
    return lines
