"""What one job uses and has used, as lines: a spark line and figures for each rank, and who says so. Pure.

What nobody told is empty, and a gap in the line; figures that are old carry their age.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from backend_client.usage import (
    Measure,
    RankUsage,
    Usage,
    UsageSeries,
)
from backend_client.usage_series import known, mean, merged
from tui.ui.format import bytes_text, cores_text, fit, of_bytes, share_text, watts_text, wrap
from tui.ui.sanitize import clean
from tui.usage.sparkline import sparkline
from tui.usage.top_text import gpu_notes
from tui.usage.usage_reading import Reading, source_lines

FEW = 4
"""Ranks of which each has its lines; of more, the first ones and the extremes have."""
_LABEL, _NOW, _FIGURE = 13, 12, 6
"""Cells of what stands before the line, of what is used now, and of each other figure."""
_WIDEST = 60
_FAR = 0.2
"""How far a GPU is below the mean of its rank, over the time, before it has a line of its own."""
_MOST_NOTES = 4
_OF_FEW = (
    Measure.UTILISATION,
    Measure.ACTIVITY,
    Measure.MEMORY,
    Measure.POWER,
    Measure.CPU,
    Measure.RSS,
)
_OF_MANY = (Measure.UTILISATION, Measure.MEMORY)
_LABELS = {
    Measure.UTILISATION: "util",
    Measure.ACTIVITY: "active",
    Measure.MEMORY: "GPU memory",
    Measure.POWER: "power",
    Measure.CPU: "CPU",
    Measure.RSS: "memory",
}


class UsageLine(NamedTuple):
    """One line: its text, and whether it is a heading, a warning, or said by the way."""

    text: str
    style: str = ""


def usage_lines(reading: Reading, width: int, now: datetime, *, more_key: str = "R") -> list[UsageLine]:
    """Return the lines about a job's use in at most `width` cells; none where nothing at all is known.

    `more_key`: the key that shows all ranks.
    """
    table = _Table(reading, width)
    lines: list[UsageLine] = []
    if table.ranks:
        shown = table.shown_ranks()
        lines.append(UsageLine(table.head(), "$text-muted"))
        for rank in shown:
            lines += map(UsageLine, table.rank_lines(rank))
        if len(shown) < len(table.ranks):
            lines.append(UsageLine(table.rest_text(shown, more_key), "$text-muted"))
    said = [*((note, "$warning") for note in notes(reading.usage)), *source_lines(reading, now)]
    return lines + [UsageLine(line, style) for words, style in said for line in wrap(words, width)]


class _Table:
    """The figures of all ranks."""

    def __init__(self, reading: Reading, width: int) -> None:
        self._now = {rank.rank: rank for rank in reading.usage.ranks}
        self._told: dict[tuple[int, Measure], list[UsageSeries]] = {}
        for series in reading.history.series if reading.history else ():
            if known(series.values):
                self._told.setdefault((series.rank, series.measure), []).append(series)
        self.ranks = sorted({*self._now, *(rank for rank, _ in self._told)})
        self._spark = max(0, min(_WIDEST, width - _LABEL - _NOW - 3 * _FIGURE))
        self._means = {
            rank: [mean(known(series.values)) for series in self._series(rank, Measure.UTILISATION)]
            for rank in self.ranks
        }
        self._tops: dict[Measure, int] = {}

    def head(self) -> str:
        """Return the names of the columns."""
        figures = "".join(fit(word, _FIGURE, right=True) for word in ("min", "mean", "max"))
        return f"{'':{_LABEL + self._spark}}{'now':>{_NOW}}{figures}"

    def shown_ranks(self) -> list[int]:
        """Return which ranks have lines: all of a few; of many the first two, the idlest and the busiest."""
        if len(self.ranks) <= FEW:
            return self.ranks
        measured = [rank for rank in self.ranks if self._means[rank]]
        extremes = (
            {min(measured, key=lambda rank: min(self._means[rank])), max(measured, key=self._mean_of)}
            if measured
            else set()
        )
        return sorted({*self.ranks[:2], *extremes})

    def _mean_of(self, rank: int) -> float:
        return mean(self._means[rank])

    def rest_text(self, shown: Sequence[int], more_key: str) -> str:
        """Say what is left out: "… 60 more alike", or how far apart they are."""
        rest = [rank for rank in self.ranks if rank not in shown]
        means = [self._mean_of(rank) for rank in rest if self._means[rank]]
        how = "more"
        if len(means) == len(rest):
            alike = max(means) - min(means) < _FAR
            how = (
                "more alike"
                if alike
                else f"more, utilisation {share_text(min(means))} to {share_text(max(means))}"
            )
        return f"… {len(rest)} {how}{f'  ({more_key} shows all)' if more_key else ''}"

    def rank_lines(self, rank: int) -> Iterator[str]:
        """Yield the lines of one rank."""
        title = f"rank {rank} " if len(self.ranks) > 1 else ""
        for measure in _OF_FEW if len(self.ranks) <= FEW else _OF_MANY:
            line = self._line(rank, measure)
            figures = self._figures(rank, measure, line)
            now = self._now_text(rank, measure)
            if not now and not known(line):
                continue
            label = fit(f"{title}{_LABELS[measure]}", _LABEL - 1, right=True)
            spark = fit(sparkline(line, self._spark, self._top(measure)), self._spark)
            yield f"{label} {spark}{fit(now, _NOW, right=True)}{figures}".rstrip()
            title = ""
            if measure is Measure.UTILISATION:
                yield from self._idlest_gpu(rank)

    def _idlest_gpu(self, rank: int) -> Iterator[str]:
        """Yield a line for the GPU that is far below the mean of its rank, which that would hide."""
        means = self._means[rank]
        if len(means) < 2 or mean(means) - min(means) < _FAR:
            return
        least = min(means)
        series = self._series(rank, Measure.UTILISATION)[means.index(least)]
        gpu, values = series.gpu, series.values
        shares = known(values)
        figures = "".join(
            fit(share_text(value), _FIGURE, right=True) for value in (min(shares), least, max(shares))
        )
        used = self._now.get(rank)
        current = next((one.utilisation for one in used.gpus if one.gpu == gpu), None) if used else None
        label = fit(f"GPU {clean(gpu, 20)}", _LABEL - 1, right=True)
        spark = fit(sparkline(values, self._spark, 1.0), self._spark)
        yield f"{label} {spark}{fit(share_text(current), _NOW, right=True)}{figures}"

    def _series(self, rank: int, measure: Measure) -> list[UsageSeries]:
        """Return the series of a rank that tell something."""
        return self._told.get((rank, measure), [])

    def _line(self, rank: int, measure: Measure) -> list[float | None]:
        """Return what a rank used of one measure: the mean of shares, the sum of amounts."""
        series = self._series(rank, measure)
        count = len(series)
        if measure in (Measure.UTILISATION, Measure.ACTIVITY):
            return merged(series, mean)
        # a sum without one of its parts is none: it would look as if less had been used
        return merged(series, lambda told: sum(told) if len(told) == count else float("nan"))

    def _figures(self, rank: int, measure: Measure, line: Sequence[float | None]) -> str:
        text = _TEXTS[measure]
        shares = measure in (Measure.UTILISATION, Measure.ACTIVITY)
        series = self._series(rank, measure) if shares else []
        told = [value for one in series for value in known(one.values)] if shares else known(line)
        if not told:
            return ""
        figures = (min(told), mean(told), max(told))
        return "".join(fit(text(figure), _FIGURE, right=True) for figure in figures)

    def _top(self, measure: Measure) -> float:
        """Return what the highest block is: all that a rank has where that is known, else the most used."""
        if measure in (Measure.UTILISATION, Measure.ACTIVITY):
            return 1.0
        if measure not in self._tops:
            totals = [_total(rank, measure) or 0 for rank in self._now.values()]
            if 0 in totals or len(totals) < len(self.ranks):
                lines = (self._line(rank, measure) for rank in self.ranks)
                totals.extend(math.ceil(value) for line in lines for value in known(line))
            self._tops[measure] = max(totals, default=0)
        return self._tops[measure]

    def _now_text(self, rank: int, measure: Measure) -> str:
        used = self._now.get(rank)
        if used is None:
            return ""
        if measure is Measure.CPU:
            return cores_text(used.cpu)
        if measure is Measure.RSS:
            return of_bytes(used.memory, used.memory_limit)
        if measure is Measure.MEMORY:
            memory = _sum([gpu.memory for gpu in used.gpus])
            return of_bytes(None if memory is None else int(memory), _total(used, measure))
        if measure is Measure.POWER:
            return watts_text(_sum([gpu.power for gpu in used.gpus]))
        name = "utilisation" if measure is Measure.UTILISATION else "activity"
        shares = known([getattr(gpu, name) for gpu in used.gpus])
        return share_text(mean(shares)) if shares else ""


_TEXTS: dict[Measure, Callable[[float | None], str]] = {
    Measure.UTILISATION: share_text,
    Measure.ACTIVITY: share_text,
    Measure.MEMORY: bytes_text,
    Measure.POWER: watts_text,
    Measure.CPU: cores_text,
    Measure.RSS: bytes_text,
}


def _sum(figures: Sequence[float | None]) -> float | None:
    """Add up figures; None where one of them is not known, or there is none."""
    told = known(figures)
    return sum(told) if told and len(told) == len(figures) else None


def _total(used: RankUsage, measure: Measure) -> int | None:
    """Return all that a rank has of a measure; None where that is not known, or has no bound."""
    if measure is Measure.RSS:
        return used.memory_limit
    total = _sum([gpu.memory_total for gpu in used.gpus]) if measure is Measure.MEMORY else None
    return None if total is None else int(total)


def notes(usage: Usage) -> list[str]:
    """Return what is wrong with the GPUs now, a few at most: errors, others on them."""
    found = [clean(note, 200) for note in gpu_notes(usage)]
    more = len(found) - _MOST_NOTES
    return found[:_MOST_NOTES] + ([f"… {more} more"] if more > 0 else [])
