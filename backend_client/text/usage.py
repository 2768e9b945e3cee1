"""What one job uses and has used: the figures of each rank, and who says so. Pure; all is clean.

What nobody told is empty, and a gap in the values; figures that are old carry their age.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from backend_client.text.figures import bytes_text, cores_text, of_bytes, share_text, span, watts_text
from backend_client.text.sanitize import clean
from backend_client.usage import Measure, RankUsage, Usage, UsageSeries, UsageSource
from backend_client.usage_reading import Reading
from backend_client.usage_series import known, mean, merged

FEW = 4
"""Ranks of which each has its lines; of more, the first ones and the extremes have."""
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
_SHARES = (Measure.UTILISATION, Measure.ACTIVITY)
_OF_GPUS = {Measure.UTILISATION, Measure.ACTIVITY, Measure.MEMORY, Measure.POWER, Measure.TEMPERATURE}
LABELS = {
    Measure.UTILISATION: "util",
    Measure.ACTIVITY: "active",
    Measure.MEMORY: "GPU memory",
    Measure.POWER: "power",
    Measure.CPU: "CPU",
    Measure.RSS: "memory",
}


class Figures(NamedTuple):
    """What one rank, or one GPU of it, uses and has used of one measure."""

    label: str
    values: Sequence[float | None]
    """Over the time that was asked for; None is a gap."""
    top: float
    """What the highest of them is drawn against: all there is where that is known, else the most used."""
    now: str
    over_time: Sequence[str] = ()
    """The least, the mean and the most, as texts; none where nothing is known."""
    text: Callable[[float | None], str] = share_text
    """Formats a value."""


class UsageFigures:
    """The figures of all ranks of a job."""

    def __init__(self, reading: Reading) -> None:
        """Sort what was read by rank and measure."""
        self._now = {rank.rank: rank for rank in reading.usage.ranks}
        self._told: dict[tuple[int, Measure], list[UsageSeries]] = {}
        for series in reading.history.series if reading.history else ():
            if known(series.values):
                self._told.setdefault((series.rank, series.measure), []).append(series)
        self.ranks = sorted({*self._now, *(rank for rank, _ in self._told)})
        self._means = {
            rank: [mean(known(series.values)) for series in self._series(rank, Measure.UTILISATION)]
            for rank in self.ranks
        }
        self._tops: dict[Measure, int] = {}

    def shown_ranks(self) -> list[int]:
        """Return which ranks are shown: all of a few; of many the first two, the idlest and the busiest."""
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

    def of_rank(self, rank: int) -> Iterator[Figures]:
        """Yield the figures of one rank that are known, and those of a GPU of it that does far less."""
        for measure in _OF_FEW if len(self.ranks) <= FEW else _OF_MANY:
            values = self._line(rank, measure)
            now = self._now_text(rank, measure)
            if not now and not known(values):
                continue
            over_time = self._over_time(rank, measure, values)
            yield Figures(LABELS[measure], values, self._top(measure), now, over_time, _TEXTS[measure])
            if measure is Measure.UTILISATION:
                yield from self._idlest_gpu(rank)

    def _idlest_gpu(self, rank: int) -> Iterator[Figures]:
        """Yield the GPU that is far below the mean of its rank, which that would hide."""
        means = self._means[rank]
        if len(means) < 2 or mean(means) - min(means) < _FAR:
            return
        least = min(means)
        series = self._series(rank, Measure.UTILISATION)[means.index(least)]
        shares = known(series.values)
        used = self._now.get(rank)
        current = (
            next((one.utilisation for one in used.gpus if one.gpu == series.gpu), None) if used else None
        )
        over_time = tuple(map(share_text, (min(shares), least, max(shares))))
        yield Figures(f"GPU {clean(series.gpu, 20)}", series.values, 1.0, share_text(current), over_time)

    def _series(self, rank: int, measure: Measure) -> list[UsageSeries]:
        """Return the series of a rank that tell something."""
        return self._told.get((rank, measure), [])

    def _line(self, rank: int, measure: Measure) -> list[float | None]:
        """Return what a rank used of one measure: the mean of shares, the sum of amounts."""
        series = self._series(rank, measure)
        count = len(series)
        if measure in _SHARES:
            return merged(series, mean)
        # a sum without one of its parts is none: it would look as if less had been used
        return merged(series, lambda told: sum(told) if len(told) == count else float("nan"))

    def _over_time(self, rank: int, measure: Measure, values: Sequence[float | None]) -> Sequence[str]:
        series = self._series(rank, measure) if measure in _SHARES else []
        told = (
            [value for one in series for value in known(one.values)] if measure in _SHARES else known(values)
        )
        return tuple(map(_TEXTS[measure], (min(told), mean(told), max(told)))) if told else ()

    def _top(self, measure: Measure) -> float:
        """Return what the highest block is: all that a rank has where that is known, else the most used."""
        if measure in _SHARES:
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
    found = gpu_notes(usage)
    more = len(found) - _MOST_NOTES
    return found[:_MOST_NOTES] + ([f"… {more} more"] if more > 0 else [])


def gpu_notes(usage: Usage) -> list[str]:
    """Return what no column says of GPUs: errors, who else uses them."""
    several = len(usage.ranks) > 1
    notes = []
    for rank in usage.ranks:
        for gpu in rank.gpus:
            name = f"{f'rank {rank.rank}, ' if several else ''}GPU {gpu.gpu}"
            if gpu.xid:
                notes.append(f"{name} has reported the error XID {gpu.xid}")
            if gpu.strangers:
                notes.append(f"{name} is used by processes that are not the job's own")
            if gpu.shared:
                notes.append(f"{name} is a part of a card, or shared: power and temperature are the card's")
    return [clean(note, 200) for note in notes]


class SourceLine(NamedTuple):
    """Who tells figures, or what is not known and why."""

    text: str
    is_trouble: bool = False
    """Nothing newer can be read at all."""


def source_lines(reading: Reading, now: datetime) -> Iterator[SourceLine]:
    """Yield who tells the figures and how old they are, then what is not known and why."""
    sources = reading.usage.sources or (reading.history.sources if reading.history else ())
    answering = [_source_text(source, reading.usage, now) for source in sources if not source.missing]
    if answering:
        yield SourceLine(f"from {', '.join(answering)}")
    for source in sources:
        if source.missing:
            yield SourceLine(_unknown(_what(source), source.since, source.missing))
    if reading.trouble:
        yield SourceLine(_unknown("use", reading.since, reading.trouble), is_trouble=True)


def _source_text(source: UsageSource, usage: Usage, now: datetime) -> str:
    newest = _newest(source, usage)
    age = f", {age_text((now - newest).total_seconds())}" if newest else ""
    return f"{clean(source.name, 60)}{age}"


def _newest(source: UsageSource, usage: Usage) -> datetime | None:
    """Return when the newest of the figures that a source gives was measured."""
    gives = source.gives or tuple(Measure)
    times = [rank.as_of for rank in usage.ranks] if {Measure.CPU, Measure.RSS} & set(gives) else []
    if _OF_GPUS & set(gives):
        times += [gpu.as_of for rank in usage.ranks for gpu in rank.gpus]
    return max((time for time in times if time), default=None)


def age_text(seconds: float) -> str:
    """Format how old a figure is: 12 s ago, 3m ago."""
    return f"{max(0, int(seconds))} s ago" if seconds < 60 else f"{span(seconds)} ago"


def _what(source: UsageSource) -> str:
    if not source.gives:
        return f"use from {clean(source.name, 60)}"
    return "utilisation" if _OF_GPUS & set(source.gives) else "CPU and memory"


def _unknown(what: str, since: datetime | None, why: str) -> str:
    when = f" since {since.astimezone():%H:%M}" if since else ""
    return f"{what} unknown{when}: {clean(why, 300)}"
