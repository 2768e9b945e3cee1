"""One job as the page of its detail: how it stands, what was asked, what it cost, what happened. Pure."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from textual.content import Content

from backend_client.models import Attempt, Event, Job
from backend_client.text.attempts import group_attempts, rank_cells, state_durations
from backend_client.text.figures import short_local_time
from backend_client.text.job_facts import about_pairs
from backend_client.text.sanitize import clean
from backend_client.text.timeline import command_line, spec_fields_text, timeline
from tui.jobs.attempt_table import side_by_side
from tui.ui.format import fit, wrap

_NAME = 14
"""Cells of what stands before a value."""


def heading(words: str) -> Content:
    """Return what stands above a part of the page."""
    return Content.styled(f"\n{words}", "bold $primary")


def fields(pairs: Iterable[tuple[str, str]], width: int) -> list[Content]:
    """Return lines of name and value, those that have one; a long value goes on below its beginning."""
    return [line for name, value in pairs if value for line in _hung(fit(name, _NAME), value, width)]


def _hung(lead: str, text: str, width: int, style: str = "") -> list[Content]:
    first, *rest = wrap(text, width - len(lead))
    below = [Content.styled(f"{'':{len(lead)}}{line}", style) for line in rest]
    return [Content.assemble((lead, "$text-muted"), (first, style)), *below]


def about(job: Job, why_key: str = "", width: int = 76) -> Content:
    """Return what stands above all: how the job stands. `why_key`: the key that says more of the reason."""
    return Content("\n").join(fields(about_pairs(job, why_key), width))


def describe(
    job: Job,
    events: Sequence[Event],
    trouble: str = "",
    width: int = 76,
    *,
    receipt: Sequence[Content] = (),
) -> Content:
    """Return the rest of the page, laid out for `width` cells.

    `trouble`: why the events are not known; `receipt`: the lines of what the job has cost.
    """
    lines = [heading("Command"), Content(command_line(job.spec))]
    if asked := spec_fields_text(job.spec):
        lines += [heading("What was asked"), *fields(asked, width)]
    lines += receipt
    lines += [heading("Time in each state"), *fields(state_durations(job, datetime.now(UTC)), width)]
    lines.append(heading("What happened"))
    for event in timeline(job, events):
        lead, style = f"{short_local_time(event.time)}  ", "$warning" if event.warning else ""
        lines += _hung(lead, event.text, width, style)
    if trouble:
        lines.append(Content.styled(f"its events cannot be read: {clean(trouble)}", "$warning"))
    return Content("\n").join([*lines, *_attempts(job, width)])


def _attempts(job: Job, width: int) -> list[Content]:
    if not job.attempts:
        return []
    lines = [heading("Attempts"), *map(Content, side_by_side(job, width))]
    last = group_attempts(job)[-1]
    if len(last.ranks) > 1:
        lines += [heading(f"Ranks of attempt {last.number}"), *map(_rank, last.ranks)]
    return lines


def _rank(rank: Attempt) -> Content:
    number, started, finished, end, where = rank_cells(rank)
    return Content(f"{number:>4}  {started:15}  {finished:15}  {end:9}  {where}")
