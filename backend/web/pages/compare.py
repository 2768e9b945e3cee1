"""Several jobs over one another: a series of their logs as lines, their figures, how their specs differ."""

import asyncio
from collections.abc import Sequence
from math import log10
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from markupsafe import Markup
from msgspec import Struct

from backend.auth.caller import Caller
from backend.authorization import visible_users
from backend.clusters.event_log import Audience
from backend.jobs.series_reading import no_series, series_of
from backend.jobs.service import JobService
from backend.routes.deps import CanSee, RuntimeDep
from backend.web.charts import Chart, Line, line_chart
from backend.web.deps import SiteDep
from backend.web.job.questions import answer
from backend_client.errors import Invalid, NotFound
from backend_client.models import Job
from backend_client.progress.series_reader import SeriesReader
from backend_client.progress.series_view import WEIGHTS, View, began, line_of
from backend_client.text.axes import Axis, loss_labels, power_of_ten, ticks
from backend_client.text.compare import (
    LETTERS,
    NOTHING_YET,
    chosen_or_first,
    figure_cells,
    figure_text,
    figure_titles,
    note,
    series_names,
)
from backend_client.text.compare_csv import compare_csv
from backend_client.text.figures import duration, short
from backend_client.text.questions import too_many_to_compare
from backend_client.text.sanitize import clean
from backend_client.text.spec_differences import spec_differences, who_has

router = APIRouter(include_in_schema=False)
_LOG_SECONDS = 5.0
"""So long does the page wait for the logs."""
_SMOOTH = {f"{weight:g}": weight for weight in WEIGHTS}


class Asked(Struct, frozen=True):
    """Which jobs, and how they are drawn, as the address says."""

    marks: tuple[str, ...] = ()
    """CLUSTER/UID of each."""
    series: str = ""
    view: View = View()


class Compared(Struct, frozen=True):
    """The jobs that the caller may see, and what their logs tell."""

    readers: Sequence[SeriesReader]
    gone: int
    """How many others were asked for."""
    is_pending: bool

    @property
    def names(self) -> list[str]:
        """Of all series."""
        return series_names(reader.series.by_name for reader in self.readers)


def parse_asked(
    job: Annotated[list[str], Query()] = [],  # noqa: B006  FastAPI's way
    series: Annotated[str, Query(max_length=200)] = "",
    over: Literal["", "steps", "time"] = "",
    smooth: str = "",
    scale: Literal["", "linear", "log"] = "",
) -> Asked:
    """Read what is compared. Raises Invalid for too many jobs; an unknown smoothing is none."""
    marks = tuple(dict.fromkeys(job))
    if why := too_many_to_compare(len(marks)):
        raise Invalid({"job": why})
    return Asked(marks, series, View(over == "time", _SMOOTH.get(smooth, 0.0), scale == "log"))


AskedDep = Annotated[Asked, Depends(parse_asked)]


@router.get("/compare")
async def compare(
    request: Request, runtime: RuntimeDep, caller: CanSee, site: SiteDep, asked: AskedDep
) -> Response:
    """Show one series of all of them, and the tables."""
    found = await _read(runtime.jobs, caller, asked)
    name = chosen_or_first(found.names, asked.series)
    jobs = [reader.job for reader in found.readers]
    differing = spec_differences([job.spec for job in jobs])
    query = {
        "series": name,
        "over": "time" if asked.view.over_time else "",
        "smooth": f"{asked.view.weight:g}" if asked.view.weight else "",
        "scale": "log" if asked.view.logarithmic else "",
    }
    return site.page(
        request,
        "compare.html",
        caller=caller,
        marks=[f"{job.ref.context}/{job.ref.uid}" for job in jobs],
        name=name,
        names=found.names,
        view=asked.view,
        weights=_SMOOTH,
        chart=_chart(found.readers, name, asked.view) if name else "",
        nothing="" if name or found.is_pending else NOTHING_YET,
        pending=found.is_pending,
        gone=found.gone,
        is_live=found.is_pending or not all(job.ended for job in jobs),
        titles=figure_titles(name),
        rows=[
            (
                letter,
                reader.job,
                figure_cells(name, reader.series.by_name.get(name)),
                note(reader, name),
            )
            for letter, reader in zip(LETTERS, found.readers, strict=False)
        ],
        ranks=any(attempt.rank for job in jobs for attempt in job.attempts),
        differing={field: who_has(texts, LETTERS) for field, texts in differing.items()},
        csv=site.url("/compare.csv", **query),
    )


@router.get("/compare.csv")
async def compare_as_csv(runtime: RuntimeDep, caller: CanSee, asked: AskedDep) -> Response:
    """Return the points of all their series for a spreadsheet."""
    found = await _read(runtime.jobs, caller, asked)
    headers = {"Content-Disposition": 'attachment; filename="compare.csv"'}
    text = compare_csv(found.readers, found.names)
    return Response(f"{text}\n", headers=headers, media_type="text/csv; charset=utf-8")


async def _read(service: JobService, caller: Caller, asked: Asked) -> Compared:
    """Read the logs of those that the caller may see. Raises NotFound where that is none."""
    audience = Audience(visible_users(caller))
    jobs: list[Job] = []
    for mark in asked.marks:
        cluster, _, uid = mark.rpartition("/")
        found = service.hub.get(cluster, uid)
        if found is not None and audience.sees(found.user_id, found.key):
            jobs.append(found.job)
    if not jobs:
        raise NotFound("There is no such job.", "Mark jobs in the list, and compare them from there.")
    asking = (answer(series_of(service, job, len(jobs)), _LOG_SECONDS) for job in jobs)
    answers = await asyncio.gather(*asking)
    readers = [
        one.value or no_series(service, job, "" if one.is_pending else one.trouble)
        for job, one in zip(jobs, answers, strict=True)
    ]
    gone = len(asked.marks) - len(jobs)
    return Compared(readers, gone, any(one.is_pending for one in answers))


def _chart(readers: Sequence[SeriesReader], name: str, view: View) -> Markup:
    lines = []
    for letter, reader in zip(LETTERS, readers, strict=False):
        points = reader.series.by_name.get(name)
        start = began(reader.job, reader.series.first_time)
        line = line_of(points, view, start) if points else []
        lines.append(Line(line, f"{letter} {clean(reader.job.name, 80)}", f"line-{letter.lower()}"))
    drawn = [figure for line in lines for _, figure in line.points if figure is not None]
    label = f"{clean(name, 40)}, {', '.join(view.words)}"
    place = duration if view.over_time else _step
    below = "time since each began" if view.over_time else "step"
    axis = _axis(drawn, logarithmic=view.logarithmic)
    return line_chart(
        Chart("compared", label, lines, axis, figure_text, place, below, logarithmic=view.logarithmic)
    )


def _axis(drawn: Sequence[float], *, logarithmic: bool) -> Axis:
    if not drawn:
        return Axis((), ())
    low, high = min(drawn), max(drawn)
    at = [power_of_ten(one) for one in ticks(log10(low), log10(high))] if logarithmic else ticks(low, high)
    return Axis(at, loss_labels(at), low, high)


def _step(place: float) -> str:
    return short(round(place))
