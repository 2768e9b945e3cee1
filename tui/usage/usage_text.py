"""What one job uses and has used, as lines: a spark line and figures for each rank, and who says so. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from backend_client.text.usage import Figures, UsageFigures, notes, source_lines
from backend_client.usage_reading import Reading
from tui.ui.format import fit, wrap
from tui.usage.sparkline import sparkline

_LABEL, _NOW, _FIGURE = 13, 12, 6
"""Cells of what stands before the line, of what is used now, and of each other figure."""
_WIDEST = 60


class UsageLine(NamedTuple):
    """One line: its text, and whether it is a heading, a warning, or said by the way."""

    text: str
    style: str = ""


def usage_lines(reading: Reading, width: int, now: datetime, *, more_key: str = "R") -> list[UsageLine]:
    """Return the lines about a job's use in at most `width` cells; none where nothing at all is known.

    `more_key`: the key that shows all ranks.
    """
    figures = UsageFigures(reading)
    spark = max(0, min(_WIDEST, width - _LABEL - _NOW - 3 * _FIGURE))
    lines: list[UsageLine] = []
    if figures.ranks:
        shown = figures.shown_ranks()
        head = f"{'':{_LABEL + spark}}{'now':>{_NOW}}{_right(('min', 'mean', 'max'))}"
        lines.append(UsageLine(head, "$text-muted"))
        for rank in shown:
            lines += map(UsageLine, _rank_lines(figures, rank, spark))
        if len(shown) < len(figures.ranks):
            lines.append(UsageLine(figures.rest_text(shown, more_key), "$text-muted"))
    said = [(note, "$warning") for note in notes(reading.usage)]
    said += [
        (line.text, "$warning" if line.is_trouble else "$text-muted") for line in source_lines(reading, now)
    ]
    return lines + [UsageLine(line, style) for words, style in said for line in wrap(words, width)]


def _rank_lines(figures: UsageFigures, rank: int, spark: int) -> Iterator[str]:
    title = f"rank {rank} " if len(figures.ranks) > 1 else ""
    for one in figures.of_rank(rank):
        yield _line(title, one, spark)
        title = ""


def _line(title: str, one: Figures, spark: int) -> str:
    label = fit(f"{title}{one.label}", _LABEL - 1, right=True)
    drawn = fit(sparkline(one.values, spark, one.top), spark)
    return f"{label} {drawn}{fit(one.now, _NOW, right=True)}{_right(one.over_time)}".rstrip()


def _right(figures: Sequence[str]) -> str:
    return "".join(fit(figure, _FIGURE, right=True) for figure in figures)
