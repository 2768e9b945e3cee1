"""The loss of one job out of its log: over its steps, or over the time with the use of its GPUs below."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from math import log10
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from markupsafe import Markup
from msgspec import Struct

from backend.auth.caller import Caller
from backend.jobs import job_usage, reading
from backend.jobs.loss_reading import loss_of, part_of
from backend.jobs.loss_store import LossReading
from backend.jobs.rows import JobSelector
from backend.jobs.service import JobService
from backend.routes.deps import CanSee, RuntimeDep, SelectedJob
from backend.web.charts import Chart, Line, line_chart
from backend.web.deps import SiteDep
from backend.web.job.questions import Answer, answer
from backend.web.job.view import time_place, usage_chart
from backend_client.models import Job
from backend_client.progress.loss_curve import LossCurve
from backend_client.text.axes import Axis, loss_labels, ticks
from backend_client.text.empty_reason import LOG_DELETED, empty_reason
from backend_client.text.figures import loss_text, short
from backend_client.text.loss import NO_LOSS, loss_alarm, loss_summary
from backend_client.text.sanitize import clean
from backend_client.text.usage_plots import usage_plots
from backend_client.usage import UsageHistory

router = APIRouter(include_in_schema=False)
_LOG_SECONDS = 5.0
"""So long does the page wait for a log."""


class PlotView(Struct, frozen=True):
    """How the loss is drawn, as the page's address says."""

    over_time: bool = False
    logarithmic: bool = False

    @property
    def query(self) -> dict[str, object]:
        """The same as an address has it."""
        return {"over": "time" if self.over_time else "", "scale": "log" if self.logarithmic else ""}


@router.get("/jobs/{name}/loss")
async def loss(  # noqa: PLR0917  one for each part of the request
    name: str,
    request: Request,
    runtime: RuntimeDep,
    caller: CanSee,
    site: SiteDep,
    selector: SelectedJob,
    over: Annotated[Literal["", "steps", "time"], Query()] = "",
    scale: Annotated[Literal["", "linear", "log"], Query()] = "",
) -> Response:
    """Show the curve, of the last lines of the log."""
    known = await reading.known_job(runtime.jobs, caller, name, selector)
    found, view = known.job, PlotView(over == "time", scale == "log")
    started = not known.deleted and bool(found.attempts or found.started)
    curve = await answer(loss_of(runtime.jobs, found), _LOG_SECONDS) if started else Answer[LossReading]()
    charts, notes = [], []
    if curve.value:
        use = await _use_over(runtime.jobs, caller, found, curve.value.curve, view)
        charts = [*_charts(curve.value.curve, view, use.value)]
        notes = [*_notes(curve.value, view, use)]
    why = "" if started else LOG_DELETED if known.deleted else empty_reason(found)
    return site.page(
        request,
        "loss.html",
        caller=caller,
        job=found,
        deleted=known.deleted,
        view=view,
        views={
            "over its steps": PlotView(False, view.logarithmic),
            "over the time": PlotView(True, view.logarithmic),
        },
        scales={"linear": PlotView(view.over_time, False), "logarithmic": PlotView(view.over_time, True)},
        why=why,
        curve=curve,
        part=part_of(curve.value) if curve.value else "",
        summary=loss_summary(curve.value.curve.points) if curve.value else "",
        alarm=loss_alarm(curve.value.curve) if curve.value else "",
        charts=charts,
        notes=notes,
    )


async def _use_over(
    service: JobService, caller: Caller, job: Job, curve: LossCurve, view: PlotView
) -> Answer[UsageHistory]:
    """Ask for what the job has used since its curve begins, where both are drawn over the time."""
    points = curve.points_in_time
    if not view.over_time or not points:
        return Answer()
    selector = JobSelector(job.ref.context, uid=job.ref.uid)
    since = datetime.fromtimestamp(points[0][0], UTC)
    return await answer(job_usage.history(service, caller, job.name, selector, since))


def _charts(curve: LossCurve, view: PlotView, used: UsageHistory | None) -> Iterator[Markup]:
    """Yield the curve, and below it what the GPUs did in that time."""
    timed = curve.points_in_time if view.over_time else []
    points: Sequence[tuple[float, float]] = timed or curve.points
    if not points:
        return
    axis = _loss_axis([value for _, value in points], logarithmic=view.logarithmic)
    place = time_place if timed else _step
    below = "time" if timed else "step"
    yield line_chart(
        Chart("loss", "loss", [Line(points)], axis, loss_text, place, below, logarithmic=view.logarithmic)
    )
    if used and timed:
        for plot in usage_plots(used)[:1]:
            yield line_chart(usage_chart("loss-use", plot, used))


def _loss_axis(values: Sequence[float], *, logarithmic: bool) -> Axis:
    drawn = [value for value in values if value > 0] if logarithmic else values
    if not drawn:
        return Axis((), ())
    low, high = min(drawn), max(drawn)
    if not logarithmic:
        at = ticks(low, high)
        return Axis(at, loss_labels(at))
    at = [10**exponent for exponent in ticks(log10(low), log10(high))]
    return Axis(at, loss_labels(at), low, high)


def _step(place: float) -> str:
    return short(round(place))


def _notes(found: LossReading, view: PlotView, use: Answer[UsageHistory]) -> Iterator[str]:
    """Yield what is not drawn, and why."""
    if found.trouble:
        yield f"its log cannot be read to its end: {clean(found.trouble, 300)}"
    if view.over_time and found.curve.points and not found.curve.points_in_time:
        yield "over its steps: its lines have no times"
    if use.trouble:
        yield f"utilisation unknown: {use.trouble}"
    if not found.curve.points and not found.curve.not_finite and not found.trouble:
        yield NO_LOSS
