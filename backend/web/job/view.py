"""What a job's page shows, put together for its template: texts from below, times marked up."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import urlsplit

from markupsafe import Markup
from msgspec import Struct

from backend.web.charts import Chart, Line, line_chart, spark
from backend.web.rendering import moment
from backend_client.models import Job
from backend_client.text.attempts import (
    ATTEMPT_ROWS,
    AttemptGroup,
    attempt_cells,
    group_attempts,
    rank_cells,
)
from backend_client.text.job_facts import about_pairs
from backend_client.text.usage import SourceLine, UsageFigures, notes, source_lines
from backend_client.text.usage_plots import BAND, UsagePlot, usage_plots
from backend_client.usage import UsageHistory
from backend_client.usage_reading import Reading
from backend_client.usage_series import time_of

_MOST_ATTEMPTS = 50
RANK_TITLES = ("RANK", "STARTED", "ENDED", "END", "WHERE")


def about(job: Job) -> list[tuple[str, str | Markup]]:
    """Return (name, value) of how a job stands."""
    return [(name, _marked_up(job, name, value)) for name, value in about_pairs(job) if value]


def _marked_up(job: Job, name: str, value: str) -> str | Markup:
    match name:
        case "next try":
            return moment(job.next_try)
        case "owner":
            return Markup("<bdi>{}</bdi>").format(value)
        case "url":
            return link(value)
    return value


def link(address: str) -> str | Markup:
    """Return an address out of a job as a link, where it is one of the web."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return address
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return address
    return Markup('<a href="{}" rel="noopener noreferrer nofollow">{}</a>').format(address, address)


class AttemptRow(Struct, frozen=True):
    """One attempt in the table."""

    number: int
    cells: Mapping[str, str | Markup]


def attempt_rows(job: Job) -> list[AttemptRow]:
    """Return the attempts, newest first."""
    return [_attempt_row(group) for group in reversed(group_attempts(job)[-_MOST_ATTEMPTS:])]


def attempt_columns(rows: Sequence[AttemptRow]) -> list[str]:
    """Return the columns of the table in which something stands."""
    return [name for name in ATTEMPT_ROWS if any(row.cells[name] for row in rows)]


def _attempt_row(group: AttemptGroup) -> AttemptRow:
    cells: dict[str, str | Markup] = {**dict(zip(ATTEMPT_ROWS, attempt_cells(group), strict=True))}
    cells |= {"started": moment(group.started), "ended": moment(group.finished)}
    return AttemptRow(group.number, cells)


def rank_rows(job: Job) -> list[Sequence[str | Markup]]:
    """Return a row for each rank of the last attempt, where that has several."""
    groups = group_attempts(job)
    if not groups or len(groups[-1].ranks) < 2:
        return []
    rows: list[Sequence[str | Markup]] = []
    for rank in groups[-1].ranks:
        number, _, _, end, where = rank_cells(rank)
        rows.append((number, moment(rank.started), moment(rank.finished), end, where))
    return rows


class UseRow(Struct, frozen=True):
    """One measure of one rank."""

    title: str
    line: Markup
    now: str
    over_time: Sequence[str]


class UseView(Struct, frozen=True):
    """What is known of a job's use."""

    rows: Sequence[UseRow] = ()
    rest: str = ""
    """What is said of the ranks that are left out."""
    start: datetime | None = None
    notes: Sequence[str] = ()
    sources: Sequence[SourceLine] = ()
    charts: Sequence[Markup] = ()


def use_view(reading: Reading, *, all_ranks: bool) -> UseView:
    """Return a job's use as lines and charts."""
    figures = UsageFigures(reading)
    shown = figures.ranks if all_ranks else figures.shown_ranks()
    history = reading.history
    return UseView(
        rows=[row for rank in shown for row in _rank_rows(figures, rank)],
        rest=figures.rest_text(shown, "") if len(shown) < len(figures.ranks) else "",
        start=history.start if history else None,
        notes=notes(reading.usage),
        sources=[*source_lines(reading, datetime.now(UTC))],
        charts=[*_charts(history)] if history else (),
    )


def _rank_rows(figures: UsageFigures, rank: int) -> Iterator[UseRow]:
    lead = f"rank {rank} " if len(figures.ranks) > 1 else ""
    for one in figures.of_rank(rank):
        line = spark(one.values, f"{lead}{one.label}", one.text, one.top)
        yield UseRow(f"{lead}{one.label}", line, one.now, one.over_time)


def _charts(history: UsageHistory) -> Iterator[Markup]:
    for number, plot in enumerate(usage_plots(history)):
        yield line_chart(usage_chart(f"use-{number}", plot, history))


def usage_chart(id: str, plot: UsagePlot, history: UsageHistory) -> Chart:  # noqa: A002  HTML's word
    """Return what a job used over the time as a chart."""
    names = BAND if len(plot.lines) == len(BAND) else ("",)
    lines = [
        Line([(time_of(history, step).timestamp(), value) for step, value in enumerate(values)], name)
        for values, name in zip(plot.lines, names, strict=True)
    ]
    return Chart(id, plot.title, lines, plot.axis, plot.text, time_place, "time")


def time_place(place: float) -> Markup:
    """Mark up a place on an axis of time, shortly: the script adds the day where that is not today."""
    when = datetime.fromtimestamp(place, UTC)
    words = f"{when:%d %b %H:%M:%S} UTC"
    return Markup(f'<time datetime="{when:%Y-%m-%dT%H:%M:%SZ}" class="clock">{words}</time>')  # noqa: S704  figures
